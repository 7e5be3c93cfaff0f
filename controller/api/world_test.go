package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/calendar"
	"borne/controller/directory"
	"borne/controller/ledger"
	"borne/controller/passkeys"
	"borne/controller/policy"
	"borne/controller/retention"
	"borne/controller/rgpd"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) // a Monday

// world is the API over a real store, with a fleet that the test moves.
type world struct {
	*httptest.Server
	t    testing.TB
	api  *API
	st   store.Store
	acc  *accounts.Service
	led  *ledger.Ledger
	dir  *directory.Directory
	live *fakeLive

	ahead     atomic.Int64 // of t0: see later
	mu        sync.Mutex
	orders    []Order
	issued    int
	sent      []string
	orderErr  error
	published []string
}

type fakeLive struct {
	mu      sync.Mutex
	now     map[string]LiveState
	subs    map[chan string]bool
	greeted []string
	got     chan struct{} // one token for each Subscribe
}

func (f *fakeLive) Live(id string) (LiveState, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.now[id]
	return s, ok
}

func (f *fakeLive) Subscribe() (<-chan string, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := make(chan string, 16)
	f.subs[ch] = true
	f.got <- struct{}{}
	return ch, func() { f.mu.Lock(); defer f.mu.Unlock(); delete(f.subs, ch) }
}

func (f *fakeLive) set(id string, s LiveState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[id] = s
	for ch := range f.subs {
		ch <- id
	}
}

// lag closes the subscriptions, as the fleet does to whoever reads too slowly.
func (f *fakeLive) lag() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs {
		close(ch)
		delete(f.subs, ch)
	}
}

func (w *world) Order(_ context.Context, o Order) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders = append(w.orders, o)
	if o.Window != nil {
		it := store.Meta{ID: o.Terminal, Site: o.Terminal[:1]}
		if err := w.st.Decide(context.Background(), func(tx store.Tx) error { return o.Window(tx, it, fmt.Sprintf("cmd-w%d", len(w.orders))) }); err != nil {
			return "", err
		}
		return fmt.Sprintf("cmd-w%d", len(w.orders)), w.orderErr
	}
	return "cmd-1", w.orderErr
}

// Issue keeps a command as the server does, without its signature.
func (w *world) Issue(tx store.Tx, o Order) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.orderErr != nil {
		return "", w.orderErr
	}
	w.issued++
	id, now := fmt.Sprintf("bulk-%d", w.issued), w.api.Now().UTC()
	return id, put(tx, store.Meta{ID: id, Site: o.Terminal[:1], Scope: o.Terminal}, store.CommandRow{Terminal: o.Terminal, Kind: o.Kind, Text: o.Text, By: o.By,
		Issued: now, NotAfter: now.Add(10 * time.Minute), Status: store.CommandPending, Changed: now})
}

func (w *world) Send(ids ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, ids...)
}

// DecidePrint and GrantPages do what the server does, without the command.
func (w *world) DecidePrint(ctx context.Context, id string, charge wire.Units, by, reason string) error {
	return w.st.Decide(ctx, func(tx store.Tx) error { _, err := w.led.Decide(tx, id, charge, by, reason); return err })
}

func (w *world) GrantPages(ctx context.Context, terminal, session string, pages int, by, reason string) (string, error) {
	return "cmd-2", w.st.Decide(ctx, func(tx store.Tx) error { return w.led.Grant(tx, terminal, session, pages, by, reason) })
}

// calendarFile is a calendar of all zones.
const calendarFile = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260404\r\nDTEND;VALUE=DATE:20260420\r\n" +
	"SUMMARY:Vacances de Printemps - Zones A/B/C\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// ImportCalendar and FetchCalendar do what the server does, without its audit and
// its network.
func (w *world) ImportCalendar(ctx context.Context, zone policy.Zone, file []byte, _ bool, by string) error {
	return w.keep(ctx, zone, file, store.CalendarRow{Source: store.CalendarFile, By: by})
}

func (w *world) FetchCalendar(ctx context.Context, zone policy.Zone, address, by string) error {
	return w.keep(ctx, zone, []byte(calendarFile), store.CalendarRow{Source: store.CalendarAddress, Address: address, By: by})
}

func (w *world) StopCalendar(ctx context.Context, zone policy.Zone, by string) error {
	return w.st.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, string(zone), func(it *store.Item[store.CalendarRow]) error { it.Row.Address = ""; return nil })
	})
}

func (w *world) keep(ctx context.Context, zone policy.Zone, file []byte, row store.CalendarRow) error {
	c, err := calendar.Read(file, zone, t0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, b := range c.Breaks {
		row.Breaks = append(row.Breaks, store.CalendarBreak(b))
	}
	row.Until, row.Imported, row.Version = c.Until, t0, 77
	return w.st.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.CalendarRow](tx, string(zone))
		if err != nil {
			it.Meta = store.Meta{ID: string(zone)}
		}
		it.Row = row
		return store.Put(tx, it)
	})
}

