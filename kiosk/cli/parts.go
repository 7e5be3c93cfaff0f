package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"borne/controller/policy"
	"borne/kiosk/agent"
	"borne/kiosk/browser"
	"borne/kiosk/sandbox"
	"borne/kiosk/shell"
	"borne/kiosk/warden"
)

// opener takes over the session's browser.
type opener struct{ log *slog.Logger }

func (o opener) Open(ctx context.Context, files []*os.File, portal []byte) (agent.SessionBrowser, error) {
	p, err := pipe(files)
	if err != nil {
		return nil, err
	}
	s, err := browser.NewSession(ctx, p, browser.SessionConfig{Portal: portal, Log: o.log})
	if err != nil {
		p.Close()
		return nil, err
	}
	return s, nil
}

func pipe(files []*os.File) (*browser.Pipe, error) {
	if len(files) != 2 {
		sandbox.CloseAll(files)
		return nil, fmt.Errorf("cannot drive the browser: the warden gave %d descriptors, want 2", len(files))
	}
	return browser.NewPipe(files[0], files[1])
}

// pages opens the shell's browser. Its calls do not overlap.
type pages struct {
	warden        agent.Warden
	server        *shell.Server
	width, height int
	log           *slog.Logger

	mu   sync.Mutex // guards open
	open *browser.Shell
}

// Painted waits until the page has painted screen.
func (p *pages) Painted(ctx context.Context, screen shell.Screen) error {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	if open == nil {
		return errors.New("cannot wait for the shell's page: it is not open")
	}
	return open.Painted(ctx, string(screen))
}

func (p *pages) take(s *browser.Shell) (before *browser.Shell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.open = p.open, s
	return before
}

func (p *pages) Open(ctx context.Context) (<-chan error, error) {
	if before := p.take(nil); before != nil {
		before.Close()
	}
	token := p.server.Cookie() // before the browser starts: what an earlier one was given ends
	_, files, err := p.warden.Do(ctx, sandbox.Request{Shell: &sandbox.Shell{Origin: p.server.Origin(), Width: p.width, Height: p.height, Lang: "fr"}})
	if err != nil {
		return nil, err
	}
	tube, err := pipe(files)
	if err != nil {
		return nil, err
	}
	open, err := browser.OpenShell(ctx, browser.ShellConfig{Pipe: tube, URL: p.server.Origin() + "/", Cookie: token.Name, Token: token.Value, Log: p.log})
	if err != nil {
		return nil, err
	}
	p.take(open)
	return open.Gone(), nil
}

// preparer asks for a standby.
func preparer(width, height int) agent.Preparer {
	return func(r agent.Rules, lang string) (sandbox.Prepare, []byte, error) {
		page, err := browser.PortalPage(r.Portal, portalHelp(r.Near, lang), lang, "")
		return sandbox.Prepare{Policy: r.Signed, Lang: lang, Width: width, Height: height}, page, err
	}
}

// rejected asks a probe's browser which settings of a policy it does not take.
func rejected(printer bool) agent.Prober {
	return func(ctx context.Context, files []*os.File, r agent.Rules, lang string) ([]string, error) {
		p, err := pipe(files)
		if err != nil {
			return nil, err
		}
		defer p.Close() // and the browser leaves
		managed, err := browser.SessionPolicy(browser.SessionPolicyInput{Policy: r.Policy, Lang: lang, Printer: printer || r.Printer.URI != ""})
		if err != nil {
			return nil, err
		}
		return browser.CheckPolicy(ctx, p, managed)
	}
}

// planner works out for the warden what a sandbox under a policy is made of; printer
// tells whether the terminal's file names one.
func planner(printer bool) func(policy.Policy, sandbox.Prepare) (warden.Plan, error) {
	return func(p policy.Policy, ask sandbox.Prepare) (warden.Plan, error) {
		managed, err := browser.SessionPolicy(browser.SessionPolicyInput{Policy: p, Lang: ask.Lang, Printer: printer || p.Printer.URI != ""})
		if err == nil && ask.Probe {
			managed, err = browser.ProbePolicy(managed)
		}
		if err != nil {
			return warden.Plan{}, err
		}
		page, err := browser.PortalPage(p.Portal, portalHelp(nil, ask.Lang), ask.Lang, "")
		if err != nil {
			return warden.Plan{}, err
		}
		var names []sandbox.List
		for _, k := range p.Filter.Categories {
			names = append(names, sandbox.List{Category: k.Name, Digest: k.Digest})
		}
		return warden.Plan{Profile: p.Profile, Lang: ask.Lang, Browser: managed, Home: "about:blank", Portal: page,
			Limits: warden.Limits{MemoryMB: p.Isolation.MemoryMB, TmpfsMB: p.Isolation.TmpfsMB, MaxProcs: p.Isolation.MaxProcs},
			Network: warden.Network{Resolver: p.Network.Resolver, Private: p.Network.Private, Proxies: p.Network.Doors(),
				Lists: names, Allow: p.Filter.Allow, Block: p.Filter.Block},
			Keyboard: warden.Keyboard{Layout: p.Keyboard.Layout, Variant: p.Keyboard.Variant, NumLock: p.Keyboard.NumLock},
			Width:    ask.Width, Height: ask.Height, Window: ask.Window, Probe: ask.Probe}, nil
	}
}

// checkPolicy refuses a policy that cannot be carried out here.
func checkPolicy() func(policy.Policy) error {
	return func(p policy.Policy) error {
		var wrong []error
		for _, problem := range p.Check() {
			wrong = append(wrong, fmt.Errorf("%+v", problem))
		}
		if _, err := browser.SessionPolicy(browser.SessionPolicyInput{Policy: p, Lang: "fr"}); err != nil {
			wrong = append(wrong, err)
		}
		return errors.Join(wrong...)
	}
}
