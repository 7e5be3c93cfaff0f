package shell

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	cookieName  = "borne-shell"
	writeWithin = 5 * time.Second
	pingEvery   = 20 * time.Second
	deadAfter   = 60 * time.Second
)

// Server serves the shell's page to one browser on this machine.
//
// How the browser proves itself: Cookie makes a single-use token, which the
// agent sets in the browser through its debugging pipe, so that it is never in
// an argument, an address or a file. The first request that bears it spends it
// and gets another value in an HttpOnly, SameSite=Strict cookie; without one of
// the two nothing at all is served. A new Cookie ends what was given before.
type Server struct {
	ln      net.Listener
	files   fs.FS
	log     *slog.Logger
	actions chan Action

	mu      sync.Mutex
	token   string // not spent yet; empty: none
	session string // of the browser that spent it; empty: none
	view    []byte // last one, JSON
	page    *page  // the one WebSocket
}

// New listens on a free loopback port. files holds index.html and what it
// loads. log may be nil.
func New(files fs.FS, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot serve the shell's page: %w", err)
	}
	return &Server{ln: ln, files: files, log: log, actions: make(chan Action, 16)}, nil
}

// Origin is the page's, http://127.0.0.1:port.
func (s *Server) Origin() string { return "http://" + s.ln.Addr().String() }

// Actions yields what the person does.
func (s *Server) Actions() <-chan Action { return s.actions }

// Cookie returns a fresh token, to be set in the browser before it opens
// Origin. It is exchanged for the session's cookie, and worth nothing once that
// one was seen. Whatever was given before is worth nothing from now on.
func (s *Server) Cookie() *http.Cookie {
	s.mu.Lock()
	s.token, s.session = rand.Text(), ""
	c, old := s.cookie(s.token), s.page
	s.page = nil
	s.mu.Unlock()
	if old != nil {
		old.ws.Close()
	}
	return c
}

func (s *Server) cookie(value string) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// Show makes v what the page shows. Only the last view counts.
func (s *Server) Show(v View) {
	b, err := json.Marshal(v)
	if err != nil { // strings and numbers only: cannot happen
		s.log.Error("cannot show a view", "err", err)
		return
	}
	s.mu.Lock()
	s.view = b
	p := s.page
	s.mu.Unlock()
	if p != nil {
		p.wake()
	}
}

// Connected tells whether a page is there to show views.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page != nil
}

// Serve serves until ctx ends; it then returns nil.
func (s *Server) Serve(ctx context.Context) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() {
		srv.Close()
		s.mu.Lock()
		p := s.page
		s.mu.Unlock()
		if p != nil {
			p.ws.Close() // a hijacked connection outlives srv.Close
		}
	})()
	if err := srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the shell's page: %w", err)
	}
	return nil
}

// ServeHTTP checks who asks before anything else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "+
		"img-src 'self' data:; font-src 'self' data:; media-src 'self'; connect-src 'self' ws://"+s.ln.Addr().String()+"; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if err := s.admit(w, r); err != nil {
		level := slog.LevelWarn
		if errors.Is(err, errEarly) {
			level = slog.LevelDebug
		}
		s.log.Log(r.Context(), level, "request to the shell's page refused", "err", err)
		http.Error(w, "refused", http.StatusForbidden)
		return
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.URL.Path == "/ws":
		s.socket(w, r)
	default:
		http.FileServerFS(s.files).ServeHTTP(w, r)
	}
}

// errEarly is the shell's own first request: its browser starts on our address,
// the only one that its policy lets the pipe drive, a moment before it is
// handed the token. It is refused like any other, but nothing is wrong.
var errEarly = errors.New("it has no cookie yet")

// admit refuses every request that is not of our page in our browser: the
// machine's other users reach this port as well, and so does any web page
// whose name somebody points at 127.0.0.1.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) error {
	if r.Host != s.ln.Addr().String() {
		return fmt.Errorf("its host is %.80q", r.Host)
	}
	if o := r.Header.Values("Origin"); len(o) > 1 || len(o) == 1 && o[0] != s.Origin() || len(o) == 0 && r.URL.Path == "/ws" {
		return fmt.Errorf("its origin is %.80q", o)
	}
	if f := r.Header.Get("Sec-Fetch-Site"); f != "" && f != "same-origin" && f != "none" {
		return fmt.Errorf("it comes from another site (%.40q)", f)
	}
	c, err := r.Cookie(cookieName)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.token != "" && r.URL.Path == "/" && r.Method == http.MethodGet {
			return errEarly
		}
		return errors.New("it has no cookie")
	}
	switch {
	case s.session != "" && equal(c.Value, s.session):
		s.token = ""
		return nil
	case s.token != "" && equal(c.Value, s.token) && r.URL.Path != "/ws":
		// Until the session's cookie has come back: a browser that asks twice
		// in a row sends the token twice, and must not end on a refusal.
		if s.session == "" {
			s.session = rand.Text()
		}
		http.SetCookie(w, s.cookie(s.session))
		return nil
	}
	return errors.New("its cookie is not the one in use")
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// page is the one WebSocket of the shell.
type page struct {
	ws    *websocket.Conn
	fresh chan struct{}
}

func (p *page) wake() {
	select {
	case p.fresh <- struct{}{}:
	default:
	}
}

// socket runs a page's WebSocket; a newer page replaces it.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{ReadBufferSize: MaxAction, WriteBufferSize: 4 << 10, HandshakeTimeout: writeWithin,
		CheckOrigin: func(*http.Request) bool { return true }} // admit has checked it
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	p := &page{ws: ws, fresh: make(chan struct{}, 1)}
	c, err := r.Cookie(cookieName)
	s.mu.Lock()
	if err != nil || s.session == "" || !equal(c.Value, s.session) { // Cookie was called meanwhile
		s.mu.Unlock()
		ws.Close()
		return
	}
	old := s.page
	s.page = p
	s.mu.Unlock()
	if old != nil {
		old.ws.Close()
	}
	p.wake()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.receive(p)
		ws.Close()
	}()
	s.send(p, done)
	ws.Close()
	<-done
	s.mu.Lock()
	if s.page == p {
		s.page = nil
	}
	s.mu.Unlock()
}

// send writes the latest view whenever there is a new one.
func (s *Server) send(p *page, done <-chan struct{}) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-done:
			return
		case <-p.fresh:
			s.mu.Lock()
			v := s.view
			s.mu.Unlock()
			if v == nil {
				continue
			}
			p.ws.SetWriteDeadline(time.Now().Add(writeWithin))
			if p.ws.WriteMessage(websocket.TextMessage, v) != nil {
				return
			}
		case <-ping.C:
			if p.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin)) != nil {
				return
			}
		}
	}
}

// receive reads actions until the page goes, or sends something else.
func (s *Server) receive(p *page) {
	p.ws.SetReadLimit(MaxAction)
	alive := func(string) error { return p.ws.SetReadDeadline(time.Now().Add(deadAfter)) }
	p.ws.SetPongHandler(alive)
	for {
		alive("")
		kind, b, err := p.ws.ReadMessage()
		if err != nil {
			return
		}
		a, err := ParseAction(b)
		if err != nil || kind != websocket.TextMessage {
			s.log.Warn("the shell's page sent something else than an action", "err", err)
			p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "not an action"), time.Now().Add(time.Second))
			return
		}
		s.mu.Lock()
		mine := s.page == p
		s.mu.Unlock()
		if !mine {
			return
		}
		select {
		case s.actions <- a:
		default: // the agent is busy: somebody hammers a button
			s.log.Warn("an action of the shell's page was dropped", "do", a.Do)
		}
	}
}
