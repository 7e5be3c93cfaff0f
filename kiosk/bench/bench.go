// Package bench serves the simulator's bench and the view of the terminal's
// screen over HTTP on loopback. It runs only with -sim: a real terminal has
// neither.
package bench

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"borne/hw/sim"
)

// Stage is the terminal's display.
type Stage interface {
	Camera
	Pointer
	Keyboard
}

// Camera takes pictures of the display.
type Camera interface {
	Screenshot() (*image.RGBA, error)
}

// Pointer moves and clicks, in pixels of the display.
type Pointer interface {
	Move(x, y int) error
	Click(x, y int, button byte) error
}

// Keyboard types: Key takes "ctrl+w" or "Enter", Type any text.
type Keyboard interface {
	Key(combo string) error
	Type(text string) error
}

// Network can be cut.
type Network interface {
	Set(on bool)
	On() bool
}

// Saving is how the terminal saves energy, in the words of wire.Power.
type Saving struct {
	Power    string    `json:"power"`              // lit, dim, dark, low, halting; off: a simulated terminal behaves as if it were
	Relay    string    `json:"relay"`              // on, off; none: there is none
	Governor string    `json:"governor,omitempty"` // of the processor; empty: not known
	Wakes    time.Time `json:"wakes,omitzero"`     // the alarm of its clock
	Alarm    string    `json:"alarm,omitempty"`    // why its clock cannot wake it
}

// Config is what a bench shows and moves. Hardware, Network, Power and Files
// are required.
type Config struct {
	Hardware *sim.Bench
	Network  Network
	Power    func() // cuts the power: kills the terminal's processes, and need not return
	Saving   func() Saving
	Stage    func() Stage // nil, or returns nil, while there is no display
	Files    fs.FS        // bench.html, view.html and what they load
	Listen   string       // loopback address and port
	Log      *slog.Logger // nil: discarded
}

// Server is the bench.
type Server struct {
	c  Config
	ln net.Listener

	camera sync.Mutex // one picture at a time: they are large
}

// New listens.
func New(c Config) (*Server, error) {
	if c.Hardware == nil || c.Network == nil || c.Power == nil || c.Files == nil {
		return nil, errors.New("cannot serve the bench: it needs hardware, a network, a power switch and its pages")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Stage == nil {
		c.Stage = func() Stage { return nil }
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the bench on %s; set sim_listen to a free address: %w", c.Listen, err)
	}
	if a, ok := ln.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		ln.Close()
		return nil, fmt.Errorf("cannot serve the bench on %s: who reaches it commands the terminal; use 127.0.0.1", c.Listen)
	}
	return &Server{c: c, ln: ln}, nil
}

// URL is the bench's page; the screen's is view.html beside it.
func (s *Server) URL() string { return "http://" + s.ln.Addr().String() + "/bench.html" }

// Serve serves until ctx ends; it then returns nil.
func (s *Server) Serve(ctx context.Context) error {
	srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.c.Log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the bench: %w", err)
	}
	return nil
}

// Handler is the bench without its listener.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sim/state", s.state)
	mux.HandleFunc("POST /sim/do", s.post(s.do))
	mux.HandleFunc("POST /sim/input", s.post(s.input))
	mux.HandleFunc("GET /sim/screen.png", s.screen)
	mux.Handle("GET /{$}", http.RedirectHandler("/bench.html", http.StatusFound))
	mux.Handle("GET /", http.FileServerFS(s.c.Files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "+
			"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if err := s.admit(r); err != nil {
			s.c.Log.Warn("request to the bench refused", "err", err)
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// admit refuses what a page of somebody else sends, whatever name it reached
// this address by.
func (s *Server) admit(r *http.Request) error {
	own := s.ln.Addr().String()
	if r.Host != own {
		return fmt.Errorf("its host is %.80q", r.Host)
	}
	if o := r.Header.Values("Origin"); len(o) > 1 || len(o) == 1 && o[0] != "http://"+own {
		return fmt.Errorf("its origin is %.80q", o)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
	case "none": // typed in, or a bookmark
	default:
		// A link on another page may open one of ours, and nothing more.
		if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || strings.HasPrefix(r.URL.Path, "/sim/") {
			return errors.New("it comes from another site")
		}
	}
	// A header of our own makes a browser ask first when a foreign page sends it.
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("X-Borne") != "1" {
		return errors.New("it has no X-Borne header")
	}
	return nil
}

func (s *Server) screen(w http.ResponseWriter, _ *http.Request) {
	s.camera.Lock()
	defer s.camera.Unlock()
	st := s.c.Stage()
	if st == nil {
		http.Error(w, "the terminal has no display yet", http.StatusServiceUnavailable)
		return
	}
	img, err := st.Screenshot()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(w, img); err != nil {
		s.c.Log.Debug("picture of the screen not sent", "err", err)
	}
}
