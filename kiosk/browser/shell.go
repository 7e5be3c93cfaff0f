package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/zserge/lorca"
)

// ShellConfig is what the shell's browser needs.
type ShellConfig struct {
	Pipe    *Pipe         // of a browser just started with ShellFlags
	URL     string        // the shell's page, http://127.0.0.1:port/…
	Cookie  string        // name of the cookie that carries Token
	Token   string        // single use; it reaches the page through the pipe only
	Standin string        // the executable that answers to IsStandin; empty: this one
	Beat    time.Duration // how often a frozen page is looked for; 0: every 2 s
	Log     *slog.Logger
}

// lorcaLock guards lorca.ChromeExecutable, which is lorca's own package
// variable: it names the stand-in only while one lorca.New runs.
var lorcaLock sync.Mutex

// Shell is the shell's window. lorca drives it, lent one pipe of a browser
// that the warden started.
type Shell struct {
	p       *Pipe
	ui      lorca.UI
	relay   *relay
	session string // our own CDP session beside lorca's
	target  string
	gone    chan error
	stop    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
	log     *slog.Logger
}

// OpenShell hands the token over, opens the page and waits until it is loaded.
// The pipe is the shell's from then on, also after an error.
func OpenShell(ctx context.Context, cfg ShellConfig) (*Shell, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Beat == 0 {
		cfg.Beat = 2 * time.Second
	}
	s := &Shell{p: cfg.Pipe, gone: make(chan error, 1), stop: make(chan struct{}), log: cfg.Log}
	sub := cfg.Pipe.Subscribe("Target.targetCrashed", "Target.targetDestroyed", "Target.detachedFromTarget", "Inspector.targetCrashed")
	err := s.handOver(ctx, cfg)
	if err == nil {
		err = s.attach(ctx, cfg.URL)
	}
	for try := 0; err == nil; try++ {
		// A window that was just opened may change its page under lorca's
		// first calls.
		borrowed := s.borrow(ctx, cfg)
		if borrowed == nil {
			break
		}
		if s.relay != nil {
			s.relay.close()
		}
		if try == 4 || ctx.Err() != nil || cfg.Pipe.Err() != nil {
			err = borrowed
		} else {
			// lorca waits for targets to be told anew.
			err = s.p.Call(ctx, "", "Target.setDiscoverTargets", map[string]any{"discover": false}, nil)
		}
	}
	if err == nil {
		err = s.load(ctx, cfg.URL)
	}
	if err != nil {
		sub.Close()
		s.Close()
		return nil, err
	}
	s.wg.Add(2)
	go s.watch(sub)
	go s.beat(cfg.Beat)
	return s, nil
}

const ready = `new Promise((resolve) => {
  if (document.readyState === 'complete') resolve(true);
  else addEventListener('load', () => resolve(true));
})`

// attach finds the browser's one window on the shell's origin, and waits for
// its first page. A browser that was started on about:blank, which its policy
// lets nobody drive, gets a page there first.
func (s *Shell) attach(ctx context.Context, address string) error {
	asked := false
	for {
		tabs, err := s.tabs(ctx)
		if err != nil {
			return err
		}
		for _, t := range tabs {
			var a struct {
				SessionID string `json:"sessionId"`
			}
			// Refused until its first page is there.
			if t.URL == innerPage || s.p.Call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": t.ID, "flatten": true}, &a) != nil {
				continue
			}
			s.session, s.target = a.SessionID, t.ID
			if err := s.alone(ctx); err != nil {
				return err
			}
			return evaluate(ctx, s.p, s.session, map[string]any{"awaitPromise": true, "expression": ready}, nil)
		}
		if len(tabs) > 0 && tabs[0].URL == innerPage && !asked {
			asked = true
			if err := s.p.Call(ctx, "", "Target.createTarget", map[string]any{"url": address}, nil); err != nil {
				return fmt.Errorf("cannot open the shell's page: %w", err)
			}
		}
		if err := s.pause(ctx); err != nil {
			return fmt.Errorf("cannot find the shell's window: %w", err)
		}
	}
}

