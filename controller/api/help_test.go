package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/wire"
)

// aCall is a call for help.
const aCall = "00112233445566ff"

func (w *world) calls(h *wire.HelpCall) {
	w.live.set("a-1", LiveState{Online: true, LastSeen: t0, Status: wire.Status{Phase: "active", Session: "sa", Help: h}})
}

func (w *world) brief(cookie, terminal string) TerminalBrief {
	w.t.Helper()
	return decode[TerminalDetail](w.t, w.do(cookie, "GET", "/api/terminals/"+terminal, nil), 200).Terminal
}

func TestHelpIsAnsweredOnce(t *testing.T) {
	w := start(t)
	desk := w.as(accounts.Reception, "a")
	w.calls(&wire.HelpCall{ID: aCall, At: t0.Add(time.Hour), Times: 2}) // its clock is ahead
	if h := w.brief(desk, "a-1").Help; h == nil || h.ID != aCall || h.Coming || h.Times != 2 || !h.Since.Equal(t0) {
		t.Fatalf("%+v", h)
	}
	decode[Accepted](t, w.do(desk, "POST", "/api/terminals/a-1/help", HelpAnswer{Call: aCall}), http.StatusAccepted)
	if o := w.orders[0]; o.Kind != wire.CmdHelpComing || o.Job != aCall || o.Terminal != "a-1" || o.By == "" {
		t.Errorf("%+v", o)
	}
	// The terminal says that the person knows, and who comes is told to the others.
	e, err := wire.Seal(certKey, wire.DomainCommand, wire.Command{Kind: wire.CmdHelpComing, Job: aCall})
	if err != nil {
		t.Fatal(err)
	}
	err = w.st.Decide(context.Background(), func(tx store.Tx) error {
		return put(tx, store.Meta{ID: "z-1", Site: "a", Scope: "a-1"}, store.CommandRow{Terminal: "a-1", Kind: wire.CmdHelpComing, By: w.orders[0].By, Status: store.CommandDone, Issued: t0, Envelope: e})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.calls(&wire.HelpCall{ID: aCall, At: t0, Coming: true, Times: 1})
	if h := w.brief(desk, "a-1").Help; h == nil || !h.Coming || h.By != "Ada reception" {
		t.Errorf("%+v", h)
	}
	if a := w.do(desk, "POST", "/api/terminals/a-1/help", HelpAnswer{Call: aCall}); a.StatusCode != 409 {
		t.Errorf("a second one comes: %s", a.Status)
	}
	decode[Accepted](t, w.do(desk, "POST", "/api/terminals/a-1/help", HelpAnswer{Call: aCall, Done: true}), http.StatusAccepted)
	if o := w.orders[1]; o.Kind != wire.CmdHelpDone || o.Job != aCall {
		t.Errorf("%+v", o)
	}
	for name, live := range map[string]LiveState{"over": {Online: true}, "away": {Status: wire.Status{Help: &wire.HelpCall{ID: aCall}}},
		"another": {Online: true, Status: wire.Status{Help: &wire.HelpCall{ID: "ffeeddccbbaa0099"}}}} {
		w.live.set("a-1", live)
		if a := w.do(desk, "POST", "/api/terminals/a-1/help", HelpAnswer{Call: aCall, Done: true}); a.StatusCode != 409 {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	if len(w.orders) != 2 {
		t.Errorf("%d orders", len(w.orders))
	}
	w.live.set("a-1", LiveState{Status: wire.Status{Help: &wire.HelpCall{ID: aCall}}})
	if h := w.brief(desk, "a-1").Help; h != nil {
		t.Errorf("a terminal that is away waits: %+v", h)
	}
}

func TestAPhoneNumberIsOne(t *testing.T) {
	w := start(t)
	c := w.as(accounts.Correspondant, "a")
	for _, bad := range []string{"appelez-moi", "12", "04 50 00 00 00<script>", strings.Repeat("1", 31)} {
		if a := w.do(c, "PUT", "/api/sites/a/phone", PhoneRequest{Phone: bad}); a.StatusCode != 422 || !strings.Contains(string(a.body), "body.phone") {
			t.Errorf("%q: %s %s", bad, a.Status, a.body)
		}
	}
	if v := decode[PhoneRequest](t, w.do(c, "PUT", "/api/sites/a/phone", PhoneRequest{Phone: " +33 (0)4 50.00-00  00 "}), 200); v.Phone != "+33 (0)4 50.00-00 00" {
		t.Errorf("%q", v.Phone)
	}
	f := decode[Fleet](t, w.do(c, "GET", "/api/fleet", nil), 200)
	if f.Sites[0].Phone != "+33 (0)4 50.00-00 00" || strings.Join(w.live.greeted, ",") != "a-1" {
		t.Errorf("%q, greeted %v", f.Sites[0].Phone, w.live.greeted)
	}
	decode[PhoneRequest](t, w.do(c, "PUT", "/api/sites/a/phone", PhoneRequest{}), 200)
}
