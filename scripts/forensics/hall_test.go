package forensics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"borne/scripts/internet"
	"borne/scripts/scan"
	"borne/scripts/stand"

	"golang.org/x/sys/unix"
)

const (
	terminal = "demo-blanchard-hall-1"
	space    = "demo-blanchard-hall"
	uidBase  = 68000
	uidLast  = uidBase + 89
)

// hall is one terminal with its controller, each with its state in a file system
// of its own whose image is searched raw, and what is known of what was planted.
type hall struct {
	t       *testing.T
	ctx     context.Context
	log     *stand.Logbook
	stand   *stand.Stand
	console *stand.Console
	web     *web
	net     *internet.Net
	dir     string
	images  map[string]string // by the part of dir that lies in it
	swaps   string            // a text as /proc/swaps
	dice    *rand.Rand
	began   time.Time

	canaries canaries
	finder   *scan.Finder
	shaders  *bool  // whether the session's browser compiles any
	last     string // receipt
	given    limits // by the policy
}

func newHall(t *testing.T, limit time.Duration, seed uint64) *hall {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"borne-kiosk", "borne-controller"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Fatalf("%v: run make build first", err)
		}
	}
	h := &hall{t: t, log: stand.NewLogbook(), web: newWeb(), swaps: "/proc/swaps", dice: rand.New(rand.NewPCG(seed, 0)), canaries: newCanaries(), began: time.Now(), given: usual}
	h.finder = scan.New(h.canaries.marker)
	wait, stop := context.WithTimeout(context.Background(), 10*time.Minute) // other tests may have a network up
	defer stop()
	h.net, err = internet.Number(4).Up(wait, "demarche.test", "autre.test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.net.Down)
	ca, cert, err := internet.Certificate("demarche.test", "*.demarche.test", "*.autre.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.net.ServeTLS(443, cert, h.web); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	h.ctx = ctx
	h.mount()
	f, err := os.OpenFile(h.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	h.stand, err = stand.Up(ctx, stand.Options{Dir: h.dir, Bin: bin, Resolver: h.net.Resolver, Display: "xvfb", UIDBase: uidBase,
		Net: "10.213.68.0/24", Log: io.MultiWriter(h.log, f)})
	t.Cleanup(h.stand.Down)
	if err != nil {
		t.Fatalf("%v\n%s", err, h.log.Tail(40))
	}
	if h.console, err = h.stand.Login(ctx); err != nil {
		t.Fatal(err)
	}
	h.come(stand.Mark{}, time.Minute, "welcome")
	h.policy(func(p map[string]any) {
		section(p, "network")["ca"] = []string{string(ca)}
		section(p, "access")["anyBadge"] = true
		s := section(p, "session")
		s["minutes"], s["idleSeconds"] = h.given.minutes, h.given.idle
		s["minMinutes"], s["extendMinutes"], s["warnMinutes"] = 1, 0, []int{}
		s["graceSeconds"], s["thanksSeconds"] = 10, 3
		section(p, "portal")["tiles"] = []map[string]string{{"name": "Démarche", "url": "https://www.demarche.test/", "hint": "Un essai", "icon": "paper"}}
	}, "network", "access", "session", "portal")
	return h
}

// mount gives the controller and the terminal small file systems of their own:
// they can be filled, and their images searched, deleted blocks and all.
func (h *hall) mount() {
	h.t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "borne-forensics-")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the terminal's roles pass through it
		h.t.Fatal(err)
	}
	h.dir, h.images = filepath.Join(dir, "stand"), map[string]string{}
	for _, fs := range []struct {
		part, image string
		mb          int64
	}{{"", "image-controller", 192}, {"terminal", "image-terminal", 48}} {
		at, image := h.path(fs.part), filepath.Join(dir, fs.image)
		if err := os.MkdirAll(at, 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := attach(image, at, fs.mb); err != nil {
			h.t.Logf("SKIP: deleted blocks of %s: %v", fs.image, err)
			if err := run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=755,size=%dm", fs.mb), "tmpfs", at); err != nil {
				h.t.Fatal(err)
			}
			image = ""
		}
		h.t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
		h.images[fs.part] = image
	}
	if err := os.Mkdir(h.path("run"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", h.path("run")); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { unix.Unmount(h.path("run"), unix.MNT_DETACH) })
}

// attach makes a file system in an image, and mounts it.
func attach(image, at string, mb int64) error {
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(mb<<20), f.Close())
	}
	if err != nil {
		return err
	}
	if err = run("mkfs.ext4", "-q", "-m", "0", "-b", "4096", image); err == nil {
		err = run("mount", "-o", "loop", image, at)
	}
	return err
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot prepare the state's file systems: %s: %w: %s", name, err, out)
	}
	return nil
}

