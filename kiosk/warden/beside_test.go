package warden

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// twoBoxes admits one sandbox to session "one", and prepares another beside it.
func twoBoxes(t *testing.T, n int) (w *warden, mine, spare *box) {
	t.Helper()
	w = openTest(t, lightConfig(t, n))
	a := mustPrepare(t, w)
	must2(w.admit(t.Context(), sandbox.Admit{Sandbox: a.Sandbox, Session: "one"}))(t)
	b := mustPrepare(t, w)
	mine, spare = w.boxes[a.Sandbox], w.boxes[b.Sandbox]
	for _, x := range []*box{mine, spare} {
		waitFor(t, "the sandbox's files", func() bool { return exists(fmt.Sprintf("/proc/%d/root/tmp/link", x.pid)) })
	}
	return w, mine, spare
}

func must2(_ any, err error) func(testing.TB) {
	return func(t testing.TB) { t.Helper(); must(t, err) }
}

func TestStandbyOutlivesAWipe(t *testing.T) {
	w, mine, spare := twoBoxes(t, 30)
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 1, Keep: spare.id})
	must(t, err)
	for _, c := range ev.Checks {
		if c.Result != wire.Clean && c.Name != checkCanaryClipboard {
			t.Errorf("%+v", c)
		}
	}
	if ev.Failure != "" || mine.alive() || !spare.alive() {
		t.Fatalf("failure %q; the session lives: %t, the standby: %t", ev.Failure, mine.alive(), spare.alive())
	}
	if left := leftoversOf(w.c, spare); len(left) > 0 {
		t.Errorf("left of the session: %v", left)
	}
	must2(w.admit(t.Context(), sandbox.Admit{Sandbox: spare.id, Session: "two"}))(t)
	if err := spare.rules.verify(t.Context()); err != nil {
		t.Errorf("the next session's firewall: %v", err)
	}
	ev, err = w.wipe(t.Context(), sandbox.Wipe{Session: "two", Attempt: 1})
	if err != nil || ev.Failure != "" || spare.alive() {
		t.Errorf("%s, %v", jsonString(ev), err)
	}
	assertNothingLeft(t, w.c)
}

// leftoversOf lists what is there beside one living sandbox.
func leftoversOf(c Config, b *box) (left []string) {
	for _, l := range leftovers(c) {
		var pid int
		if n, _ := fmt.Sscanf(l, "/proc/%d", &pid); n == 1 {
			if ns, err := namespace(pid, "mnt"); err == nil && ns == b.ns["mnt"] {
				continue
			}
		}
		if strings.HasSuffix(l, b.id) || strings.HasSuffix(l, b.link.host) || l == "firewall tables" {
			continue
		}
		left = append(left, l)
	}
	return left
}

// Everything goes, whatever is asked for, unless all is as it should be.
func TestStandbyGoesWithAWipe(t *testing.T) {
	for name, ask := range map[string]func(spare *box) sandbox.Wipe{
		"a later attempt": func(s *box) sandbox.Wipe { return sandbox.Wipe{Session: "one", Attempt: 2, Keep: s.id} },
		"another session": func(s *box) sandbox.Wipe { return sandbox.Wipe{Session: "other", Attempt: 1, Keep: s.id} },
		"no session":      func(s *box) sandbox.Wipe { return sandbox.Wipe{Attempt: 1, Keep: s.id} },
		"not named":       func(s *box) sandbox.Wipe { return sandbox.Wipe{Session: "one", Attempt: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			w, mine, spare := twoBoxes(t, 31)
			must2(w.wipe(t.Context(), ask(spare)))(t)
			if mine.alive() || spare.alive() {
				t.Errorf("the session lives: %t, the standby: %t", mine.alive(), spare.alive())
			}
			assertNothingLeft(t, w.c)
		})
	}
	t.Run("its link is open", func(t *testing.T) {
		w, mine, spare := twoBoxes(t, 31)
		must(t, spare.link.up(spare.pid))
		must2(w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 1, Keep: spare.id}))(t)
		if mine.alive() || spare.alive() {
			t.Errorf("the session lives: %t, the standby: %t", mine.alive(), spare.alive())
		}
		assertNothingLeft(t, w.c)
	})
	t.Run("the session's own", func(t *testing.T) {
		w, mine, spare := twoBoxes(t, 31)
		must2(w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 1, Keep: mine.id}))(t)
		if mine.alive() || spare.alive() {
			t.Errorf("the session lives: %t, the standby: %t", mine.alive(), spare.alive())
		}
	})
}