// doubtful makes site a's print job one that nobody has decided about yet.
func (w *world) doubtful() {
	w.t.Helper()
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		return store.Update(tx, "j-a", func(it *store.Item[store.PrintJob]) error {
			it.Row.Outcome, it.Row.Decided, it.Row.By, it.Row.Why, it.Row.Charged = wire.PrintDoubtful, time.Time{}, "", "", 0
			return nil
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Publish(_ context.Context, site, space string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.published = append(w.published, site+"/"+space)
	return nil
}

// SignCertificate implements Sealer.
func (w *world) SignCertificate(payload []byte) wire.Envelope {
	return wire.SealBytes(certKey, wire.DomainCertificate, payload)
}

// certKey signs the certificates of the tests.
var certKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))

// later has time pass for everybody.
func (w *world) later(d time.Duration) { w.ahead.Add(int64(d)) }

func start(t *testing.T) *world { t.Helper(); return startFor(t) }

func startFor(t testing.TB) *world {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, st: st, live: &fakeLive{now: map[string]LiveState{}, subs: map[chan string]bool{}, got: make(chan struct{}, 64)}}
	now := func() time.Time { return t0.Add(time.Duration(w.ahead.Load())) }
	w.led = ledger.New(ledger.Config{Now: now})
	w.acc = accounts.New(st, accounts.Options{Now: now})
	inv, err := store.Inventory()
	if err != nil {
		t.Fatal(err)
	}
	party, err := passkeys.New("https://bornes.example.fr")
	if err != nil {
		t.Fatal(err)
	}
	if w.dir, err = directory.New(bytes.Repeat([]byte{4}, 32), now); err != nil {
		t.Fatal(err)
	}
	w.api, err = New(Config{Directory: w.dir, Passkeys: party, Store: st, Accounts: w.acc, Live: w.live, Orders: w, Prints: w, Publisher: w, Sealer: w, Calendars: w, Hooks: w, Revoke: w.revoke, CalendarOf: func(z string) string { return "https://calendar.example/" + z }, Inventory: inv, Now: now,
		Heartbeat: 50 * time.Millisecond, Facts: func(context.Context, func(string) bool) (rgpd.Facts, error) {
			return rgpd.Facts{At: t0, Inventory: inv}, nil
		}, Waiting: retention.Waiting(retention.Tables()), SecurityTxt: func() []byte { return []byte("Contact: mailto:x@example.fr\n") },
		Files: fstest.MapFS{
			"index.html": {Data: []byte("<!doctype html><title>Borne</title>")}, "assets/app-1a2b.js": {Data: []byte("export{}")}, ".gitkeep": {}}})
	if err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(w.api.Handler())
	t.Cleanup(w.Close)
	w.seed()
	for _, id := range []string{"a-1", "b-1"} {
		w.live.set(id, LiveState{Online: true, LastSeen: t0, Status: wire.Status{Phase: "active", Session: "s" + id[:1], Help: &wire.HelpCall{ID: aCall, At: t0, Times: 1}, Prints: []wire.PrintWaiting{{Job: "w1", Impressions: 12, Sheets: 6, Since: t0}}}})
	}
	return w
}

func put[T store.Row](tx store.Tx, m store.Meta, row T) error {
	return store.Put(tx, store.Item[T]{Meta: m, Row: row})
}

