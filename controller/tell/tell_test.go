package tell

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"borne/controller/attend"
	"borne/controller/mail"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// world is a store with two sites, and people who want to be told, on a clock that
// the test moves.
type world struct {
	t   *testing.T
	st  store.Store
	now time.Time
	d   Desk
}

func put[T store.Row](tx store.Tx, m store.Meta, row T) error {
	return store.Put(tx, store.Item[T]{Meta: m, Row: row})
}

func start(t *testing.T) *world {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Journal: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, st: st, now: at(2, 10, 0), d: Desk{Console: "https://bornes.example.org", Zone: policy.Location()}}
	w.decide(func(tx store.Tx) error {
		for _, s := range []string{"a", "b"} {
			for _, err := range []error{
				put(tx, store.Meta{ID: s, Site: s}, store.Site{Name: "Collège " + s}),
				put(tx, store.Meta{ID: s + "-hall", Site: s, Scope: s + "-hall"}, store.Space{Name: "Hall"}),
				put(tx, store.Meta{ID: s + "-1", Site: s, Scope: s + "-hall"}, store.Terminal{Space: s + "-hall", Name: "Poste 1", State: store.StateActive}),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return w
}

// at is a time of March 2026, whose 2nd is a Monday.
func at(day, hour, min int) time.Time {
	return time.Date(2026, 3, day, hour, min, 0, 0, policy.Location())
}

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	if err := w.st.Decide(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) user(id, role string, watch store.Watch, sites ...string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		if err := put(tx, store.Meta{ID: id}, store.User{Name: id, Email: id + "@example.org", Role: role, Sites: sites}); err != nil {
			return err
		}
		watch.On = true
		return put(tx, store.Meta{ID: id}, watch)
	})
}

// begin makes a matter at a site's terminal; "" for the Département.
func (w *world) begin(site, code string, level attend.Severity) string {
	w.t.Helper()
	id := fmt.Sprintf("%s-%s-%d", site, code, w.now.Unix())
	m := store.Matter{Key: id, Code: code, Level: string(level), Since: w.now, Noticed: w.now, Changed: w.now, About: "x"}
	if site != "" {
		m.Terminal, m.Space = site+"-1", site+"-hall"
	}
	w.decide(func(tx store.Tx) error { return put(tx, store.Meta{ID: id, Site: site, Scope: m.Terminal}, m) })
	return id
}

func (w *world) change(id string, fn func(*store.Matter)) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, id, func(it *attend.Item) error { fn(&it.Row); it.Row.Changed = w.now; return nil })
	})
}

func (w *world) over(id string) { w.change(id, func(m *store.Matter) { m.Ended = w.now }) }

// until goes on minute by minute, and returns who was told when, of what.
func (w *world) until(to time.Time) string {
	w.t.Helper()
	var all []string
	for ; w.now.Before(to); w.now = w.now.Add(time.Minute) {
		n := 0
		w.decide(func(tx store.Tx) (err error) { n, err = w.d.Round(tx, w.now, true); return err })
		if n == 0 {
			continue
		}
		w.decide(func(tx store.Tx) error {
			for m, err := range store.List[store.Mail](tx, "", "", false) {
				if err != nil {
					return err
				}
				if m.Row.Queued.Equal(w.now) {
					line := w.now.Format("02 15:04 ") + strings.TrimSuffix(m.Row.To, "@example.org")
					for _, part := range []string{"NOUVEAU", "TOUJOURS", "RÉGLÉ\n"} {
						if _, rest, ok := strings.Cut(m.Row.Text, "\n"+part); ok {
							rest, _, _ = strings.Cut(rest, "\nNOUVEAU")
							rest, _, _ = strings.Cut(rest, "\nTOUJOURS")
							rest, _, _ = strings.Cut(rest, "\nRÉGLÉ\n")
							line += fmt.Sprintf(" %s:%d", strings.ToLower(strings.TrimSpace(part))[:1], strings.Count(rest, "\n•"))
						}
					}
					all = append(all, line)
				}
			}
			return nil
		})
	}
	return strings.Join(all, "; ")
}

