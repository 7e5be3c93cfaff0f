package warden

import (
	"context"
	"errors"
	"fmt"
	"os"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// Plan is what a sandbox is made of, worked out of a policy. It is checked
// before anything of it reaches a command line, a path or a firewall.
type Plan struct {
	Profile  string
	Lang     string // BCP 47, for the browser's language
	Browser  []byte // Chromium's managed policy, JSON
	Home     string // first URL: http(s) or data:, never file: nor chrome:
	Portal   []byte // HTML of the portal, shown read-only at sandbox.PortalPath
	Limits   Limits
	Network  Network
	Keyboard Keyboard
	Width    int // pixels of the session's display
	Height   int
	Window   uint32 // X window that the display is drawn into
	Probe    bool   // nobody is ever admitted to it
}

// Limits cap a sandbox.
type Limits struct {
	MemoryMB int
	TmpfsMB  int
	MaxProcs int
}

// Network is what a sandbox may reach once admitted.
type Network struct {
	Resolver string         // IP address; empty: the terminal's own
	Private  []string       // CIDRs allowed though private
	Proxies  []string       // IPv4:port allowed beside 80 and 443
	Lists    []sandbox.List // whose names the resolver refuses; each is verified by its digest
	Allow    []string       // names let through, with all below them, whatever a list says
	Block    []string       // names refused beside the lists, with all below them
}

// Keyboard is applied to the session's display.
type Keyboard struct {
	Layout  string
	Variant string
	NumLock bool
}

// ordered makes the standby that the agent asks for, by a policy that the
// controller signed. An agent that was taken over can neither open a network nor
// loosen the browser: it has the choice between policies that were signed.
func (w *warden) ordered(ctx context.Context, p sandbox.Prepare) (*sandbox.Info, []*os.File, error) {
	if w.c.Plan == nil {
		return nil, nil, errors.New("cannot prepare: this warden knows no policies")
	}
	keys, err := readTrust(w.c.State)
	if err != nil {
		return nil, nil, err
	}
	rules, err := wire.Open[policy.Policy](p.Policy, wire.DomainPolicy, keys.verifiers()...)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot prepare by a policy that no key known here has signed: %w", err)
	}
	plan, err := w.c.Plan(rules, p)
	if err != nil {
		return nil, nil, err
	}
	return w.prepare(ctx, plan)
}