// seed makes sites a and b, each with one space and one terminal that has a
// session, a receipt and a command.
func (w *world) seed() {
	w.t.Helper()
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		if err := put(tx, store.Meta{ID: store.SettingController}, store.Setting{Generation: 3, Created: t0}); err != nil {
			return err
		}
		if err := put(tx, store.Meta{ID: "v-global"}, store.PolicyChange{Layer: store.PolicyGlobal, At: t0, By: "x", Before: []byte("{}")}); err != nil {
			return err
		}
		for _, s := range []string{"a", "b"} {
			sp, te := s+"-hall", s+"-1"
			payload, _ := json.Marshal(wire.Receipt{Terminal: te, Kind: wire.ReceiptSession, WipeMS: 420, Attempt: 1, Level: wire.LevelFull,
				Checks: []wire.Check{{Name: wire.CheckProcesses, Before: 9, Result: wire.Clean}}})
			for _, err := range []error{
				put(tx, store.Meta{ID: s, Site: s}, store.Site{Name: "Collège " + s, Type: "college", Commune: "Annecy"}),
				put(tx, store.Meta{ID: sp, Site: s, Scope: sp}, store.Space{Name: "Hall"}),
				put(tx, store.Meta{ID: te, Site: s, Scope: sp}, store.Terminal{Space: sp, Name: "Poste 1", State: store.StateActive, Since: t0}),
				put(tx, store.Meta{ID: store.TimeID(t0, te), Site: s, Scope: te}, store.SessionRow{Session: "s" + s, Terminal: te, Begun: t0, Reason: wire.EndButton}),
				put(tx, store.Meta{ID: "r-" + s, Site: s, Scope: te}, store.ReceiptRow{Terminal: te, Verdict: store.VerdictAccepted, Kind: wire.ReceiptSession,
					Envelope: wire.Envelope{Kid: "k", Domain: wire.DomainReceipt, Payload: payload, Sig: []byte{1}}, At: t0, Segment: 1, Index: 1}),
				put(tx, store.Meta{ID: "j-" + s, Site: s, Scope: te}, store.PrintJob{Job: "job-" + s, Session: "s" + s, Terminal: te, At: t0, Day: "2026-03-02", Outcome: wire.PrintDoubtful,
					Reason: wire.PrintLost, Reserved: 600, Account: "acc0unt", Asked: 6}),
				put(tx, store.Meta{ID: te, Site: s, Scope: te}, store.PrinterRow{Terminal: te, State: wire.PrinterReady, Since: t0, At: t0}),
				put(tx, store.Meta{ID: "h-" + s, Site: s}, store.HoursChange{Layer: s, At: t0, By: "x"}),
				put(tx, store.Meta{ID: "h-" + sp, Site: s, Scope: sp}, store.HoursChange{Layer: sp, At: t0, By: "x"}),
				put(tx, store.Meta{ID: "m-" + s, Site: s, Scope: te}, store.Matter{Key: store.MatterSubject(te) + "/offline/", Code: "offline", Terminal: te, Space: sp, Level: "soon",
					Since: t0, Noticed: t0, Changed: t0}),
				put(tx, store.Meta{ID: "v-" + s, Site: s}, store.PolicyChange{Layer: s, At: t0, By: "x", Before: []byte("{}")}),
				put(tx, store.Meta{ID: "v-" + sp, Site: s, Scope: sp}, store.PolicyChange{Layer: sp, At: t0, By: "x", Before: []byte("{}")}),
				put(tx, store.Meta{ID: "v-" + te, Site: s, Scope: sp}, store.PolicyChange{Layer: te, At: t0, By: "x", Before: []byte("{}")}),
				put(tx, store.Meta{ID: "c-" + s, Site: s, Scope: te}, store.CommandRow{Terminal: te, Kind: wire.CmdEnd, Status: store.CommandDone, Issued: t0}),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// as logs somebody in and returns their cookie.
func (w *world) as(role accounts.Role, sites ...string) string {
	w.t.Helper()
	ctx := context.Background()
	id, err := w.acc.Create(ctx, audit.Controller, accounts.NewUser{Name: "Ada " + string(role), Role: role, Sites: sites, All: len(sites) == 0})
	if err != nil {
		w.t.Fatal(err)
	}
	token, _, err := w.acc.Link(ctx, audit.Controller, id)
	if err != nil {
		w.t.Fatal(err)
	}
	cookie, _, err := w.acc.Redeem(ctx, token, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return cookie
}

// fresh is the default policy as a page sends it: with empty lists.
func fresh() policy.Policy {
	p := policy.Default()
	emptyNotNil(reflect.ValueOf(&p).Elem())
	return p
}

type answered struct {
	*http.Response
	body []byte
}

func (w *world) do(cookie, method, path string, body any, header ...string) answered {
	w.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = bytes.NewReader([]byte(b))
	default:
		j, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, w.URL+path, r)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Origin", w.URL)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "borne", Value: cookie})
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := w.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answered{res, b}
}

func decode[T any](t testing.TB, a answered, status int) T {
	t.Helper()
	var v T
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

// rev reads the revision of a policy layer.
func (w *world) rev(id string) string {
	w.t.Helper()
	var rev uint64
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.PolicyRow](tx, id)
		if err == nil {
			rev = it.Rev
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%q", fmt.Sprint(rev))
}

// Greet counts how often a terminal is welcomed anew.
func (f *fakeLive) Greet(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.greeted = append(f.greeted, id)
}

func (f *fakeLive) Changed(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs {
		ch <- id
	}
}

// revoke does what the fleet does to a terminal's row, without its certificates.
func (w *world) revoke(ctx context.Context, terminal, by string) error {
	return w.st.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, terminal, func(it *store.Item[store.Terminal]) error { it.Row.State = store.StateRevoked; return nil })
	})
}
