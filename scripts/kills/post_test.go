package kills

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/scripts/internet"
	"borne/scripts/stand"
)

const (
	terminal = "demo-blanchard-hall-1"
	space    = "demo-blanchard-hall"
	uidBase  = 62000
	uidLast  = uidBase + 89
	seed     = 20
)

// post is one terminal with its controller, and the people around it.
type post struct {
	t       testing.TB
	ctx     context.Context
	log     *stand.Logbook
	stand   *stand.Stand
	http    *http.Client // of the bench
	console *stand.Console
	dir     string
	dice    *rand.Rand
	ledger  ledger
	sent    chan struct{} // an upload began
	answer  error         // of the bench, to the last gesture
}

// newPost starts everything, with a web of the test's own if page makes one: it
// is told when a session was there.
func newPost(t testing.TB, limit time.Duration, page func(sent chan<- struct{}) http.HandlerFunc, changes ...func(*stand.Options)) *post {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a terminal's sandboxes need root")
	}
	bin := os.Getenv("BORNE_BIN")
	if bin == "" {
		var err error
		if bin, err = filepath.Abs("../../bin"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"borne-kiosk", "borne-controller"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Fatalf("%v: run make build first", err)
		}
	}
	tiles := []map[string]string{{"name": "Démarche", "url": "https://www.demarche.test/", "hint": "Un envoi", "icon": "paper"}}
	roots, resolver, sent := []string{}, "", make(chan struct{}, 1)
	if page != nil {
		wait, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // other tests may have one up
		defer cancel()
		web, err := internet.Number(2).Up(wait, "demarche.test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(web.Down)
		ca, cert, err := internet.Certificate("demarche.test", "*.demarche.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := web.ServeTLS(443, cert, page(sent)); err != nil {
			t.Fatal(err)
		}
		roots, resolver = append(roots, string(ca)), web.Resolver
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	dir, err := os.MkdirTemp("/var/tmp", "borne-kills-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &post{t: t, ctx: ctx, log: stand.NewLogbook(), dir: dir, dice: rand.New(rand.NewPCG(seed, 0)),
		http: &http.Client{Timeout: 10 * time.Second}, ledger: ledger{digests: map[string][]byte{}}, sent: sent}
	t.Cleanup(func() { p.nothingLeft() }) // after Down
	opt := stand.Options{Dir: dir, Bin: bin, Resolver: resolver, Display: "xvfb", UIDBase: uidBase, Net: "10.213.62.0/24", Log: p.kept()}
	for _, change := range changes {
		change(&opt)
	}
	p.stand, err = stand.Up(ctx, opt)
	t.Cleanup(p.stand.Down)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log.Tail(40))
	}
	p.login()
	p.come(stand.Mark{}, 60*time.Second, "welcome")
	p.policy(func(pol map[string]any) {
		section(pol, "network")["ca"] = roots
		section(pol, "access")["anyBadge"] = true
		section(pol, "session")["thanksSeconds"] = 3
		section(pol, "portal")["tiles"] = tiles
	}, "network", "access", "session", "portal")
	return p
}

// kept is the log, also in the file that KILLS_LOG names.
func (p *post) kept() io.Writer {
	name := os.Getenv("KILLS_LOG")
	if name == "" {
		return p.log
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { f.Close() })
	return io.MultiWriter(p.log, f)
}

// upload serves a page that sends a document to an address that never answers.
func upload(sent chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.Copy(io.Discard, io.LimitReader(r.Body, 8<<20))
			select {
			case sent <- struct{}{}:
			default:
			}
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="fr"><title>Envoi</title><h1>Votre document part…</h1>
<script>fetch("/envoi", {method: "POST", body: "x".repeat(1 << 20)})</script>`)
	}
}

func section(p map[string]any, name string) map[string]any { return p[name].(map[string]any) }

// come waits until the terminal is in a phase.
func (p *post) come(from stand.Mark, within time.Duration, names ...string) {
	p.t.Helper()
	if _, ok := p.log.Phase(from, within, names...); !ok {
		p.t.Fatalf("the terminal did not come to %v; its log ends:\n%s", names, p.log.Tail(40))
	}
}

// reach repeats a gesture until a phase is there: a page that is just being
// painted may miss a press, as it would miss a person's.
func (p *post) reach(gesture func(), names ...string) {
	p.t.Helper()
	from := p.log.Mark()
	for range 90 {
		gesture()
		if _, ok := p.log.Phase(from, 700*time.Millisecond, names...); ok {
			return
		}
	}
	p.t.Fatalf("no gesture led to %v (last answer of the bench: %v; picture: %s); the log ends:\n%s", names, p.answer, p.picture(), p.log.Tail(40))
}

func (p *post) bench(path string, gesture map[string]any) error {
	return p.stand.Gesture(p.ctx, path, gesture)
}

// picture keeps what the terminal shows, for whoever looks into a failure.
func (p *post) picture() string {
	r, err := p.http.Get(p.stand.BenchURL + "/sim/screen.png")
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	f, err := os.CreateTemp("", "borne-kills-*.png")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := io.Copy(f, r.Body); err != nil {
		return err.Error()
	}
	return f.Name()
}

func (p *post) key(k string) func() {
	return func() { p.answer = p.stand.Key(p.ctx, k) }
}

func (p *post) end() { p.answer = p.stand.End(p.ctx) }

func (p *post) tap() {
	p.answer = p.bench("/sim/do", map[string]any{"action": "tap", "uids": []string{"04a1b2c3"}, "ms": 400})
}

// ask calls the console's API; an error may be a controller that was killed.
func (p *post) ask(method, path string, body, out any, header ...string) error {
	return p.console.Call(p.ctx, method, path, body, out, header...)
}

func (p *post) api(method, path string, body, out any, header ...string) {
	p.t.Helper()
	if err := p.ask(method, path, body, out, header...); err != nil {
		p.t.Fatalf("%v\n%s", err, p.log.Tail(20))
	}
}

func (p *post) login() {
	p.t.Helper()
	var err error
	if p.console, err = p.stand.Login(p.ctx); err != nil {
		p.t.Fatal(err)
	}
}

func (p *post) command(kind string) {
	p.t.Helper()
	p.api("POST", "/api/terminals/"+terminal+"/commands", map[string]string{"kind": kind, "text": "Bonjour"}, nil)
}

// policy changes the space's rules, and waits until the terminal obeys.
func (p *post) policy(change func(map[string]any), sections ...string) {
	p.t.Helper()
	if err := p.console.ChangePolicy(p.ctx, space, change, sections...); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("the terminal obeys the policy", 30*time.Second, func() error {
		var d struct{ PolicyWanted, PolicyApplied uint64 }
		if err := p.ask("GET", "/api/terminals/"+terminal, nil, &d); err != nil {
			return err
		}
		if d.PolicyWanted != d.PolicyApplied {
			return fmt.Errorf("it has version %d, wanted %d", d.PolicyApplied, d.PolicyWanted)
		}
		return nil
	})
}

// eventually asks until it is so, or fails with the last reason why not.
func (p *post) eventually(what string, within time.Duration, so func() error) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.After(within)
	for {
		err := so()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			p.t.Fatalf("not so within %s: %s: %v\n%s", within, what, err, p.log.Tail(40))
		}
	}
}