// What a standby may have is its own: the same thing elsewhere is found.
func TestSurvivorsBesideAStandbyAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		check string
		plant func(t *testing.T, w *warden, mine, spare *box)
	}{
		"a process with the standby's uid": {wire.CheckProcesses, func(t *testing.T, w *warden, _, spare *box) {
			uid := uint32(spare.uids.browser)
			cmd := exec.Command("/bin/sleep", "600")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
			must(t, cmd.Start())
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		}},
		"a process with the session's uid among the standby's mounts": {wire.CheckProcesses, func(t *testing.T, w *warden, mine, spare *box) {
			uid := fmt.Sprint(mine.uids.browser)
			cmd := exec.Command("/usr/bin/nsenter", "--target", fmt.Sprint(spare.pid), "--mount", "--pid", "--setuid", uid, "--setgid", uid, "/usr/bin/sleep", "600")
			if !exists(cmd.Path) {
				t.Skip("SKIP: nsenter is not installed")
			}
			must(t, cmd.Start())
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			waitFor(t, "the intruder", func() bool {
				in, err := allProcesses()
				must(t, err)
				for _, p := range in {
					if ns, err := namespace(p.pid, "mnt"); err == nil && ns == spare.ns["mnt"] && p.uids[0] == mine.uids.browser {
						return true
					}
				}
				return false
			})
		}},
		"a mount of the session's among the standby's": {wire.CheckMounts, func(t *testing.T, w *warden, mine, spare *box) {
			out, err := exec.Command("/usr/bin/nsenter", "--target", fmt.Sprint(spare.pid), "--mount", "/usr/bin/mount", "-t", "tmpfs", mine.spec.Mark, "/tmp").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}},
		"a file of the standby's uid": {wire.CheckUIDFiles, func(t *testing.T, w *warden, _, spare *box) {
			plantOwned(t, w.c.Places[0]+"/a/b", spare.uids.browser, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, mine, spare := twoBoxes(t, 32)
			tc.plant(t, w, mine, spare)
			ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 1, Keep: spare.id})
			must(t, err)
			for _, c := range ev.Checks {
				if c.Name == tc.check && c.Result != wire.Found {
					t.Errorf("%+v, want found", c)
				}
			}
			if !strings.HasPrefix(ev.Failure, "found: ") {
				t.Errorf("failure %q", ev.Failure)
			}
			must2(w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 2, Keep: spare.id}))(t)
			if spare.alive() {
				t.Error("the standby outlives a wipe that found something")
			}
		})
	}
}

// A standby that something of the session's got into is given to nobody.
func TestStandbyThatHoldsACanaryIsNotAdmitted(t *testing.T) {
	w, mine, spare := twoBoxes(t, 33)
	path := fmt.Sprintf("/proc/%d/root/home/session/kept", spare.pid)
	must(t, os.WriteFile(path, []byte("before "+mine.canaries.value(canaryInFile)+" after"), 0o600))
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 1, Keep: spare.id})
	if err != nil || ev.Failure != "" {
		t.Fatalf("%s, %v", jsonString(ev), err)
	}
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: spare.id, Session: "two"}); err == nil || !strings.Contains(err.Error(), "holds a canary") {
		t.Errorf("admitted: %v", err)
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		t.Error("the standby is gone")
	}
	if ev, err = w.wipe(t.Context(), sandbox.Wipe{Session: "two", Attempt: 1}); err != nil || ev.Failure != "" {
		t.Errorf("%s, %v", jsonString(ev), err)
	}
	assertNothingLeft(t, w.c)
}

// A new standby takes the place of one that nobody used.
func TestPrepareReplacesAStandby(t *testing.T) {
	c := lightConfig(t, 34)
	c.Resolver = netip.MustParseAddr("192.0.2.53")
	w := openTest(t, c)
	first := w.boxes[mustPrepare(t, w).Sandbox]
	second := w.boxes[mustPrepare(t, w).Sandbox]
	if first.alive() || !second.alive() || len(w.boxes) != 1 {
		t.Errorf("the first lives: %t, the second: %t, of %d", first.alive(), second.alive(), len(w.boxes))
	}
}
