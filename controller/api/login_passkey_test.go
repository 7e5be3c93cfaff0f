package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/passkeys/passkeystest"
)

// browser is where somebody is logged in, with what else it carries.
type browser struct {
	w       *world
	session string
	ticket  string
}

// do asks as the browser does, and keeps the ticket that it is handed.
func (b *browser) do(method, path string, body any) answered {
	b.w.t.Helper()
	var cookies []string
	for name, value := range map[string]string{"borne": b.session, "borne-passkey": b.ticket} {
		if value != "" {
			cookies = append(cookies, name+"="+value)
		}
	}
	header := []string{}
	if len(cookies) > 0 {
		header = []string{"Cookie", strings.Join(cookies, "; ")}
	}
	a := b.w.do("", method, path, body, header...)
	for _, c := range a.Cookies() {
		switch c.Name {
		case "borne-passkey":
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode {
				b.w.t.Errorf("the ticket is open to the page: %v", c)
			}
			b.ticket = c.Value
		case "borne":
			b.session = c.Value
		}
	}
	return a
}

// add has the device make a passkey for whoever is logged in.
func (b *browser) add(d *passkeystest.Device) answered {
	b.w.t.Helper()
	ask := decode[PasskeyAsk](b.w.t, b.do("POST", "/api/me/passkeys/options", nil), 200)
	return b.do("POST", "/api/me/passkeys", PasskeyRequest{Name: "Clé", Response: string(d.Make(b.w.t, json.RawMessage(ask.Options)))})
}

// login has the device open a session.
func (b *browser) login(d *passkeystest.Device) answered {
	b.w.t.Helper()
	ask := decode[PasskeyAsk](b.w.t, b.do("POST", "/api/login/passkey/options", nil), 200)
	return b.do("POST", "/api/login/passkey", PasskeyAnswer{Response: string(d.Login(b.w.t, json.RawMessage(ask.Options)))})
}

func (w *world) device(owner string) *passkeystest.Device {
	return passkeystest.New(w.t, "https://bornes.example.fr", "bornes.example.fr", owner)
}

// person logs somebody in by a link, as on the first day.
func (w *world) person(role accounts.Role) (*browser, *passkeystest.Device) {
	w.t.Helper()
	b := &browser{w: w, session: w.as(role)}
	me := decode[Me](w.t, b.do("GET", "/api/me", nil), 200)
	return b, w.device(me.ID)
}

// TestOnlyWhoJustCameChangesTheWaysIn: a computer that was left open for half an
// hour lets nobody add or remove a passkey.
func TestOnlyWhoJustCameChangesTheWaysIn(t *testing.T) {
	w := start(t)
	ada, key := w.person(accounts.DPO)
	w.later(recently - time.Second)
	list := decode[PasskeyList](t, ada.add(key), 201)
	if len(list.Passkeys) != 1 || !list.Recent {
		t.Fatalf("just in time: %+v", list)
	}
	second := w.device(key.Owner)
	ask := decode[PasskeyAsk](t, ada.do("POST", "/api/me/passkeys/options", nil), 200) // in time
	w.later(2 * time.Second)
	for what, a := range map[string]answered{
		"asks for a passkey":         ada.do("POST", "/api/me/passkeys/options", nil),
		"adds one asked for in time": ada.do("POST", "/api/me/passkeys", PasskeyRequest{Name: "Clé", Response: string(second.Make(t, json.RawMessage(ask.Options)))}),
		"removes one":                ada.do("DELETE", "/api/me/passkeys/"+list.Passkeys[0].ID, nil),
	} {
		if p := decode[problemBody](t, a, 403); !strings.Contains(p.Detail, "30 minutes") {
			t.Errorf("%s after half an hour: %+v", what, p)
		}
	}
	if list = decode[PasskeyList](t, ada.do("GET", "/api/me/passkeys", nil), 200); list.Recent || len(list.Passkeys) != 1 {
		t.Errorf("the page is told %+v", list)
	}
	// The passkey itself lets her in anew, and then she may.
	again := &browser{w: w}
	if me := decode[Me](t, again.login(key), 200); me.ID != key.Owner {
		t.Fatalf("logged in as %+v", me)
	}
	if list = decode[PasskeyList](t, again.add(second), 201); len(list.Passkeys) != 2 {
		t.Errorf("after a new login: %+v", list)
	}
}

