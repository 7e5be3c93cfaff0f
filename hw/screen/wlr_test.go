package screen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/hw"
)

// TestSway speaks with a real compositor. Debian 12's sway has only displays of
// its own making here, and wlroots 0.15 cannot switch one of those off: it acknowledges, and
// leaves them on. Just that must be read back.
func TestSway(t *testing.T) {
	need(t, "sway")
	dir, err := os.MkdirTemp("", "sway") // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf := filepath.Join(dir, "config")
	if err := os.WriteFile(conf, []byte("xwayland disable\nexec echo ready\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sway", "--config", conf)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir,
		"WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman", "WLR_HEADLESS_OUTPUTS=2"}
	cmd.Dir = dir
	if os.Getuid() == 0 { // sway refuses to run as root
		const uid = 61951
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	out := start(t, cmd)
	limit := time.After(30 * time.Second)
	for ready := false; !ready; {
		select {
		case l := <-out.lines:
			ready = l == "ready"
		case <-limit:
			t.Fatal("sway did not start")
		}
	}
	w := Wlr{Socket: filepath.Join(dir, "wayland-1")}
	for _, on := range []bool{true, false, true} {
		fds := descriptors(t)
		if l, err := w.Light(t.Context(), on); err != nil || l != hw.On {
			t.Errorf("light %v: %v, %v", on, l, err)
		}
		if n := descriptors(t); n != fds {
			t.Errorf("%d descriptors, %d before", n, fds)
		}
	}
}

// compositor is a compositor of two outputs, on the far side of a pipe.
type compositor struct {
	t       *testing.T
	c       net.Conn
	manager bool
	fails   bool          // the first output cannot be had
	half    bool          // only the second output does as it is told
	deaf    bool          // it acknowledges, and does nothing
	slow    time.Duration // before a mode is reported
	first   hw.Level      // of the first output, before
	modes   []uint32      // asked for
}

func (s *compositor) send(id uint32, op uint16, args ...any) {
	w := wire{c: s.c}
	_ = w.request(id, op, args...) // events and requests look alike; a client that has left is fine
}

func (s *compositor) serve() {
	w := wire{c: s.c}
	power := map[uint32]bool{}
	for {
		id, op, args, err := w.event()
		if err != nil {
			return
		}
		word := func(i int) uint32 { return le.Uint32(args[4*i:]) }
		switch {
		case id == displayID && op == displayGetRegistry:
			s.send(word(0), registryGlobal, uint32(1), "wl_compositor", uint32(4))
			if s.manager {
				s.send(word(0), registryGlobal, uint32(9), powerManager, uint32(1))
			}
			s.send(word(0), registryGlobal, uint32(12), output, uint32(4))
			s.send(word(0), registryGlobal, uint32(13), output, uint32(4))
		case id == displayID && op == displaySync:
			s.send(word(0), 0, uint32(0))
		case id == registryID:
			what, err := text(args[4:])
			if err != nil || what != powerManager && what != output || word(0) < 9 {
				s.t.Errorf("bound %q: %v", what, err)
			}
		case id == managerID:
			power[word(0)] = true
			before := uint32(1)
			if s.first == hw.Off {
				before = 0
			}
			s.send(word(0), powerMode, before)
			if s.fails && len(power) == 1 {
				s.send(word(0), powerFailed)
			}
		case power[id] && op == powerSetMode:
			s.modes = append(s.modes, word(0))
			if m := word(0); !s.deaf && (!s.fails && !s.half || len(power) > 1) {
				time.AfterFunc(s.slow, func() { s.send(id, powerMode, m) })
			}
		default:
			s.t.Errorf("request %d of object %d", op, id)
		}
	}
}

func TestWlrReadsBack(t *testing.T) {
	for _, c := range []struct {
		name string
		s    compositor
		on   bool
		want hw.Level
		err  string
	}{
		{"dark", compositor{manager: true}, false, hw.Off, ""},
		{"lit", compositor{manager: true}, true, hw.On, ""},
		{"slow", compositor{manager: true, slow: 200 * time.Millisecond}, false, hw.Off, ""},
		{"too slow", compositor{manager: true, slow: time.Minute}, false, hw.On, ""},
		{"one stays lit", compositor{manager: true, half: true}, false, hw.On, ""},
		{"one stays dark", compositor{manager: true, half: true, first: hw.Off}, true, hw.Off, ""},
		{"deaf", compositor{manager: true, deaf: true}, false, hw.On, ""},
		{"failed", compositor{manager: true, fails: true}, false, hw.Unknown, ""},
		{"another compositor", compositor{}, false, hw.Unknown, "does not offer zwlr_output_power_manager_v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := net.Listen("unix", filepath.Join(dir, "w"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := &c.s
			s.t = t
			done := make(chan struct{})
			go func() {
				defer close(done)
				if s.c, err = l.Accept(); err == nil {
					s.serve()
					s.c.Close()
				}
			}()
			got, err := Wlr{Socket: filepath.Join(dir, "w")}.Light(t.Context(), c.on)
			<-done
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, %v", got, err)
			}
			mode := uint32(0)
			if c.on {
				mode = 1
			}
			if c.err == "" && !slices.Equal(s.modes, []uint32{mode, mode}) {
				t.Errorf("modes %v", s.modes)
			}
		})
	}
}

func TestWlrHasADeadline(t *testing.T) {
	w := Wlr{Socket: filepath.Join(t.TempDir(), "w")}
	if _, err := w.Light(t.Context(), true); err == nil || !strings.Contains(err.Error(), "running") {
		t.Errorf("no compositor: %v", err)
	}
	l, err := net.Listen("unix", w.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := w.Light(ctx, true); got != hw.Unknown || err == nil {
		t.Errorf("a compositor that says nothing: %v, %v", got, err)
	}
}

// compositorBytes is what a compositor of one output says when it is switched.
func compositorBytes(mode uint32) []byte {
	var b bytes.Buffer
	w := wire{c: &b}
	for _, e := range []error{
		w.request(registryID, registryGlobal, uint32(1), powerManager, uint32(1)),
		w.request(registryID, registryGlobal, uint32(2), output, uint32(4)),
		w.request(callbackID, 0, uint32(0)),
		w.request(6, powerMode, mode),
		w.request(7, 0, uint32(0)),
	} {
		if e != nil {
			panic(e)
		}
	}
	return b.Bytes()
}

func FuzzWlr(f *testing.F) {
	f.Add(compositorBytes(0), false)
	f.Add(compositorBytes(1), true)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, on bool) {
		peer := &recorded{Reader: bytes.NewReader(b)}
		p := power{wire: wire{c: peer}, modes: map[uint32]hw.Level{}}
		err := p.ask(on)
		if err == nil {
			for err == nil {
				err = p.step()
			}
			_ = p.level(on)
		}
		if peer.wrote > 8192 || len(p.outputs) > maxOutputs || len(err.Error()) > 1000 || errors.Is(err, io.EOF) {
			t.Fatalf("wrote %d bytes for %d outputs: %v", peer.wrote, len(p.outputs), err)
		}
	})
}

func TestWlrEvents(t *testing.T) {
	peer := &recorded{Reader: bytes.NewReader(compositorBytes(0))}
	p := power{wire: wire{c: peer}, modes: map[uint32]hw.Level{}}
	if err := p.ask(false); err != nil || p.level(false) != hw.Off {
		t.Errorf("%v, %v", p.level(false), err)
	}
}
