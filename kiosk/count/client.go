package count

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"os"

	"borne/kiosk/peer"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
	"borne/kiosk/sealed"
)

// Client asks the counter. It is safe for concurrent use, holds no connection,
// and is a printjob.Counter.
type Client struct{ path string }

// Dial returns a client of the counter at path, which need not be there yet.
func Dial(path string) *Client { return &Client{path} }

// Count counts the pages of doc, sealed memory that others may open for reading.
// Its error carries a printjob.Failure.
func (c *Client) Count(ctx context.Context, doc *os.File) (printjob.Format, int, error) {
	a, files, err := c.ask(ctx, doc, request{})
	sandbox.CloseAll(files)
	if err == nil && !a.counted() {
		err = said(a)
	}
	if err != nil {
		return "", 0, fmt.Errorf("cannot count a document: %w", err)
	}
	return a.Format, a.Pages, nil
}

// Render draws a page of doc, counted from 1, no larger than width × height.
func (c *Client) Render(ctx context.Context, doc *os.File, page, width, height int) (image.Image, error) {
	r := request{page, width, height}
	if page < 1 || !r.valid() {
		return nil, fmt.Errorf("cannot draw a page: page %d of %d × %d passes the limits", page, width, height)
	}
	a, files, err := c.ask(ctx, doc, r)
	defer sandbox.CloseAll(files)
	if err == nil && (a.Why != "" || len(files) != 1) {
		err = said(a)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot draw a page: %w", err)
	}
	if _, err := sealed.Size(files[0]); err != nil {
		return nil, err
	}
	f, err := sealed.Again(files[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := readPicture(f, r)
	if err != nil {
		return nil, fmt.Errorf("cannot draw a page: %w", err)
	}
	return m, nil
}

// said is the failure that an answer tells of.
func said(a answer) error {
	if !a.refused() {
		return printjob.Fail(printjob.WhyUnreadable, errors.New("the counter answers what it cannot mean"))
	}
	return printjob.Fail(a.Why, fmt.Errorf("the counter refuses it: %s", a.Why))
}

func (c *Client) ask(ctx context.Context, doc *os.File, r request) (answer, []*os.File, error) {
	fail := func(err error) (answer, []*os.File, error) {
		return answer{}, nil, printjob.Fail(printjob.WhyUnreadable, fmt.Errorf("cannot ask the counter: %w", err))
	}
	var d net.Dialer
	u, err := d.DialContext(ctx, "unixpacket", c.path)
	if err != nil {
		return fail(err)
	}
	conn, err := peer.Frames(u)
	u.Close()
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	b, err := encode(r)
	if err != nil {
		return fail(err)
	}
	if err := conn.Send(b, doc); err != nil {
		return fail(errors.Join(ctx.Err(), err))
	}
	b, files, err := conn.Receive(make([]byte, sandbox.MaxFrame+1))
	if err != nil {
		return fail(errors.Join(ctx.Err(), err))
	}
	var a answer
	if err := decode(b, &a); err != nil {
		sandbox.CloseAll(files)
		return fail(err)
	}
	return a, files, nil
}
