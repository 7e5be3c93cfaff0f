package browser

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
)

// Origins that exist in no DNS: the session's pipe answers them, and nothing
// else, so that the portal needs neither a file: URL nor a server, and is
// there before the session's network is up.
const (
	PortalOrigin = "https://portail.borne.invalid"
	PortalURL    = PortalOrigin + "/"
	CanaryOrigin = "https://canari.borne.invalid"
)

// maxTabs bounds what is kept about a session's pages and frames.
const maxTabs = 256

// SessionConfig is what a session's browser needs.
type SessionConfig struct {
	Portal []byte // the portal's HTML; see PortalPage
	Log    *slog.Logger
}

// Session drives a session's browser. It keeps at least one tab open, answers
// the portal's address, and knows what is being uploaded. It keeps no address,
// title or text of any page.
type Session struct {
	p    *Pipe
	log  *slog.Logger
	html []byte
	sub  *Subscription
	gone chan error
	ctx  context.Context // ends with the session; for calls that events cause
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	tabs     map[string]*tab // by target
	planting bool            // the canary origin answers only while a canary is planted or sought
}

// tab is one page or frame.
type tab struct {
	target    string
	session   string // CDP session; empty while it has none
	attaching bool
	page      bool // a tab of its own; otherwise a frame inside one
	at        ownedURL
	uploads   map[string]struct{}
}

// NewSession takes over the pipe of a browser that was just started on
// about:blank, and sends its first tab to the portal.
func NewSession(ctx context.Context, p *Pipe, cfg SessionConfig) (*Session, error) {
	s := &Session{p: p, log: cfg.Log, html: cfg.Portal, gone: make(chan error, 1), tabs: map[string]*tab{},
		sub: p.Subscribe("Fetch.requestPaused", "Target.targetCreated", "Target.targetInfoChanged", "Target.targetDestroyed", "Target.detachedFromTarget",
			"Network.requestWillBeSent", "Network.responseReceived", "Network.loadingFinished", "Network.loadingFailed")}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.wg.Add(1)
	go s.run()
	if err := s.begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.wg.Add(1)
	go s.keepWindows()
	return s, nil
}

func (s *Session) begin(ctx context.Context) error {
	patterns := []map[string]string{{"urlPattern": PortalOrigin + "/*"}, {"urlPattern": CanaryOrigin + "/*"}}
	if err := s.p.Call(ctx, "", "Fetch.enable", map[string]any{"patterns": patterns}, nil); err != nil {
		return fmt.Errorf("cannot offer the portal to the session: %w", err)
	}
	if err := s.p.Call(ctx, "", "Target.setDiscoverTargets", map[string]any{"discover": true}, nil); err != nil {
		return fmt.Errorf("cannot follow the session's tabs: %w", err)
	}
	before, err := s.targets(ctx)
	if err != nil {
		return err
	}
	// The policy lets nobody drive about:blank, not even to leave it.
	if err := s.open(ctx); err != nil {
		return err
	}
	for _, t := range before {
		if t.isTab() {
			s.p.Call(ctx, "", "Target.closeTarget", map[string]any{"targetId": t.ID}, nil)
		}
	}
	return nil
}

// Gone yields why the browser is lost, once: its process ended, its pipe broke
// or nobody can follow it any more.
func (s *Session) Gone() <-chan error { return s.gone }

// Close stops driving and closes the pipe, at which Chromium exits.
func (s *Session) Close() error {
	s.stop()
	s.p.Close()
	s.wg.Wait()
	return nil
}

// Tabs is how many tabs are open.
func (s *Session) Tabs() int { return len(s.pages()) }

// Uploading tells how many requests with a body are under way.
func (s *Session) Uploading() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.tabs {
		n += len(t.uploads)
	}
	return n
}

func (s *Session) run() {
	defer s.wg.Done()
	for e := range s.sub.C {
		s.handle(e)
		clear(e.Params) // addresses and headers must not stay in this process
	}
	err := s.sub.Err()
	if s.ctx.Err() == nil {
		s.log.Warn("session browser lost", "error", err)
	}
	s.stop()
	s.p.Close() // after an overflow nobody watches the last tab
	s.gone <- fmt.Errorf("cannot drive the session's browser any longer: %w", err)
	close(s.gone)
}

func (s *Session) handle(e Event) {
	switch e.Method {
	case "Fetch.requestPaused":
		s.answer(e)
	case "Target.targetCreated", "Target.targetInfoChanged":
		s.changed(e)
	case "Target.targetDestroyed":
		s.destroyed(e)
	case "Target.detachedFromTarget":
		s.detached(e)
	default:
		s.network(e)
	}
}

// later runs a call that an event causes, off the event loop: the loop must
// keep reading while Chromium works.
func (s *Session) later(what string, f func(ctx context.Context) error) {
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		ctx, cancel := context.WithTimeout(s.ctx, callDeadline)
		defer cancel()
		if err := f(ctx); err != nil && s.ctx.Err() == nil {
			s.log.Debug(what, "error", err)
		}
	}()
}

// changed keeps a tab's kind of address up to date, and follows it as soon as
// the policy lets us.
func (s *Session) changed(e Event) {
	var v struct {
		TargetInfo target `json:"targetInfo"`
	}
	if json.Unmarshal(e.Params, &v) != nil || !v.TargetInfo.isTab() && v.TargetInfo.Type != "iframe" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tabs[v.TargetInfo.ID]
	if t == nil {
		if len(s.tabs) >= maxTabs {
			return
		}
		t = &tab{target: v.TargetInfo.ID, page: v.TargetInfo.isTab(), uploads: map[string]struct{}{}}
		s.tabs[t.target] = t
	}
	t.at = v.TargetInfo.URL
	if t.session != "" || t.attaching || t.at == innerPage {
		return
	}
	t.attaching = true
	s.later("cannot follow a tab", func(ctx context.Context) error { return s.follow(ctx, t) })
}

