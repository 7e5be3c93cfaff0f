package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"borne/kiosk/count"
	"borne/kiosk/peer"
	"borne/kiosk/press"
	"borne/kiosk/preview"
	"borne/kiosk/sandbox"
)

// runPress is the session's printer: -socket PATH -uids FROM-TO -channel 3
// -counter PATH. Only the warden starts it so.
func runPress(ctx context.Context, c *call) error {
	if c.flag("auto") == "true" || c.flag("tcp") != "" || c.flag("printer") != "" {
		return autoPress(ctx, c)
	}
	allowed, errA := peer.ParseUIDs(c.flag("uids"))
	channel, errB := channelOf(c)
	if errA != nil || errB != nil || c.flag("socket") == "" || len(c.rest) > 0 {
		return usageError{errors.New("cannot run press: give -socket PATH, -uids FROM-TO and -channel N")}
	}
	ln, err := press.Listen(c.flag("socket"), allowed, c.log)
	if err != nil {
		return err
	}
	return servePress(ctx, c, ln, channel, press.Config{})
}

// autoPress is for tests of the protocol: -auto -tcp 127.0.0.1:PORT -printer URI
// -counter PATH. It approves every job by itself, so it takes nothing of what a
// session's printer has.
func autoPress(ctx context.Context, c *call) error {
	if c.flag("auto") != "true" || c.flag("tcp") == "" || c.flag("printer") == "" || c.flag("socket") != "" || c.flag("uids") != "" || c.flag("channel") != "" || len(c.rest) > 0 {
		return usageError{errors.New("cannot run press: for a test give -auto, -tcp 127.0.0.1:PORT and -printer URI, and nothing of a session's printer")}
	}
	ln, err := press.ListenTCP(c.flag("tcp"))
	if err != nil {
		return usageError{err}
	}
	agent, theirs, err := sandbox.Pair()
	if err != nil {
		ln.Close()
		return err
	}
	channel, err := sandbox.FromFile(theirs)
	if err != nil {
		agent.Close()
		ln.Close()
		return err
	}
	go func() {
		if err := press.Approve(ctx, agent, c.flag("printer")); err != nil {
			c.log.Error("no job is approved any more", "error", err)
		}
	}()
	return servePress(ctx, c, ln, channel, press.Config{Host: ln.Addr().String(), MaxWaiting: autoWaiting})
}

// autoWaiting is more than a suite of tests sends before the first is printed.
const autoWaiting = 200

func servePress(ctx context.Context, c *call, ln net.Listener, channel *sandbox.Conn, cfg press.Config) error {
	cfg.Log = c.log
	if path := c.flag("counter"); path != "" {
		counter := count.Dial(path)
		cfg.Counter = counter
		if path := c.flag("preview"); path != "" {
			viewer := preview.New(path, counter)
			defer viewer.Close()
			cfg.Viewer = viewer
		}
	}
	p := press.New(cfg)
	defer p.Close()
	if channel != nil {
		go func() {
			// Without the agent nobody decides: the printer then says so.
			if err := p.Attach(ctx, channel); err != nil {
				c.log.Error("the agent is not heard any more", "error", err)
			}
		}()
	}
	if err := p.Serve(ctx, ln); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// channelOf takes the channel to the agent over; nil without one.
func channelOf(c *call) (*sandbox.Conn, error) {
	if c.flag("channel") == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(c.flag("channel"))
	if err != nil || n < 3 {
		return nil, fmt.Errorf("cannot use descriptor %.10q", c.flag("channel"))
	}
	return sandbox.FromFile(os.NewFile(uintptr(n), "channel"))
}

// runCounter counts the pages of the session's documents: -socket PATH -uids
// FROM-TO. Only the warden starts it.
func runCounter(ctx context.Context, c *call) error {
	allowed, err := peer.ParseUIDs(c.flag("uids"))
	if err != nil || c.flag("socket") == "" || len(c.rest) > 0 {
		return usageError{errors.New("cannot run counter: give -socket PATH and -uids FROM-TO")}
	}
	ln, err := count.Listen(c.flag("socket"), allowed, c.log)
	if err != nil {
		return err
	}
	return count.Serve(ctx, ln, count.Config{Self: []string{"/proc/self/exe", count.ChildRole}, Log: c.log})
}

// runPreview paints first pages on the session's display: -socket PATH -uids
// FROM-TO -display :N -authority PATH. Only the warden starts it.
func runPreview(ctx context.Context, c *call) error {
	allowed, err := peer.ParseUIDs(c.flag("uids"))
	if err != nil || c.flag("socket") == "" || c.flag("display") == "" || len(c.rest) > 0 {
		return usageError{errors.New("cannot run preview: give -socket PATH, -uids FROM-TO, -display :N and -authority PATH")}
	}
	ln, err := preview.Listen(c.flag("socket"), allowed, c.log)
	if err != nil {
		return err
	}
	return preview.Serve(ctx, ln, preview.Config{Display: c.flag("display"), Authority: c.flag("authority"), Log: c.log})
}
