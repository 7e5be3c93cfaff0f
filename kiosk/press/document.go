package press

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"borne/kiosk/sealed"
)

// Why a document is not taken.
var (
	errTooBig      = errors.New("the document is larger than what is taken")
	errFull        = errors.New("too many documents wait")
	errCompression = errors.New("the document is not compressed as it says")
	errCut         = errors.New("the document ends early")
)

// document is one that was received whole: sealed memory outside of this
// process's heap, which nobody can change any more. Whoever uses it holds it.
type document struct {
	f    *os.File
	size int64
	held int // by how many; under Press.mu
}

// receive takes a document from r. It belongs to the caller, who lets go of it.
func (p *Press) receive(ctx context.Context, r io.Reader, compression string) (*document, error) {
	d := &document{held: 1}
	var err error
	d.f, err = sealed.Make("document", func(w io.Writer) error { return p.fill(ctx, d, w, r, compression) })
	if err != nil {
		p.release(d)
		return nil, fmt.Errorf("cannot hold a document: %w", err)
	}
	return d, nil
}

func (p *Press) fill(ctx context.Context, d *document, w io.Writer, r io.Reader, compression string) error {
	broken := errCut
	switch compression {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("%w: %w", errCompression, err)
		}
		r, broken = z, errCompression
	case "deflate": // RFC 1951, without zlib's frame (RFC 8011 §5.4.32)
		z := flate.NewReader(r)
		defer z.Close()
		r, broken = z, errCompression
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n > 0 {
			if err := p.grow(d, int64(n)); err != nil {
				return err
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return fmt.Errorf("cannot hold a document: %w", err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", broken, err)
		}
	}
}

// grow accounts for n bytes more, before they are held.
func (p *Press) grow(d *document, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.size+n > p.c.MaxDocument {
		return errTooBig
	}
	if p.held+n > p.c.MaxHeld {
		return errFull
	}
	d.size += n
	p.held += n
	return nil
}

// release lets go of a document; the last one who does erases it.
func (p *Press) release(d *document) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(d)
}

// drop is release for who has the lock.
func (p *Press) drop(d *document) {
	if d == nil {
		return
	}
	if d.held--; d.held == 0 {
		p.held -= d.size
		d.f.Close() // its last descriptor here: the kernel frees the pages
	}
}