func (s *Shell) tabs(ctx context.Context) ([]target, error) {
	var v struct {
		TargetInfos []target `json:"targetInfos"`
	}
	if err := s.p.Call(ctx, "", "Target.getTargets", nil, &v); err != nil {
		return nil, fmt.Errorf("cannot find the shell's window: %w", err)
	}
	return slices.DeleteFunc(v.TargetInfos, func(t target) bool { return !t.isTab() }), nil
}

// alone closes every other tab: lorca takes the first that it is told of.
func (s *Shell) alone(ctx context.Context) error {
	for {
		tabs, err := s.tabs(ctx)
		if err != nil || len(tabs) == 1 {
			return err
		}
		for _, t := range tabs {
			if t.ID != s.target {
				s.p.Call(ctx, "", "Target.closeTarget", map[string]any{"targetId": t.ID}, nil)
			}
		}
		if err := s.pause(ctx); err != nil {
			return fmt.Errorf("cannot close the shell's other tabs: %w", err)
		}
	}
}

// pause lets the browser go on for a moment.
func (s *Shell) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.p.Done():
		return s.p.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// handOver sets the token as a cookie before the page is asked for.
func (s *Shell) handOver(ctx context.Context, cfg ShellConfig) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" {
		return errors.New("cannot open the shell's page: its address is not http://127.0.0.1:port")
	}
	// Of the browser, not of the page: it must be there before a page is.
	err = s.p.Call(ctx, "", "Storage.setCookies", map[string]any{"cookies": []map[string]any{{"name": cfg.Cookie, "value": cfg.Token,
		"url": u.Scheme + "://" + u.Host + "/", "path": "/", "httpOnly": true, "sameSite": "Strict"}}}, nil)
	if err != nil {
		return fmt.Errorf("cannot hand the shell its token: %w", err)
	}
	return nil
}

// borrow starts lorca on the relay.
func (s *Shell) borrow(ctx context.Context, cfg ShellConfig) error {
	exe := cfg.Standin
	if exe == "" {
		// By its own link and not by its path: this account may have no way to the
		// binary's folder (a clone below /root, say), though it runs it.
		exe = "/proc/self/exe"
	}
	r, err := newRelay(s.p, s.target)
	if err != nil {
		return err
	}
	s.relay = r
	st, err := newStandin(exe)
	if err != nil {
		return err
	}
	s.wg.Add(1)
	go func() { defer s.wg.Done(); st.serve(r.address(), r.done) }()
	type made struct {
		ui  lorca.UI
		err error
	}
	ready := make(chan made, 1)
	go func() {
		lorcaLock.Lock()
		was := lorca.ChromeExecutable
		lorca.ChromeExecutable = st.path
		// The folder stays empty: nothing but the stand-in is ever told of it.
		ui, err := lorca.New("about:blank", st.dir, 1, 1)
		lorca.ChromeExecutable = was
		lorcaLock.Unlock()
		ready <- made{ui, err}
	}()
	limit := time.NewTimer(joinDeadline)
	defer limit.Stop()
	select {
	case m := <-ready:
		if m.err != nil {
			return fmt.Errorf("cannot drive the shell: %w", m.err)
		}
		s.ui = m.ui
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot drive the shell: %w", ctx.Err())
	case <-limit.C:
		return errors.New("cannot drive the shell: its stand-in did not connect in time")
	case <-s.p.Done():
		return s.p.Err()
	}
}

// load opens the page and waits until it is there.
func (s *Shell) load(ctx context.Context, address string) error {
	u, _ := url.Parse(address)
	origin, _ := json.Marshal(u.Scheme + "://" + u.Host)
	if err := s.within(ctx, func() error { return s.ui.Load(address) }); err != nil {
		return fmt.Errorf("cannot open the shell's page: %w", err)
	}
	for {
		var status int
		err := s.Eval(ctx, "location.origin === "+string(origin)+" && document.readyState === 'complete' ? performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0 : -1", &status)
		switch {
		case err != nil || status < 0:
		case status == http.StatusOK:
			return nil
		default:
			// A person would stand before an error: the browser is started again.
			return fmt.Errorf("cannot open the shell's page: it answered %d", status)
		}
		if err := s.pause(ctx); err != nil {
			return fmt.Errorf("cannot open the shell's page: it did not load: %w", err)
		}
	}
}