// follow attaches to a tab and watches its requests.
func (s *Session) follow(ctx context.Context, t *tab) error {
	var a struct {
		SessionID string `json:"sessionId"`
	}
	err := s.p.Call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": t.target, "flatten": true}, &a)
	s.mu.Lock()
	t.attaching = false
	t.session = a.SessionID
	s.mu.Unlock()
	if err != nil {
		return err
	}
	// No body is buffered in the browser for us: only the fact of a request counts.
	none := map[string]any{"maxTotalBufferSize": 0, "maxResourceBufferSize": 0, "maxPostDataSize": 0}
	return s.p.Call(ctx, a.SessionID, "Network.enable", none, nil)
}

// detached forgets a CDP session: the tab went where the policy lets nobody in.
func (s *Session) detached(e Event) {
	var v struct {
		SessionID string `json:"sessionId"`
	}
	if json.Unmarshal(e.Params, &v) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tabs {
		if t.session == v.SessionID {
			t.session = ""
			clear(t.uploads)
		}
	}
}

func (s *Session) destroyed(e Event) {
	var v struct {
		TargetID string `json:"targetId"`
	}
	if json.Unmarshal(e.Params, &v) != nil {
		return
	}
	s.mu.Lock()
	t := s.tabs[v.TargetID]
	delete(s.tabs, v.TargetID)
	last := t != nil && t.page
	for _, o := range s.tabs {
		last = last && !o.page
	}
	s.mu.Unlock()
	if last && s.ctx.Err() == nil {
		// The window goes with its last tab; the process a moment later, unless
		// SessionFlags keep it.
		s.later("cannot reopen the portal", s.open)
	}
}

// open opens a tab on the portal.
func (s *Session) open(ctx context.Context) error {
	if err := s.p.Call(ctx, "", "Target.createTarget", map[string]any{"url": PortalURL}, nil); err != nil {
		return fmt.Errorf("cannot open the portal: %w", err)
	}
	return nil
}

func (s *Session) network(e Event) {
	var v struct {
		RequestID string `json:"requestId"`
		Request   struct {
			HasPostData bool `json:"hasPostData"`
		} `json:"request"`
	}
	if json.Unmarshal(e.Params, &v) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var t *tab
	for _, o := range s.tabs {
		if o.session == e.Session {
			t = o
		}
	}
	if t == nil {
		return
	}
	if e.Method != "Network.requestWillBeSent" {
		delete(t.uploads, v.RequestID)
	} else if v.Request.HasPostData && len(t.uploads) < maxTabs {
		t.uploads[v.RequestID] = struct{}{}
	} else {
		delete(t.uploads, v.RequestID) // redirected to a request without a body
	}
}

// answer serves one request to an origin of ours.
func (s *Session) answer(e Event) {
	var v struct {
		RequestID string     `json:"requestId"`
		Request   ownRequest `json:"request"`
	}
	if json.Unmarshal(e.Params, &v) != nil || v.RequestID == "" {
		return
	}
	s.mu.Lock()
	planting := s.planting
	s.mu.Unlock()
	status, body := http.StatusNotFound, []byte(nil)
	switch {
	case v.Request.Method != http.MethodGet:
		status = http.StatusMethodNotAllowed
	case v.Request.URL == portalPage:
		status, body = http.StatusOK, s.html
	case v.Request.URL == canaryPage && planting:
		status, body = http.StatusOK, []byte("<!doctype html><title>canari</title>")
	}
	s.later("cannot answer the portal's address", func(ctx context.Context) error {
		return s.p.Call(ctx, e.Session, "Fetch.fulfillRequest", map[string]any{
			"requestId": v.RequestID, "responseCode": status, "responseHeaders": portalHeaders(),
			"body": base64.StdEncoding.EncodeToString(body)}, nil)
	})
}

// ownRequest is a request to one of our origins.
type ownRequest struct {
	Method string   `json:"method"`
	URL    ownedURL `json:"url"`
}

// ownedURL recognises our pages' addresses and keeps no other.
type ownedURL int

const (
	otherPage ownedURL = iota
	portalPage
	canaryPage
	innerPage // the browser's own: nobody is let in
	browserUI // a part of its window, no tab
)

func (u *ownedURL) UnmarshalJSON(b []byte) error {
	switch string(b) { // compared in place, not copied
	case `"` + PortalURL + `"`:
		*u = portalPage
	case `"` + CanaryOrigin + `/"`:
		*u = canaryPage
	default:
		*u = otherPage
		if bytes.HasPrefix(b, []byte(`"chrome`)) || bytes.HasPrefix(b, []byte(`"about:`)) || bytes.HasPrefix(b, []byte(`"devtools:`)) {
			*u = innerPage
		}
		if bytes.Contains(b, []byte(".top-chrome")) {
			*u = browserUI
		}
	}
	return nil
}

func portalHeaders() []map[string]string {
	return []map[string]string{
		{"name": "Content-Type", "value": "text/html; charset=utf-8"},
		{"name": "Content-Security-Policy", "value": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{"name": "Referrer-Policy", "value": "no-referrer"},
		{"name": "X-Content-Type-Options", "value": "nosniff"},
		{"name": "Cache-Control", "value": "no-store"},
	}
}
