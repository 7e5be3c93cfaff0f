package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/cupsd"
	"borne/kiosk/printer"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
)

// pinFile, in the agent's folder, keeps the SHA-256 of the printer's public key:
// that of the first certificate seen. Whoever changes the printer deletes it.
const pinFile = "printer.pin"

// thePrinter is the printer of the configuration, as the agent works with it.
type thePrinter struct {
	*printer.Client
	uri   string
	pins  string        // path of the pin; empty: none is kept
	queue *cupsd.Server // before a printer without IPP or PDF; nil: none is needed
	dial  func(ctx context.Context) (net.Conn, error)

	mu  sync.Mutex
	can printer.Capabilities
	at  time.Time // when can was asked for
}

// capableFor is how long what a printer can do is believed: trays are added, and
// firmware is updated, but not every minute.
const capableFor = 10 * time.Minute

// printerOf opens the printer of the configuration; nil without one. scratch is
// the agent's folder for what passes. Close ends what was started.
func printerOf(ctx context.Context, c *call, scratch string) (*thePrinter, error) {
	p := &thePrinter{uri: c.cfg.Printer}
	to := printer.Target{URI: p.uri}
	switch {
	case p.uri == "":
		return nil, nil
	case cupsd.Is(p.uri):
		srv, err := cupsd.Start(ctx, cupsd.Config{Dir: filepath.Join(scratch, "cups"), Printer: p.uri, Driver: c.cfg.Driver, Options: c.cfg.Choices, Log: c.log})
		if err != nil {
			return nil, err
		}
		p.queue, p.uri, p.dial = srv, srv.URI(), srv.Dial
		to = printer.Target{URI: p.uri, Queue: cupsd.Events}
	default:
		p.pins = filepath.Join(c.cfg.State, "agent", pinFile)
		pin, err := readPin(p.pins)
		if err != nil {
			return nil, err
		}
		to.Pin = pin
		p.dial = func(ctx context.Context) (net.Conn, error) { return printer.Dial(ctx, p.uri) }
	}
	var err error
	if p.Client, err = printer.NewClient(to, p.dial); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Printers opens the printers that rules name. folder keeps their keys, and file is
// the address of the terminal's own one. dial is printer.Dial where no test stands.
func Printers(folder, file string, dial func(ctx context.Context, uri string) (net.Conn, error)) agent.PrinterOpener {
	return func(d policy.NamedPrinter) (agent.OpenedPrinter, error) {
		p := &thePrinter{uri: d.URI, dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, d.URI) }}
		pin := d.Pin()
		if pin == nil {
			p.pins = filepath.Join(folder, pinFileOf(d.URI, file))
			var err error
			if pin, err = readPin(p.pins); err != nil {
				return nil, err
			}
		}
		var err error
		if p.Client, err = printer.NewClient(printer.Target{URI: d.URI, Pin: pin}, p.dial); err != nil {
			return nil, err
		}
		return p, nil
	}
}

// pinFileOf names the file for the key of a printer that rules name: each address
// has its own, so that nobody who comes back is a stranger, and that of the
// terminal's file keeps the one it has.
func pinFileOf(uri, file string) string {
	if uri == file {
		return pinFile
	}
	sum := sha256.Sum256([]byte(uri))
	return "printer-" + hex.EncodeToString(sum[:8]) + ".pin"
}

// Close ends the connection, and the queue with every document in it.
func (p *thePrinter) Close() error {
	var err error
	if p.Client != nil {
		err = p.Client.Close()
	}
	if p.queue != nil {
		err = errors.Join(err, p.queue.Close())
	}
	return err
}

func readPin(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the printer's key: %w", err)
	}
	pin, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(pin) != sha256.Size {
		return nil, fmt.Errorf("cannot use the printer's key in %s: it is no SHA-256; delete the file, and the printer's next certificate is believed", path)
	}
	return pin, nil
}

func (p *thePrinter) URI() string { return p.uri }