// Eval evaluates js in the shell's page and decodes its value into out, which
// may be nil. It ends by ctx, and after ten seconds at most.
func (s *Shell) Eval(ctx context.Context, js string, out any) error {
	return s.within(ctx, func() error {
		v := s.ui.Eval(js)
		if err := v.Err(); err != nil {
			return fmt.Errorf("cannot evaluate in the shell's page: %w", err)
		}
		if out == nil {
			return nil
		}
		return v.To(out)
	})
}

// painted resolves once the page shows a screen and has drawn it, or after a
// second: a promise must not stay in the page for ever.
const painted = `((screen, end) => new Promise((resolve) => {
  const look = () => {
    if (document.body.dataset.screen === screen) requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)));
    else if (performance.now() > end) resolve(false);
    else setTimeout(look, 5);
  };
  look();
}))`

// Painted waits until the page has painted the screen of that name.
func (s *Shell) Painted(ctx context.Context, screen string) error {
	name, _ := json.Marshal(screen)
	var ok bool
	if err := s.Eval(ctx, painted+"("+string(name)+", performance.now() + 1000)", &ok); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("cannot see the shell's page on %q: it shows something else", screen)
	}
	return nil
}

// within runs one of lorca's calls, none of which has a deadline: a renderer
// that crashed or froze never answers.
func (s *Shell) within(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("cannot wait longer for the shell's page: %w", ctx.Err())
	case <-s.relay.done: // which answers lorca's call: its goroutine ends
		return ErrClosed
	}
}

// watch ends the shell when its page or its process does.
func (s *Shell) watch(sub *Subscription) {
	defer s.wg.Done()
	defer sub.Close()
	for {
		select {
		case e, open := <-sub.C:
			if !open {
				s.lose(sub.Err())
				return
			}
			if s.ours(e) {
				s.lose(fmt.Errorf("its page is gone (%s)", e.Method))
				return
			}
		case <-s.relay.done:
			s.lose(errors.New("lorca let go of it"))
			return
		case <-s.stop:
			return
		}
	}
}

func (s *Shell) ours(e Event) bool {
	var v struct {
		TargetID  string `json:"targetId"`
		SessionID string `json:"sessionId"`
	}
	json.Unmarshal(e.Params, &v)
	return e.Session == s.session && e.Method == "Inspector.targetCrashed" || v.TargetID == s.target || v.SessionID == s.session
}

// beat looks for a page that is frozen though its process lives.
func (s *Shell) beat(every time.Duration) {
	defer s.wg.Done()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			ctx, cancel := context.WithTimeout(context.Background(), max(every, 5*time.Second))
			err := s.Eval(ctx, "1", nil)
			cancel()
			if err != nil {
				s.lose(fmt.Errorf("its page does not answer: %w", err))
				return
			}
		}
	}
}

// lose tells the owner, once, and lets go of everything: the browser exits.
func (s *Shell) lose(err error) {
	s.once.Do(func() {
		s.log.Warn("shell lost", "error", err)
		s.gone <- fmt.Errorf("cannot show the shell: %w; start it again", err)
		close(s.gone)
		s.let()
	})
}

// let frees the pipe, the relay and with it the stand-in.
func (s *Shell) let() {
	close(s.stop)
	if s.relay != nil {
		s.relay.close()
	}
	s.p.Close()
}

// Gone yields why the shell is lost, once; the owner then starts another. It
// is closed without a value by Close.
func (s *Shell) Gone() <-chan error { return s.gone }

// Close ends the shell and its browser, and waits for what it started.
func (s *Shell) Close() error {
	s.once.Do(func() {
		close(s.gone)
		s.let()
	})
	s.wg.Wait()
	if s.ui != nil {
		<-s.ui.Done() // the stand-in, which follows its socket
	}
	return nil
}
