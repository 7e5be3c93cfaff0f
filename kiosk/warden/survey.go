package warden

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// survey builds a sandbox as a session would have it, drawn where nobody sees
// it, verifies every property on it, and destroys it.
func (w *warden) survey(ctx context.Context) (*sandbox.Surveyed, error) {
	if len(w.living()) > 0 {
		return nil, errors.New("cannot survey: sandboxes are there; wipe first")
	}
	w.ensureTested(ctx)
	s := &sandbox.Surveyed{Chromium: w.chromiumVersion(ctx)}
	window := uint32(0)
	if w.c.Display.Name != "" {
		cookie, err := w.c.Display.outerCookie()
		if err != nil {
			return nil, err
		}
		d, err := dialX(w.c.Display.socket(), cookie)
		if err != nil {
			return nil, err
		}
		defer d.close()
		if window, err = d.window(640, 480); err != nil {
			return nil, err
		}
	}
	info, files, err := w.prepare(ctx, sandbox.Prepare{Profile: "survey", Lang: "fr", Browser: []byte("{}"), Home: "about:blank",
		Width: 640, Height: 480, Window: window})
	sandbox.CloseAll(files)
	if err != nil {
		// What cannot be built has no property; the reason is worth more than an error.
		for _, n := range wire.Properties() {
			s.Props = append(s.Props, wire.Property{Name: n, Detail: clip(err.Error())})
		}
		s.Level = wire.LevelReduced
		return s, nil
	}
	w.mu.Lock()
	b := w.boxes[info.Sandbox]
	delete(w.boxes, info.Sandbox)
	w.mu.Unlock()
	if b == nil {
		return nil, errors.New("cannot survey: the probe is gone")
	}
	err = w.remove(b, time.Now().Add(10*time.Second))
	w.removeNetwork(ctx, b)
	if err != nil {
		return nil, err
	}
	s.Level, s.Props = info.Level, info.Props
	return s, nil
}

// chromiumVersion asks the program; "" when it is missing.
func (w *warden) chromiumVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.c.Chromium, "--version")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LC_ALL=C"}
	uid := uint32(w.c.UIDBase + offShell)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	var out bytes.Buffer
	cmd.Stdout = &out
	err := w.humble.do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil || out.Len() > 200 {
		return ""
	}
	return strings.TrimSpace(out.String())
}
