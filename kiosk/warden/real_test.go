package warden

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// realConfig is an instance with an outer display of its own (Xvfb) and the
// programs of a terminal.
func realConfig(t testing.TB, n int) Config {
	t.Helper()
	for _, p := range []string{"/usr/bin/Xvfb", "/usr/bin/Xephyr", "/usr/lib/chromium/chromium", "/usr/bin/openbox"} {
		if !exists(p) {
			t.Skipf("SKIP: %s is not installed", p)
		}
	}
	c := lightConfig(t, n)
	c.Programs, c.ShellPrograms = nil, nil
	c.Display = startXvfb(t, t.TempDir())
	return c
}

// startXvfb starts a display that has a cookie, on a number that is free.
func startXvfb(t testing.TB, dir string) Display {
	t.Helper()
	cookie := newCookie()
	auth := dir + "/xauth"
	if err := os.WriteFile(auth, authFile(0, cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("/usr/bin/Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-auth", auth, "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	var n int
	if _, err := fmt.Fscanln(r, &n); err != nil {
		t.Fatalf("Xvfb does not start: %v", err)
	}
	if err := os.WriteFile(auth, authFile(n, cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	return Display{Name: fmt.Sprintf(":%d", n), Authority: auth}
}

func container(t testing.TB, c Config, width, height int) uint32 {
	t.Helper()
	cookie, err := c.Display.outerCookie()
	if err != nil {
		t.Fatal(err)
	}
	d, err := dialX(c.Display.socket(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	id, err := d.window(width, height)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func realPlan(t testing.TB, c Config) Plan {
	return Plan{Profile: "open", Lang: "fr", Browser: []byte(`{"IncognitoModeAvailability":1}`), Portal: []byte("<title>portail</title><h1>Bonjour"),
		Width: 1280, Height: 728, Window: container(t, c, 1280, 728), Keyboard: Keyboard{Layout: "fr", NumLock: true}}
}

func TestSurveyIsFull(t *testing.T) {
	w := openTest(t, realConfig(t, 20))
	s, err := w.survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Props {
		t.Logf("%-18s %-5t %s", p.Name, p.Held, p.Detail)
	}
	if s.Level != wire.LevelFull || !strings.HasPrefix(s.Chromium, "Chromium ") {
		t.Errorf("level %s with %q", s.Level, s.Chromium)
	}
	if got, err := LastSurvey(w.c.Run); err != nil || jsonString(got) != jsonString(s) {
		t.Errorf("whoever looks reads %s, %v", jsonString(got), err)
	}
	if fi, err := os.Stat(w.c.Run + "/" + surveyFile); err != nil || fi.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", fi, err)
	}
	assertNothingLeft(t, w.c)
}

func TestRealSessionIsWiped(t *testing.T) {
	w := openTest(t, realConfig(t, 21))
	begin := time.Now()
	info, files, err := w.prepare(t.Context(), realPlan(t, w.c))
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.CloseAll(files)
	t.Logf("prepared in %s, level %s", time.Since(begin), info.Level)
	if _, err := files[1].WriteString(`{"id":1,"method":"Browser.getVersion"}` + "\x00"); err != nil {
		t.Fatal(err)
	}
	files[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 4096)
	n, err := files[0].Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), `"product"`) {
		t.Errorf("the pipe answers %q, %v", buf[:n], err)
	}
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "real"}); err != nil {
		t.Fatal(err)
	}
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "real", Attempt: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ev.Checks {
		t.Logf("%-17s %3d → %d %s %s", c.Name, c.Before, c.After, c.Result, c.Detail)
		if c.Result != wire.Clean {
			t.Errorf("check %s: %+v", c.Name, c)
		}
	}
	t.Logf("%d ms", ev.Millis)
	if ev.Failure != "" || ev.Level != wire.LevelFull {
		t.Errorf("failure %q, level %s", ev.Failure, ev.Level)
	}
	assertNothingLeft(t, w.c)
}

// TestFullLevelOutlivesTheWarden: policy may require full isolation, and a
// power cut must not read as a lack of it.
func TestFullLevelOutlivesTheWarden(t *testing.T) {
	c := realConfig(t, 27)
	func() {
		c.Log = testLog(t)
		w, done, err := open(t.Context(), c)
		must(t, err)
		defer done() // what ends a warden's sandboxes without a wipe
		info, files, err := w.prepare(t.Context(), realPlan(t, c))
		must(t, err)
		defer sandbox.CloseAll(files)
		_, err = w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "cut"})
		must(t, err)
	}()
	w := openTest(t, c)
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "cut", Attempt: 1})
	must(t, err)
	if ev.Failure != "" || ev.Level != wire.LevelFull || len(ev.Props) != len(wire.Properties()) {
		t.Errorf("failure %q, level %s with %d properties", ev.Failure, ev.Level, len(ev.Props))
	}
}

