package count

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"borne/kiosk/peer"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
	"borne/kiosk/sealed"
)

// Limits on who asks.
const (
	maxConns   = 8
	maxWaiting = 4 // documents that wait for the one that is read
)

// deadline is how long a child may take, its wait for a processor included.
const deadline = 20 * time.Second

// Config says how to count.
type Config struct {
	Self     []string      // argv that makes this program a child: IsChild knows it
	Deadline time.Duration // of one child; 0 for the usual one
	Log      *slog.Logger
}

// Listen makes the counter's socket at path, for allowed users.
func Listen(path string, allowed peer.UIDs, log *slog.Logger) (net.Listener, error) {
	ln, err := peer.Listen("unixpacket", path)
	if err != nil {
		return nil, fmt.Errorf("cannot count documents: %w", err)
	}
	return peer.Only(ln, allowed, maxConns, log), nil
}

// Serve answers on ln until ctx ends; it then returns nil, and no child is left.
func Serve(ctx context.Context, ln net.Listener, c Config) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Deadline == 0 {
		c.Deadline = deadline
	}
	s := &server{Config: c, turn: make(chan struct{}, 1), queue: make(chan struct{}, 1+maxWaiting)}
	if _, err := os.Stat(pdftoppm); err != nil {
		c.Log.Warn("no pages are shown before they are printed; install poppler-utils", "error", err)
		s.blind = true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.all.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot count documents: %w", err)
		}
		s.all.Go(func() { s.serve(ctx, conn) })
	}
}

type server struct {
	Config
	blind bool
	turn  chan struct{} // one child at a time
	queue chan struct{}
	all   sync.WaitGroup
}

// serve answers one connection.
func (s *server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	c, err := peer.Frames(conn)
	if err != nil {
		s.Log.Warn("a connection cannot be used", "error", err)
		return
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	buf := make([]byte, sandbox.MaxFrame+1)
	for {
		b, files, err := c.Receive(buf)
		if err != nil {
			sandbox.CloseAll(files)
			return
		}
		a, picture := s.handle(ctx, b, files)
		sandbox.CloseAll(files)
		err = reply(c, a, picture)
		if picture != nil {
			picture.Close()
		}
		if err != nil {
			return
		}
	}
}

func reply(c *sandbox.Conn, a answer, picture *os.File) error {
	b, err := encode(a)
	if err != nil {
		return err
	}
	if picture != nil {
		return c.Send(b, picture)
	}
	return c.Send(b)
}

// handle answers one request. The picture is the caller's.
func (s *server) handle(ctx context.Context, b []byte, files []*os.File) (answer, *os.File) {
	var r request
	if err := decode(b, &r); err != nil || !r.valid() || len(files) != 1 {
		s.Log.Warn("a request is not understood", "error", err)
		return refuse(printjob.WhyUnreadable), nil
	}
	// What can still be changed could be another document when it is printed.
	size, err := sealed.Size(files[0])
	if err != nil {
		s.Log.Warn("a document is refused", "error", err)
		return refuse(printjob.WhyUnreadable), nil
	}
	doc, err := sealed.Again(files[0])
	if err != nil {
		s.Log.Warn("a document is refused", "error", err)
		return refuse(printjob.WhyUnreadable), nil
	}
	defer doc.Close()
	select {
	case s.queue <- struct{}{}:
		defer func() { <-s.queue }()
	default:
		return refuse(printjob.WhyFull), nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return refuse(printjob.WhyUnreadable), nil
	}
	if r.Page == 0 {
		return s.count(ctx, doc), nil
	}
	return s.picture(ctx, doc, size, r)
}

func (s *server) count(ctx context.Context, doc *os.File) answer {
	var out limited
	out.left = maxFrame
	if err := s.child(ctx, doc, &out, doCount); err != nil {
		s.Log.Info("a document cannot be counted", "error", err)
		return refuse(printjob.WhyUnreadable)
	}
	var a answer
	if err := decode(out.b, &a); err != nil || !a.counted() && !a.refused() {
		return refuse(printjob.WhyUnreadable)
	}
	return a
}

func (s *server) picture(ctx context.Context, doc *os.File, size int64, r request) (answer, *os.File) {
	format, _ := kind(doc, size)
	isPDF := format == printjob.PDF
	if isPDF && s.blind || !isPDF && r.Page > 1 {
		return refuse(printjob.WhyUnreadable), nil
	}
	f, err := sealed.Make("page", func(w io.Writer) error {
		return s.child(ctx, doc, &limited{w: w, left: pictureSize(r)}, pictureArgs(isPDF, r)...)
	})
	if err != nil {
		s.Log.Info("a page cannot be shown", "error", err)
		return refuse(printjob.WhyUnreadable), nil
	}
	return answer{}, f
}

var errMuch = errors.New("it says more than it may")

// limited keeps, or passes on, as much as is left.
type limited struct {
	w    io.Writer // nil: keep
	b    []byte
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errMuch
	}
	if l.w != nil {
		return l.w.Write(p)
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// child runs one child to its end. Its error tells nothing of the document.
func (s *server) child(ctx context.Context, doc *os.File, out io.Writer, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, s.Deadline)
	defer cancel()
	// Its death signal comes when the thread ends that started it (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := s.command(ctx, doc, out, args...).Run()
	if ctx.Err() != nil {
		return errors.New("cannot read a document in time")
	}
	if err != nil {
		return fmt.Errorf("cannot read a document: %w", err)
	}
	return nil
}

func (s *server) command(ctx context.Context, doc *os.File, out io.Writer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Self[0], append(s.Self[1:len(s.Self):len(s.Self)], args...)...)
	// It computes alone: more threads would only take memory.
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout = doc, out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}
