package preview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"borne/kiosk/peer"
	"borne/kiosk/ppm"
	"borne/kiosk/sandbox"
	"borne/kiosk/sealed"
)

// maxConns bounds who asks at once.
const maxConns = 4

// Config says where to paint.
type Config struct {
	Display   string // ":N", the session's
	Authority string // X authority file with its cookie
	Log       *slog.Logger
}

// Listen makes the painter's socket at path, for allowed users.
func Listen(path string, allowed peer.UIDs, log *slog.Logger) (net.Listener, error) {
	ln, err := peer.Listen("unixpacket", path)
	if err != nil {
		return nil, fmt.Errorf("cannot show first pages: %w", err)
	}
	return peer.Only(ln, allowed, maxConns, log), nil
}

// Serve paints what comes over ln until ctx ends; it then returns nil. It ends
// with an error when the display does.
func Serve(ctx context.Context, ln net.Listener, c Config) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	scr, err := open(ctx, c)
	if err != nil {
		ln.Close()
		return err
	}
	defer scr.close()
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	lost := make(chan error, 1)
	all.Go(func() {
		select {
		case <-scr.gone:
			lost <- errors.New("cannot show first pages any longer: the session's display is gone")
			ln.Close()
		case <-ctx.Done():
			lost <- nil
		}
	})
	for {
		conn, err := ln.Accept()
		if err != nil {
			cancel()
			if gone := <-lost; gone != nil {
				return gone
			}
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("cannot show first pages: %w", err)
		}
		all.Go(func() { serve(ctx, conn, scr, c.Log) })
	}
}

// serve shows what one connection asks for, until it ends.
func serve(ctx context.Context, conn net.Conn, scr *screen, log *slog.Logger) {
	defer conn.Close()
	c, err := peer.Frames(conn)
	if err != nil {
		log.Warn("a connection cannot be used", "error", err)
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var shown *window
	defer func() { scr.take(shown) }()
	for buf := make([]byte, sandbox.MaxFrame+1); ; {
		b, files, err := c.Receive(buf)
		if err != nil {
			sandbox.CloseAll(files)
			return
		}
		w, err := paint(scr, b, files)
		sandbox.CloseAll(files)
		if err != nil {
			log.Warn("first pages are not shown", "error", err)
		}
		scr.take(shown)
		shown = w
		b, err = encode(answer{Painted: w != nil})
		if err != nil || c.Send(b) != nil {
			return
		}
	}
}

func paint(scr *screen, b []byte, files []*os.File) (*window, error) {
	var r request
	if err := decode(b, &r); err != nil {
		return nil, err
	}
	if !r.valid() || len(files) < 1 {
		return nil, fmt.Errorf("cannot show %d pictures on %d × %d: %w", len(files), r.Width, r.Height, sandbox.ErrFrame)
	}
	// One after the other: what several ask for at once is never all in memory.
	scr.painting.Lock()
	defer scr.painting.Unlock()
	var pages []*ppm.Image
	for _, f := range files {
		m, err := read(f, r)
		if err != nil {
			return nil, err
		}
		pages = append(pages, m)
	}
	return scr.show(compose(r.Width, r.Height, pages))
}

// read takes a picture that cannot be changed any more and is no larger than
// the place for all of them.
func read(f *os.File, r request) (*ppm.Image, error) {
	if _, err := sealed.Size(f); err != nil {
		return nil, err
	}
	again, err := sealed.Again(f)
	if err != nil {
		return nil, err
	}
	defer again.Close()
	return ppm.Decode(again, r.Width, r.Height)
}