// TestKeyboardOfTheSession asks the session's own display.
func TestKeyboardOfTheSession(t *testing.T) {
	w := openTest(t, realConfig(t, 24))
	for _, c := range []struct {
		keyboard Keyboard
		symbol   uint32 // of key 24, the one right of Tab
	}{{Keyboard{Layout: "fr", NumLock: true}, 'a'}, {Keyboard{Layout: "us"}, 'q'}} {
		p := realPlan(t, w.c)
		p.Keyboard = c.keyboard
		info, files, err := w.prepare(t.Context(), p)
		must(t, err)
		b := w.boxes[info.Sandbox]
		d, err := dialX(fmt.Sprintf("/proc/%d/root/tmp/.X11-unix/X%d", b.pid, b.inner), b.cookie)
		must(t, err)
		must(t, d.send([]byte{101, 0, 2, 0, 24, 1, 0, 0})) // GetKeyboardMapping
		head, body, err := d.reply(256)
		must(t, err)
		if head[1] == 0 || binary.LittleEndian.Uint32(body) != c.symbol {
			t.Errorf("%+v: key 24 is %#x", c.keyboard, body)
		}
		must(t, d.send(binary.LittleEndian.AppendUint32([]byte{38, 0, 2, 0}, d.root))) // QueryPointer
		head, _, err = d.reply(0)
		must(t, err)
		if locked := binary.LittleEndian.Uint16(head[24:])&0x10 != 0; locked != c.keyboard.NumLock { // Mod2
			t.Errorf("%+v: Num Lock is %t", c.keyboard, locked)
		}
		d.close()
		sandbox.CloseAll(files)
		if ev, err := w.wipe(t.Context(), sandbox.Wipe{Attempt: 1}); err != nil || ev.Failure != "" {
			t.Errorf("wipe %s, %v", jsonString(ev), err)
		}
	}
}

func TestShellHasItsPageOnly(t *testing.T) {
	w := openTest(t, realConfig(t, 22))
	files, err := w.openShell(t.Context(), sandbox.Shell{Origin: "http://127.0.0.1:9", Width: 1280, Height: 800, Lang: "fr-x-facile"})
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.CloseAll(files)
	if _, err := files[1].WriteString(`{"id":1,"method":"Browser.getVersion"}` + "\x00"); err != nil {
		t.Fatal(err)
	}
	files[0].SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	if n, err := files[0].Read(buf); err != nil || !strings.Contains(string(buf[:n]), `"product"`) {
		t.Errorf("the pipe answers %q, %v", buf[:n], err)
	}
	in, err := w.shell.members()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range in {
		if p.pid != w.shell.pid && p.uids[0] != w.c.UIDBase+offShell {
			t.Errorf("process %d (%s) runs as %d", p.pid, p.name, p.uids[0])
		}
		if bad := noCaps(p); p.pid != w.shell.pid && (bad != "" || p.fields["NoNewPrivs"] != "1") {
			t.Errorf("process %d (%s): %s, no_new_privs %s", p.pid, p.name, bad, p.fields["NoNewPrivs"])
		}
	}
	root := fmt.Sprintf("/proc/%d/root", w.shell.pid)
	for _, hidden := range []string{w.c.State, w.c.Run, "/root", "/etc/shadow"} {
		if exists(root + hidden) {
			t.Errorf("the shell sees %s", hidden)
		}
	}
	b, err := os.ReadFile(root + policyPath)
	if err != nil || !strings.Contains(string(b), `"http://127.0.0.1:9"`) {
		t.Errorf("policy %s, %v", b, err)
	}
	// A wipe leaves the shell alone; its end is told.
	if ev, err := w.wipe(t.Context(), sandbox.Wipe{Attempt: 1}); err != nil || ev.Failure != "" {
		t.Errorf("wipe %s, %v", jsonString(ev), err)
	}
	if !w.shell.alive() {
		t.Fatal("the wipe ended the shell")
	}
	syscall.Kill(w.shell.pid, syscall.SIGKILL)
	select {
	case e := <-w.events:
		if e.Kind != "shell-lost" {
			t.Errorf("event %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Error("nobody tells that the shell is lost")
	}
}

func TestSandboxIsLost(t *testing.T) {
	w := openTest(t, realConfig(t, 23))
	info, files, err := w.prepare(t.Context(), realPlan(t, w.c))
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.CloseAll(files)
	in, err := w.boxes[info.Sandbox].members()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range in {
		if p.name == "Xephyr" {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	select {
	case e := <-w.events:
		if e.Kind != "sandbox-lost" || e.Sandbox != info.Sandbox {
			t.Errorf("event %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Error("nobody tells that the sandbox is lost")
	}
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "x"}); err == nil {
		t.Error("a dead sandbox is admitted")
	}
}
