package fleettest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/certificate"
	"borne/controller/policy"
	"borne/controller/server"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/kiosk/shell"
)

// certified is a certificate as the console hands it out.
type certified struct {
	Certificate certificate.Certificate
	Digest      string
	Envelope    wire.Envelope
}

// certify asks for the present month of a site, as a DPO would.
func (c *console) certify(site string) (v certified) {
	c.ctl.t.Helper()
	month := time.Now().In(policy.Location()).Format("2006-01")
	c.call(http.MethodPost, "/api/sites/"+site+"/certificates", map[string]string{"month": month}, &v)
	return v
}

// verify is the administrator's command, on a file or on paper.
func (c *controller) verify(args map[string]string) server.Reply {
	return c.server().Do(context.Background(), server.Request{Op: server.OpCertify, Args: args})
}

// TestMonthlyCertificate: what people lived through, and what a certificate says
// of it, over a power cut, a bad receipt, its lift and a replaced machine.
func TestMonthlyCertificate(t *testing.T) {
	if now := time.Now().In(policy.Location()); now.Month() != now.Add(-time.Minute).Month() || now.Month() != now.Add(10*time.Minute).Month() {
		t.Skip("SKIP: the month ends while this runs")
	}
	w := newWorld(t)
	x, y := w.install("Poste 1"), w.install("Poste 2")
	for range 5 {
		x.play()
		x.serves()
		y.play()
		y.serves()
	}
	x.open(0)
	x.kill()
	x.on()
	x.ends(wire.EndRestart)
	x.serves()
	x.play()
	x.delivered()
	y.smuggle(func(r wire.Receipt) (wire.Envelope, error) {
		r.Checks[0].After, r.Checks[0].Result = 1, wire.Found
		return wire.Seal(y.key, wire.DomainReceipt, r)
	})
	y.quarantined(wire.QuarReceiptFailed)
	y.lifted()
	y.delivered()
	x.kill()
	z := w.machine("Poste 1 neuf")
	must(t, z.enrol(w.console.code(w.site, w.space, "", x.id)))
	z.on()
	z.serves()
	z.play()
	z.delivered()

	v := w.console.certify(w.site)
	c := v.Certificate
	lived := x.truth.begun + y.truth.begun + z.truth.begun
	if c.Total.Sessions.N != lived || c.Total.Clean.N != lived-1 || c.Total.Failed != 1 || c.Total.Missing+c.Total.Awaited != 0 ||
		c.Total.Challenges != 1 || c.Total.Power.Hidden != certificate.HiddenFew || c.Total.Rough != 0 {
		t.Errorf("people lived %d sessions, one badly wiped; the certificate says %+v", lived, c.Total)
	}
	if len(c.Findings) > 0 || !c.Audit.Holds || !c.Simulated || !c.Running || c.Issuer != "Haute-Savoie" {
		t.Errorf("certificate %+v", c)
	}
	for _, x := range c.Terminals {
		if x.Chain != certificate.ChainHolds || len(x.Heads) != 2 {
			t.Errorf("%s: the chain is %s, with %d heads", x.Name, x.Chain, len(x.Heads))
		}
	}
	if len(c.Quarantines) != 1 || c.Quarantines[0].Reason != wire.QuarReceiptFailed || c.Quarantines[0].End != certificate.EndReleased {
		t.Errorf("quarantines %+v", c.Quarantines)
	}
	if len(c.Refused) != 1 || c.Refused[0].Reason != wire.QuarReceiptFailed {
		t.Errorf("refused %+v", c.Refused)
	}

	file, err := json.Marshal(v.Envelope)
	must(t, err)
	if r := w.ctl.verify(map[string]string{"file": string(file), "digest": strings.ToUpper(v.Digest[:8]) + " " + v.Digest[8:]}); r.Found || r.Error != "" || !strings.Contains(r.Text, "ok     the audit") {
		t.Errorf("the certificate does not verify: %+v", r)
	}
	changed := v.Envelope
	changed.Payload = []byte(strings.Replace(string(v.Envelope.Payload), `"failed":1`, `"failed":0`, 1))
	file, err = json.Marshal(changed)
	must(t, err)
	if r := w.ctl.verify(map[string]string{"file": string(file)}); !r.Found {
		t.Errorf("a certificate that was made better verifies: %+v", r)
	}

	// Somebody makes the bad receipt a good one in the database itself.
	w.ctl.meddle(func(tx store.Tx) error {
		for r, err := range store.Find[store.ReceiptRow](tx, "terminal", y.id) {
			if err != nil || r.Row.Reason != wire.QuarReceiptFailed {
				continue
			}
			r.Row.Verdict, r.Row.Reason, r.Row.Detail = store.VerdictAccepted, "", ""
			return store.Put(tx, r)
		}
		t.Error("there is no bad receipt")
		return nil
	})
	if c := w.console.certify(w.site).Certificate; !slices.ContainsFunc(c.Findings, func(f certificate.Finding) bool { return f.Code == certificate.FoundVerdict }) || c.Total.Failed != 1 {
		t.Errorf("a verdict that was changed afterwards is believed: %+v", c)
	}
	z.see(shell.Welcome)
}

// meddle changes the store behind the controller's back.
func (c *controller) meddle(fn func(store.Tx) error) {
	c.t.Helper()
	must(c.t, c.store().Decide(context.Background(), fn))
}