// Keep makes a first pin durable. One that is there already stays: another
// printer at the same address is not believed.
func (p *thePrinter) Keep(pin []byte) {
	if p.pins == "" {
		return
	}
	f, err := os.OpenFile(p.pins, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return // it is there, or cannot be kept: the next one is compared with what this process saw
	}
	_, err = fmt.Fprintln(f, hex.EncodeToString(pin))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(p.pins)
	}
}

// Dial gives a fresh connection's descriptor away.
func (p *thePrinter) Dial(ctx context.Context) (*os.File, error) {
	c, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close() // File duplicates it
	f, ok := c.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("cannot hand over the connection to the printer: it has no descriptor")
	}
	return f.File()
}

// Look asks the printer how it is, and now and then what it can do.
func (p *thePrinter) Look(ctx context.Context) (agent.PrinterLook, error) {
	s, err := p.Status(ctx)
	if errors.Is(err, printer.ErrUntrusted) {
		err = fmt.Errorf("%w: %w", agent.ErrStranger, err)
	}
	if err != nil {
		return agent.PrinterLook{}, err
	}
	if pin := p.Pin(); pin != nil {
		p.Keep(pin)
	}
	can, err := p.capable(ctx)
	if err != nil {
		return agent.PrinterLook{}, err
	}
	return agent.PrinterLook{Status: s, Formats: can.Formats,
		Ready: printing.PrinterReady{Accepting: true, Colour: can.Colour, Duplex: can.Duplex(), Copies: can.Copies, Reasons: s.Reasons}}, nil
}

func (p *thePrinter) capable(ctx context.Context) (printer.Capabilities, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.at.IsZero() && time.Since(p.at) < capableFor {
		return p.can, nil
	}
	can, err := p.Capabilities(ctx, printjob.PDF)
	if err == nil {
		p.can, p.at = can, time.Now()
	}
	return can, err
}

var errAway = errors.New("the printer does not answer")

// Follow tells each change of a job until its count rests. It ends with an error
// when the printer does not answer: the agent asks again, and counts for how long.
func (p *thePrinter) Follow(ctx context.Context, id int, name string, tell func(printing.Progress)) error {
	ctx, away := context.WithCancelCause(ctx)
	defer away(nil)
	_, err := p.Client.Follow(ctx, id, name, func(x printer.Progress) {
		j := x.Job
		if x.Lost {
			away(errAway)
			return
		}
		tell(printing.Progress{State: j.State, Impressions: j.Impressions, Sheets: j.Sheets, Reasons: x.Reasons,
			Stopping: slices.Contains(j.Reasons, printer.StopPoint), Estimated: j.Estimated})
	})
	if errors.Is(context.Cause(ctx), errAway) {
		return errAway
	}
	return known(err)
}

// Find looks for a job by its name.
func (p *thePrinter) Find(ctx context.Context, name string) (int, error) {
	j, err := p.Client.Find(ctx, name)
	return j.ID, known(err)
}

func known(err error) error {
	if errors.Is(err, printer.ErrNoJob) {
		return fmt.Errorf("%w: %w", agent.ErrNoJob, err)
	}
	return err
}

// lookAtPrinter asks the printer of the configuration once; nil without one. Of a
// printer without IPP nothing can be asked.
func lookAtPrinter(c *call) func(context.Context) (wire.Printer, error) {
	if c.cfg.Printer == "" {
		return nil
	}
	return func(ctx context.Context) (wire.Printer, error) {
		if cupsd.Is(c.cfg.Printer) {
			return wire.Printer{State: wire.PrinterReady, Model: "la file d'impression privée (" + c.cfg.Printer + ")"}, cupsd.Installed()
		}
		path := filepath.Join(c.cfg.State, "agent", pinFile)
		pin, err := readPin(path)
		if err != nil {
			return wire.Printer{}, err
		}
		p, err := printer.NewClient(printer.Target{URI: c.cfg.Printer, Pin: pin}, nil)
		if err != nil {
			return wire.Printer{}, err
		}
		defer p.Close()
		s, err := p.Status(ctx)
		if errors.Is(err, printer.ErrUntrusted) {
			err = fmt.Errorf("%w; if it was replaced, delete %s", err, path)
		}
		return s, err
	}
}
