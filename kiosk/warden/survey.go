package warden

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// surveyFile lies in the run folder, readable by all: it tells of the machine,
// and of nobody.
const surveyFile = "survey.json"

// maxSurvey bounds what LastSurvey reads: some kilobytes are written.
const maxSurvey = 64 << 10

// LastSurvey returns what the terminal that runs on the run folder measured
// last. The error is fs.ErrNotExist's while it has not measured yet.
func LastSurvey(run string) (sandbox.Surveyed, error) {
	var s sandbox.Surveyed
	f, err := os.OpenFile(filepath.Join(run, surveyFile), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return s, fmt.Errorf("cannot read the last survey: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSurvey))
	if err != nil {
		return s, fmt.Errorf("cannot read the last survey: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("cannot read the last survey: %w", err)
	}
	return s, nil
}

// tellSurvey leaves what was measured to whoever looks at this terminal.
func (w *warden) tellSurvey(s *sandbox.Surveyed) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cannot tell of the survey: %w", err)
	}
	path := filepath.Join(w.c.Run, surveyFile)
	if err := writeDurably(path, b); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// survey measures what a session's sandbox holds here, and leaves it to be read.
func (w *warden) survey(ctx context.Context) (*sandbox.Surveyed, error) {
	s, err := w.measure(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.tellSurvey(s); err != nil {
		w.c.Log.Warn("the survey cannot be read from outside", "error", err)
	}
	return s, nil
}

// measure builds a sandbox as a session would have it, drawn where nobody sees
// it, verifies every property on it, and destroys it.
func (w *warden) measure(ctx context.Context) (*sandbox.Surveyed, error) {
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
	info, files, err := w.prepare(ctx, Plan{Profile: "survey", Lang: "fr", Browser: []byte("{}"), Home: "about:blank",
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
