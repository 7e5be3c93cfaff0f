package press

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
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
	fd, err := unix.MemfdCreate("document", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot hold a document: %w", err)
	}
	d := &document{f: os.NewFile(uintptr(fd), "document"), held: 1}
	if err := p.fill(ctx, d, r, compression); err != nil {
		p.release(d)
		return nil, err
	}
	// What was counted is what will be printed (F_SEAL_SEAL: for good).
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(d.f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		p.release(d)
		return nil, fmt.Errorf("cannot seal a document: %w", err)
	}
	return d, nil
}

func (p *Press) fill(ctx context.Context, d *document, r io.Reader, compression string) error {
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
			if _, err := d.f.Write(buf[:n]); err != nil {
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
