package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"borne/controller/certificate"
)

// TestCertificateThatIsOlderThanTheAudit: its signature speaks for it, and what
// was not signed here has no such excuse.
func TestCertificateThatIsOlderThanTheAudit(t *testing.T) {
	s, stop := running(t, settings(t, fresh(t)))
	file := func(made time.Time) string {
		payload, err := json.Marshal(certificate.Certificate{Name: "Collège", Month: "2024-03", Made: made})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(s.keys.SignCertificate(payload))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	verify := func(file string) Reply {
		return s.Do(ctx, Request{Op: OpCertify, Args: map[string]string{"file": file}})
	}
	if r := verify(file(time.Now().AddDate(-2, 0, 0))); r.Error != "" || r.Found || !strings.Contains(r.Text, "its signature alone speaks") {
		t.Errorf("an old one: %+v", r)
	}
	if r := verify(file(time.Now().Add(time.Minute))); !r.Found || !strings.Contains(r.Text, "no entry of the audit") {
		t.Errorf("one that the audit should have: %+v", r)
	}
	forged := strings.Replace(file(time.Now().AddDate(-2, 0, 0)), `"sig":"`, `"sig":"AAAA`, 1)
	if r := verify(forged); !r.Found || !strings.Contains(r.Text, "WRONG") {
		t.Errorf("a forged one: %+v", r)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
