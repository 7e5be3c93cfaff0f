package preview

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"os"
	"sync"

	"borne/kiosk/peer"
	"borne/kiosk/ppm"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
	"borne/kiosk/sealed"
)

// Renderer draws a page of a sealed document, counted from 1, no larger than
// width × height (count.Client).
type Renderer interface {
	Render(ctx context.Context, doc *os.File, page, width, height int) (image.Image, error)
}

// Client has pages painted. It is a press.Viewer, safe for concurrent use; its
// last wish holds.
type Client struct {
	path   string
	render Renderer

	mu   sync.Mutex
	conn *sandbox.Conn // while pages are in sight
}

// New returns a client of the painter at path, which need not be there yet.
func New(path string, render Renderer) *Client { return &Client{path: path, render: render} }

// Show paints the first of doc's pages, and tells how many; a nil doc takes those
// that are in sight away.
func (c *Client) Show(ctx context.Context, doc *os.File, pages int, show printjob.Show) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hide()
	if doc == nil {
		return 0, nil
	}
	r := request{show.Width, show.Height}
	if !r.valid() || pages < 1 {
		return 0, fmt.Errorf("cannot show the first pages: %d pages on %d × %d pass the limits", pages, show.Width, show.Height)
	}
	var files []*os.File
	defer func() { sandbox.CloseAll(files) }()
	for i, place := range places(r.Width, r.Height, pages) {
		f, err := c.picture(ctx, doc, i+1, place)
		if err != nil && i == 0 {
			return 0, fmt.Errorf("cannot show the first pages: %w", err)
		}
		if err != nil {
			break // those before it are something
		}
		files = append(files, f)
	}
	if err := c.paint(ctx, r, files); err != nil {
		c.hide()
		return 0, fmt.Errorf("cannot show the first pages: %w", errors.Join(ctx.Err(), err))
	}
	return len(files), nil
}

// picture draws a page into sealed memory.
func (c *Client) picture(ctx context.Context, doc *os.File, page int, place image.Rectangle) (*os.File, error) {
	m, err := c.render.Render(ctx, doc, page, place.Dx(), place.Dy())
	if err != nil {
		return nil, err
	}
	return sealed.Make("page", ppm.From(m).Encode)
}

// paint hands pictures over and waits until they are seen. The lock is held.
func (c *Client) paint(ctx context.Context, r request, files []*os.File) error {
	var d net.Dialer
	u, err := d.DialContext(ctx, "unixpacket", c.path)
	if err != nil {
		return err
	}
	conn, err := peer.Frames(u)
	u.Close()
	if err != nil {
		return err
	}
	c.conn = conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	b, err := encode(r)
	if err != nil {
		return err
	}
	if err := conn.Send(b, files...); err != nil {
		return err
	}
	b, extra, err := conn.Receive(make([]byte, sandbox.MaxFrame+1))
	sandbox.CloseAll(extra)
	if err != nil {
		return err
	}
	var a answer
	if err := decode(b, &a); err != nil {
		return err
	}
	if !a.Painted {
		return errors.New("the painter refuses the pictures")
	}
	return nil
}

// hide ends the connection, and what it shows with it. The lock is held.
func (c *Client) hide() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Close takes away what is in sight.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hide()
	return nil
}
