package watchdog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
	"borne/hw/clock"
)

// dog is a watchdog that says when it would fire.
type dog struct {
	mu     sync.Mutex
	fed    time.Time
	feeds  int
	err    error
	closed bool
}

func (d *dog) Timeout() time.Duration { return 15 * time.Second }
func (d *dog) Close() error           { d.mu.Lock(); defer d.mu.Unlock(); d.closed = true; return nil }
func (d *dog) Feed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.fed, d.feeds = time.Now(), d.feeds+1
	}
	return d.err
}
func (d *dog) fires() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.fed) > d.Timeout()
}

func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dog{fed: time.Now()}
		var log bytes.Buffer
		var sick error // under d.mu
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Guard(ctx, d, clock.NewMonotonic(), func(context.Context) error {
				d.mu.Lock()
				defer d.mu.Unlock()
				return sick
			}, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if d.fires() || d.feeds < 100 || log.Len() > 0 {
			t.Errorf("a healthy terminal: fires %v, fed %d times, log %s", d.fires(), d.feeds, &log)
		}
		for name, fail := range map[string]func(error){"the agent": func(err error) { sick = err }, "the watchdog": func(err error) { d.err = err }} {
			log.Reset()
			d.mu.Lock()
			fail(errors.New("one goroutine does not answer"))
			d.mu.Unlock()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if d.fires() {
				t.Errorf("%s: it fires at once", name)
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
			if !d.fires() || strings.Count(log.String(), "is not fed") != 1 || !strings.Contains(log.String(), "does not answer") {
				t.Errorf("%s: fires %v, log %s", name, d.fires(), &log)
			}
			d.mu.Lock()
			fail(nil)
			d.mu.Unlock()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if d.fires() || !strings.Contains(log.String(), "fed again") {
				t.Errorf("%s is back: fires %v, log %s", name, d.fires(), &log)
			}
		}
		cancel()
		if err := <-ended; err != nil || !d.closed {
			t.Errorf("at the end: %v, stopped %v", err, d.closed)
		}
	})
}

// A check that hangs starves the watchdog, and still does not hold up the end.
func TestGuardOfAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dog{fed: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- Guard(ctx, d, clock.NewMonotonic(), func(ctx context.Context) error { <-ctx.Done(); return nil }, nil)
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !d.fires() {
			t.Error("it was fed")
		}
		cancel()
		if err := <-ended; err != nil || !d.closed || d.feeds != 0 {
			t.Errorf("at the end: %v, stopped %v, fed %d times", err, d.closed, d.feeds)
		}
	})
}

func TestCauses(t *testing.T) {
	for c, want := range map[Cause]string{0: "not told", CauseReset: "watchdog fired", CauseReset | CauseUnderPower: "watchdog fired, power too low", 0x4 | CauseOverheat: "overheating, flags 0x4"} {
		if c.String() != want {
			t.Errorf("0x%x is %q, want %q", uint32(c), c, want)
		}
	}
}

func TestBadOpenings(t *testing.T) {
	if _, err := Open("/dev/watchdog99", Options{}); !errors.Is(err, hw.ErrAbsent) || !strings.HasPrefix(err.Error(), "cannot open watchdog /dev/watchdog99: ") {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
	for _, d := range []time.Duration{time.Second, time.Hour, -1} {
		if _, err := Open("/dev/watchdog99", Options{Timeout: d}); err == nil || !strings.Contains(err.Error(), "must be between 5s and 10m0s") {
			t.Errorf("timeout %v: error %v", d, err)
		}
	}
	if _, err := Open("/dev/null", Options{}); err == nil || !strings.Contains(err.Error(), "is no watchdog") {
		t.Errorf("error %v", err)
	}
}

// softdog is the kernel's own watchdog; a test never opens another, which would
// restart the machine.
func softdog(t *testing.T) *Watchdog {
	t.Helper()
	name, err := os.ReadFile("/sys/class/watchdog/watchdog0/identity")
	if err != nil || strings.TrimSpace(string(name)) != "Software Watchdog" || os.Getenv("BORNE_HW_KERNEL") == "" {
		t.Skip("SKIP: no software watchdog that may be opened here; scripts/hw-kernel has one")
	}
	w, err := Open("/dev/watchdog0", Options{Timeout: 120 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func state(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/sys/class/watchdog/watchdog0/state")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestKernelWatchdog(t *testing.T) {
	w := softdog(t)
	if w.Identity() != "Software Watchdog" || w.Timeout() != 120*time.Second || w.Cause() != 0 {
		t.Errorf("it is %q, fires after %v, cause %v", w.Identity(), w.Timeout(), w.Cause())
	}
	if state(t) != "active" {
		t.Errorf("open, it is %s", state(t))
	}
	if _, err := Open("/dev/watchdog0", Options{}); err == nil || !strings.Contains(err.Error(), "another program feeds it already; is it systemd") {
		t.Errorf("opened twice: %v", err)
	}
	for range 3 {
		if err := w.Feed(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if state(t) != "inactive" {
		t.Errorf("closed, it is %s", state(t))
	}
	if err := w.Feed(); !errors.Is(err, hw.ErrClosed) {
		t.Errorf("fed after Close: %v", err)
	}
}

// One that was let go without a word goes on, and can be caught again.
func TestKernelWatchdogOfTheDead(t *testing.T) {
	w := softdog(t)
	if err := w.f.Close(); err != nil { // as the kernel closes a killed process's
		t.Fatal(err)
	}
	if state(t) != "active" {
		t.Fatalf("its owner died, and it is %s", state(t))
	}
	again, err := Open("/dev/watchdog0", Options{Timeout: 60 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if again.Timeout() != 60*time.Second {
		t.Errorf("it fires after %v", again.Timeout())
	}
	if err := again.Close(); err != nil || state(t) != "inactive" {
		t.Errorf("%v, it is %s", err, state(t))
	}
}