func (w *world) want(to time.Time, want string) {
	w.t.Helper()
	if got := w.until(to); got != want {
		w.t.Errorf("until %s: %q, want %q", to.Format("02 15:04"), got, want)
	}
}

func soon() store.Watch { return store.Watch{Level: "soon"} }

func TestSeveralMattersAreOneMailAndEachIsToldOnce(t *testing.T) {
	w := start(t)
	w.user("ada", "correspondant", soon(), "a")
	one := w.begin("a", attend.Offline, attend.Soon)
	w.want(at(2, 10, 2), "")
	two := w.begin("a", attend.ReaderLost, attend.Soon)
	w.begin("a", "printer-toner-low", attend.Notice) // less than she wants to hear of
	w.begin("b", attend.Offline, attend.Soon)        // not hers
	w.begin("a", attend.Waiting, attend.Soon)        // on the screen of who is at the desk
	w.want(at(2, 10, 10), "02 10:03 ada n:2")
	three := w.begin("a", attend.Clock, attend.Soon) // soon after: it waits
	w.want(at(2, 12, 0), "02 10:18 ada n:1")
	w.over(one)
	w.want(at(2, 13, 0), "02 12:03 ada r:1")
	w.over(two)
	w.over(three)
	w.want(at(4, 13, 0), "02 13:03 ada r:2") // and nothing more
}

func TestWhatPassesOrIsTakenOnIsNotTold(t *testing.T) {
	w := start(t)
	w.user("ada", "correspondant", soon(), "a")
	id := w.begin("a", attend.Offline, attend.Soon)
	w.want(at(2, 10, 2), "")
	w.over(id)
	other := w.begin("a", attend.Clock, attend.Soon)
	w.change(other, func(m *store.Matter) { m.Taken, m.By = w.now, "bea" })
	w.want(at(2, 17, 0), "")
}

// TestRemindersAreDailyAndNightsAreQuiet: the place is open from 8 to 18 on weekdays.
func TestRemindersAreDailyAndNightsAreQuiet(t *testing.T) {
	w := start(t)
	w.user("ada", "correspondant", soon(), "a")
	w.now = at(2, 19, 30) // closed
	id := w.begin("a", attend.Offline, attend.Soon)
	w.want(at(3, 8, 0), "")
	w.want(at(4, 18, 0), "03 08:00 ada n:1; 04 08:00 ada t:1")
	w.now = at(6, 17, 0) // Friday
	w.want(at(9, 12, 0), "06 17:00 ada t:1; 09 08:00 ada t:1")
	w.change(id, func(m *store.Matter) { m.Level = string(attend.Urgent) }) // it became worse
	w.want(at(9, 13, 0), "09 12:03 ada n:1")
	w.now = at(9, 20, 0)
	w.over(id)
	w.want(at(10, 9, 0), "10 08:00 ada r:1")
}

func TestUrgentAtNightAndTheDepartment(t *testing.T) {
	w := start(t)
	w.user("night", "administrator", store.Watch{Level: "urgent", Night: true})
	w.user("day", "administrator", store.Watch{Level: "notice", Sites: []string{"b"}})
	w.user("all", "administrator", store.Watch{Level: "notice"})
	w.user("dpo", "dpo", store.Watch{Level: "notice"})
	w.now = at(7, 23, 0) // Saturday
	w.begin("a", attend.WipeFailed, attend.Urgent)
	w.begin("", attend.Calendar, attend.Notice)
	w.want(at(9, 8, 30), "07 23:03 night n:1; 08 23:03 night t:1; 09 07:00 all n:1; 09 08:00 all n:1")
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "all", func(u *store.Item[store.User]) error { u.Row.Disabled = true; return nil })
	})
	w.want(at(9, 23, 0), "")
}

