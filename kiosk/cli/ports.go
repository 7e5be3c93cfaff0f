package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"borne/hw/usb"
	"borne/kiosk/sandbox"
)

// guardPorts guards the USB ports until ctx ends. It returns what staff should
// hear of, and what tells the guard that staff put the terminal out of service.
func guardPorts(ctx context.Context, c *call) (<-chan sandbox.Event, func(bool), error) {
	if c.cfg.USB == nil {
		c.log.Info("USB ports are not guarded", "sim", c.cfg.Sim)
		return nil, nil, nil
	}
	dir := filepath.Join(c.cfg.State, "warden")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	news := make(chan sandbox.Event, 16)
	tell := func(n usb.News) {
		select {
		case news <- sandbox.Event{Kind: string(n.Verdict.Reason), Detail: n.Port}:
		default: // somebody plugs in and out faster than anybody reads; the log has it all
		}
	}
	g, err := usb.NewGuard(usb.Sys, filepath.Join(dir, "usb.json"), *c.cfg.USB, tell, c.log)
	switch {
	case g == nil && err == nil:
		c.log.Info("no USB here")
		return nil, nil, nil
	case g == nil:
		return nil, nil, err
	case err != nil:
		c.log.Error("USB", "err", err) // tried again at each look
	}
	opening, ended := make(chan bool), make(chan struct{})
	go func() {
		defer close(ended)
		if err := g.Run(ctx, opening); err != nil {
			c.log.Error("USB ports stay as they are: nothing new is let in", "err", err)
		}
	}()
	return news, func(open bool) {
		select {
		case opening <- open:
		case <-ended:
		}
	}, nil
}
