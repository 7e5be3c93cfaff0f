package api

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/certificate"
	"borne/controller/store"
	"borne/controller/wire"
)

func TestCertificate(t *testing.T) {
	w := start(t)
	dpo := w.as(accounts.DPO, "a")
	v := decode[CertificateView](t, w.do(dpo, "POST", "/api/sites/a/certificates", CertificateRequest{Month: "2026-03"}), 201)
	if v.Certificate.Site != "a" || v.Certificate.Month != "2026-03" || !v.Certificate.Running {
		t.Errorf("%+v", v.Certificate)
	}
	file, err := json.Marshal(wire.Envelope{Kid: v.Envelope.Kid, Domain: wire.Domain(v.Envelope.Domain), Payload: v.Envelope.Payload, Sig: v.Envelope.Sig})
	if err != nil {
		t.Fatal(err)
	}
	keys := [][]byte{certKey.Public().(ed25519.PublicKey)}
	c, digest, err := certificate.Open(file, keys)
	if err != nil || digest != v.Digest || c.Total != v.Certificate.Total {
		t.Errorf("the file does not verify: %v, digest %s, printed %s", err, digest, v.Digest)
	}
	if _, _, err := certificate.Open([]byte(strings.Replace(string(file), `"sig":"`, `"sig":"AA`, 1)), keys); err == nil {
		t.Error("a changed file verifies")
	}
	if err := w.st.View(t.Context(), func(tx store.Tx) error {
		made, err := certificate.Find(tx, v.Digest)
		if made.Month != "2026-03" || made.Site != v.Certificate.Name {
			t.Errorf("the audit says %+v", made)
		}
		return err
	}); err != nil {
		t.Errorf("the audit does not hold it: %v", err)
	}
	for _, month := range []string{"2026-04", "2026-3", "mars", "0000-00", "2026-13"} {
		a := w.do(dpo, "POST", "/api/sites/a/certificates", map[string]string{"month": month})
		if a.StatusCode != 422 || !strings.Contains(string(a.body), "body.month") {
			t.Errorf("%s: %s %s", month, a.Status, a.body)
		}
	}
}