// TestWhatComesAndGoesFloodsNobody turns a matter on and off for a day.
func TestWhatComesAndGoesFloodsNobody(t *testing.T) {
	w := start(t)
	w.user("ada", "correspondant", store.Watch{Level: "notice", Night: true}, "a")
	id := w.begin("a", attend.Offline, attend.Urgent)
	n := 0
	for w.now.Before(at(3, 9, 0)) {
		n += strings.Count(w.until(w.now.Add(10*time.Minute)), "ada")
		w.over(id)
		n += strings.Count(w.until(w.now.Add(10*time.Minute)), "ada")
		w.change(id, func(m *store.Matter) { m.Ended = time.Time{} })
	}
	if n != 2 { // that it is so, and that it was over
		t.Errorf("%d mails", n)
	}
}

func TestAtWork(t *testing.T) {
	for when, want := range map[time.Time]bool{at(2, 7, 0): true, at(2, 6, 59): false, at(2, 18, 59): true, at(2, 19, 0): false, at(7, 12, 0): false, at(8, 12, 0): false,
		time.Date(2026, 7, 14, 12, 0, 0, 0, policy.Location()): false} {
		if got := AtWork(when); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
}

func TestPurge(t *testing.T) {
	w := start(t)
	w.user("ada", "correspondant", soon(), "a")
	id := w.begin("a", attend.Offline, attend.Soon)
	w.until(at(2, 10, 5))
	run := func() (n int) {
		w.decide(func(tx store.Tx) (err error) { n, err = Purge(tx, time.Time{}, w.now); return err })
		return n
	}
	w.now = at(30, 10, 0)
	if run() != 0 {
		t.Error("who was told of what goes on is forgotten: it would be told again")
	}
	w.over(id)
	if w.now = w.now.Add(keepTold + time.Minute); run() != 1 {
		t.Error("it is kept for ever")
	}
	w.decide(func(tx store.Tx) error {
		if n, err := Forget(tx, time.Time{}, w.now); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if err := tx.Delete(store.KindUser, "ada"); err != nil {
			return err
		}
		if n, err := Forget(tx, time.Time{}, w.now); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return nil
	})
}

// post is a mail server that hands on what it gets.
type post struct{ got chan string }

func (p post) NewSession(*smtp.Conn) (smtp.Session, error) { return letter{p}, nil }

type letter struct{ p post }

func (letter) Mail(string, *smtp.MailOptions) error { return nil }
func (letter) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (l letter) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	l.p.got <- string(b)
	return err
}
func (letter) Reset()        {}
func (letter) Logout() error { return nil }

// TestALetterArrives goes through a real mail server: what is read is what somebody
// needs, and a name cannot write a header.
func TestALetterArrives(t *testing.T) {
	w := start(t)
	w.user("ada", "correspondant", soon(), "a")
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error { it.Row.Name = "Poste\r\nBcc: x@example.org"; return nil })
	})
	w.begin("a", attend.WipeFailed, attend.Urgent)
	w.until(at(2, 10, 5))
	p := post{make(chan string, 1)}
	srv := smtp.NewServer(p)
	srv.Domain, srv.AllowInsecureAuth = "localhost", true
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(ln) }()
	defer func() { srv.Close(); <-served }()
	s := &mail.Sender{Store: w.st, Server: mail.Server{Address: ln.Addr().String(), From: "bornes@example.org", TLS: mail.Plain}, Now: func() time.Time { return w.now },
		Log: slog.New(slog.DiscardHandler), Look: 5 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	sent := make(chan struct{})
	go func() { defer close(sent); s.Run(ctx) }()
	defer func() { stop(); <-sent }()
	m, err := netmail.ReadMessage(bytes.NewReader([]byte(<-p.got)))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || m.Header.Get("Bcc") != "" || m.Header.Get("To") != "<ada@example.org>" || !strings.HasPrefix(subject, "Collège a, Hall, Poste Bcc: x@example.org : L’effacement") {
		t.Errorf("%q, %v, %v", subject, m.Header, err)
	}
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	for _, s := range []string{"NOUVEAU", "• Collège a, Hall, Poste", "L’effacement n’a pas réussi", "Depuis le 02/03 à 10:00. Urgent.", "À faire : Redémarrez le poste", "https://bornes.example.org/#/attend"} {
		if !strings.Contains(string(b), s) {
			t.Errorf("it lacks %q (%v):\n%s", s, err, b)
		}
	}
}