// TestAPasskeyTicketIsOfItsBrowser: an answer counts only where it was asked for,
// for whom, for what, and once.
func TestAPasskeyTicketIsOfItsBrowser(t *testing.T) {
	w := start(t)
	ada, key := w.person(accounts.DPO)
	if a := ada.add(key); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	ask := func(b *browser) PasskeyAnswer {
		a := decode[PasskeyAsk](t, b.do("POST", "/api/login/passkey/options", nil), 200)
		// A passkey that several devices share counts nothing: the ticket alone tells.
		return PasskeyAnswer{Response: string(key.Login(t, json.RawMessage(a.Options)))}
	}
	hers, other := &browser{w: w}, &browser{w: w}
	answer := ask(hers)
	ask(other)
	theft := *hers
	if a := (&browser{w: w}).do("POST", "/api/login/passkey", answer); a.StatusCode != 401 {
		t.Errorf("an answer without a ticket: %s", a.Status)
	}
	if a := other.do("POST", "/api/login/passkey", answer); a.StatusCode != 401 {
		t.Errorf("an answer in another browser: %s", a.Status)
	}
	if a := hers.do("POST", "/api/login/passkey", answer); a.StatusCode != 200 {
		t.Errorf("and in its own: %s %s", a.Status, a.body)
	}
	if a := theft.do("POST", "/api/login/passkey", answer); a.StatusCode != 401 {
		t.Errorf("the same answer again: %s", a.Status)
	}
	late := &browser{w: w}
	answer = ask(late)
	w.later(ticketMinutes*time.Minute + time.Second)
	if a := late.do("POST", "/api/login/passkey", answer); a.StatusCode != 401 {
		t.Errorf("an answer after ten minutes: %s", a.Status)
	}
	// A passkey asked for in one account is none of another's, and a ticket for a
	// login adds nothing.
	eve, _ := w.person(accounts.Observer)
	forged := w.device(key.Owner)
	fresh := &browser{w: w}
	if a := fresh.login(key); a.StatusCode != 200 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	options := decode[PasskeyAsk](t, fresh.do("POST", "/api/me/passkeys/options", nil), 200)
	body := PasskeyRequest{Name: "Clé", Response: string(forged.Make(t, json.RawMessage(options.Options)))}
	eve.ticket = fresh.ticket
	if a := eve.do("POST", "/api/me/passkeys", body); a.StatusCode != 409 {
		t.Errorf("a ticket of another account: %s", a.Status)
	}
	fresh.ticket = (func() string { b := &browser{w: w}; ask(b); return b.ticket })()
	if a := fresh.do("POST", "/api/me/passkeys", body); a.StatusCode != 409 {
		t.Errorf("a ticket of a login: %s", a.Status)
	}
	if list := decode[PasskeyList](t, eve.do("GET", "/api/me/passkeys", nil), 200); len(list.Passkeys) != 0 {
		t.Errorf("she has %+v", list)
	}
}

// TestTheLastWayInStays over the API, where the sentence says what to do.
func TestTheLastWayInStays(t *testing.T) {
	w := start(t)
	ada, key := w.person(accounts.DPO)
	list := decode[PasskeyList](t, ada.add(key), 201)
	if p := decode[problemBody](t, ada.do("DELETE", "/api/me/passkeys/"+list.Passkeys[0].ID, nil), 409); !strings.Contains(p.Detail, "seule façon d’entrer") {
		t.Errorf("the last one: %+v", p)
	}
	if a := ada.add(w.device(key.Owner)); a.StatusCode != 201 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	if list = decode[PasskeyList](t, ada.do("DELETE", "/api/me/passkeys/"+list.Passkeys[0].ID, nil), 200); len(list.Passkeys) != 1 {
		t.Errorf("with another one: %+v", list)
	}
	if a := (&browser{w: w}).login(key); a.StatusCode != 401 {
		t.Errorf("a removed passkey: %s", a.Status)
	}
}
