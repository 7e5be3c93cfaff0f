package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"borne/controller/policy"
	"borne/kiosk/browser"
	"borne/kiosk/sandbox"
	"borne/kiosk/shell"
	"borne/kiosk/stage"
)

// opener drives session browsers through their pipes.
type opener struct{ log *slog.Logger }

// Open takes over the pipe: the files are its own from here on.
func (o opener) Open(ctx context.Context, files []*os.File, portal []byte) (SessionBrowser, error) {
	p, err := pipe(files)
	if err != nil {
		return nil, err
	}
	s, err := browser.NewSession(ctx, p, browser.SessionConfig{Portal: portal, Log: o.log})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return s, nil
}

// pipe makes a pipe of the two ends that the warden hands over: read, write.
func pipe(files []*os.File) (*browser.Pipe, error) {
	if len(files) != 2 {
		sandbox.CloseAll(files)
		return nil, fmt.Errorf("cannot drive the browser: the warden handed over %d descriptors, want 2", len(files))
	}
	p, err := browser.NewPipe(files[0], files[1])
	if err != nil {
		sandbox.CloseAll(files)
		return nil, err
	}
	return p, nil
}

// sessionPolicy is Chromium's managed policy for a session.
func sessionPolicy(p policy.Policy, lang string) ([]byte, error) {
	return browser.SessionPolicy(browser.SessionPolicyInput{Policy: p, Lang: lang})
}

// shellPages opens the shell's browser through the warden.
type shellPages struct {
	warden Warden
	server *shell.Server
	stage  *stage.Stage
	log    *slog.Logger
	last   *browser.Shell // only Open touches it, and only one Open runs
}

// Open starts the browser, hands it its token and waits until the page is there.
func (s *shellPages) Open(ctx context.Context) (<-chan error, error) {
	if s.last != nil {
		if err := s.last.Close(); err != nil {
			s.log.Debug("the shell's browser did not close well", "error", err)
		}
		s.last = nil
	}
	w, h := s.stage.ScreenSize()
	origin := s.server.Origin()
	_, files, err := s.warden.Do(ctx, sandbox.Request{Shell: &sandbox.Shell{Origin: origin, Width: w, Height: h, Lang: "fr"}})
	if err != nil {
		return nil, err
	}
	p, err := pipe(files)
	if err != nil {
		return nil, err
	}
	c := s.server.Cookie()
	sh, err := browser.OpenShell(ctx, browser.ShellConfig{Pipe: p, URL: origin + "/", Cookie: c.Name, Token: c.Value, Log: s.log})
	if err != nil {
		return nil, err
	}
	s.last = sh
	return sh.Gone(), nil
}