func section(p map[string]any, name string) map[string]any { return p[name].(map[string]any) }

// policy changes the space's rules, and waits until the terminal obeys.
func (h *hall) policy(change func(map[string]any), sections ...string) {
	h.t.Helper()
	if err := h.console.ChangePolicy(h.ctx, space, change, sections...); err != nil {
		h.t.Fatal(err)
	}
	if err := h.until(30*time.Second, func() error {
		var d struct{ PolicyWanted, PolicyApplied uint64 }
		err := h.console.Call(h.ctx, "GET", "/api/terminals/"+terminal, nil, &d)
		if err == nil && d.PolicyWanted != d.PolicyApplied {
			err = fmt.Errorf("the terminal has version %d, not %d", d.PolicyApplied, d.PolicyWanted)
		}
		return err
	}); err != nil {
		h.t.Fatalf("%v\n%s", err, h.log.Tail(20))
	}
}

// limits are what ends a session without anybody's doing.
type limits struct{ minutes, idle int }

// usual are so long that none is met while a session is planted and searched,
// however busy the machine is: only the ends that are named after one have it short.
var usual = limits{minutes: 30, idle: 900}

// give puts limits into force.
func (h *hall) give(l limits) {
	h.t.Helper()
	if h.given == l {
		return
	}
	h.given = l
	h.policy(func(p map[string]any) {
		s := section(p, "session")
		s["minutes"], s["idleSeconds"] = l.minutes, l.idle
	}, "session")
}

// come waits until the terminal is in a phase.
func (h *hall) come(from stand.Mark, within time.Duration, names ...string) {
	h.t.Helper()
	if _, ok := h.log.Phase(from, within, names...); !ok {
		h.t.Fatalf("the terminal did not come to %v; its log ends:\n%s", names, h.log.Tail(40))
	}
}

// reach repeats a gesture until a phase is there: a page that is just being
// painted may miss a press, as it would miss a person's.
func (h *hall) reach(gesture func() error, names ...string) {
	h.t.Helper()
	from := h.log.Mark()
	var last error
	for range 90 {
		last = gesture()
		if _, ok := h.log.Phase(from, 700*time.Millisecond, names...); ok {
			return
		}
	}
	h.t.Fatalf("no gesture led to %v (the bench: %v); the log ends:\n%s", names, last, h.log.Tail(40))
}

func (h *hall) enter() error { return h.stand.Key(h.ctx, "Return") }

// work opens a session.
func (h *hall) work() {
	h.t.Helper()
	h.reach(h.enter, "charter")
	from := h.log.Mark()
	h.reach(h.enter, "opening")
	h.come(from, time.Minute, "active")
}

// receipt is what the controller holds of a session's end.
type receipt struct {
	ID, Kind, Session, Verdict, Level, Reason, Detail string
	Segment, Index                                    uint64
}

// receipt waits for the next accepted receipt of a session, and tells by which
// reason that ended.
func (h *hall) receipt(within time.Duration) (r receipt, reason string, err error) {
	err = h.until(within, func() error {
		var list struct{ Receipts []receipt }
		if err := h.console.Call(h.ctx, "GET", "/api/terminals/"+terminal+"/receipts?limit=5", nil, &list); err != nil {
			return err
		}
		i := slices.IndexFunc(list.Receipts, func(r receipt) bool { return r.Kind == "session" })
		if i < 0 || list.Receipts[i].ID == h.last {
			return errors.New("no new receipt reached the controller")
		}
		r = list.Receipts[i]
		var rows struct {
			Sessions []struct{ ID, Receipt, Reason string }
		}
		if err := h.console.Call(h.ctx, "GET", "/api/terminals/"+terminal+"/sessions?limit=5", nil, &rows); err != nil {
			return err
		}
		for _, s := range rows.Sessions {
			if s.ID == r.Session && s.Receipt == r.ID {
				reason = s.Reason
				return nil
			}
		}
		return errors.New("the receipt's session is not known")
	})
	if err == nil && r.Verdict != "accepted" {
		err = fmt.Errorf("the receipt is %s: %s %s", r.Verdict, r.Reason, r.Detail)
	}
	h.last = r.ID
	return r, reason, err
}

// missing names the properties that a receipt's isolation did not hold.
func (h *hall) missing(r receipt) (names []string) {
	var one struct {
		Props []struct {
			Name string
			Held bool
		}
	}
	if err := h.console.Call(h.ctx, "GET", "/api/receipts/"+r.ID, nil, &one); err != nil {
		return []string{err.Error()}
	}
	for _, p := range one.Props {
		if !p.Held {
			names = append(names, p.Name)
		}
	}
	return names
}
