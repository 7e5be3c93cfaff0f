package screen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
)

// diary is what happened to the displays of a test, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(format string, a ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, a...))
}

func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := strings.Join(d.lines, " ")
	d.lines = nil
	return s
}

// lamp is a display that does as it is told, unless do says otherwise.
type lamp struct {
	name string
	d    *diary
	do   func(ctx context.Context, on bool) (hw.Level, error)

	mu  sync.Mutex
	lit bool
}

func (l *lamp) Light(ctx context.Context, on bool) (hw.Level, error) {
	l.d.add("%s=%v", l.name, wanted(on))
	if l.do != nil {
		if got, err := l.do(ctx, on); err != nil || got != wanted(on) {
			return got, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lit = on
	return wanted(on), nil
}

// fail makes every change fail from now on.
func (l *lamp) fail(err error) {
	l.do = func(context.Context, bool) (hw.Level, error) { return hw.Unknown, err }
}

func newChain(t *testing.T, all bool, lamps ...*lamp) (*Chain, *diary) {
	t.Helper()
	d := &diary{}
	cfg := Config{All: all}
	for i, l := range lamps {
		l.name, l.d, l.lit = string(rune('a'+i)), d, true
		cfg.Methods = append(cfg.Methods, Method{Name: l.name, Screen: l, Timeout: 5 * time.Second})
	}
	c, err := NewChain(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

func expectLight(t *testing.T, c *Chain, on bool, want hw.Level) {
	t.Helper()
	if l, err := c.Light(t.Context(), on); err != nil || l != want {
		t.Fatalf("light %v: %v, %v, want %v", on, l, err, want)
	}
}

func unknown(context.Context, bool) (hw.Level, error) { return hw.Unknown, nil }

func TestDarkensByTheFirstThatIsVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := newChain(t, false, &lamp{do: unknown}, &lamp{do: func(_ context.Context, on bool) (hw.Level, error) {
			return hw.Unknown, errors.New("cannot: no such screen")
		}}, &lamp{}, &lamp{})
		expectLight(t, c, false, hw.Off)
		if got := d.take(); got != "a=off b=off c=off" {
			t.Errorf("darkened by %q", got)
		}
		// All three were used, whatever they said; d was not.
		l, err := c.Light(t.Context(), true)
		if l != hw.Unknown || err == nil || !strings.Contains(err.Error(), "no such screen") {
			t.Errorf("light: %v, %v", l, err)
		}
		if got := d.take(); got != "c=on b=on a=on" {
			t.Errorf("lit by %q", got)
		}
		// c was seen lit; the others must be tried again.
		_, _ = c.Light(t.Context(), true)
		if got := d.take(); got != "b=on a=on" {
			t.Errorf("lit again by %q", got)
		}
		r := c.Report()
		if len(r) != 3 || r[0].Verified || r[0].Err != nil || r[1].Err == nil || !r[2].Verified || r[2].Level != hw.On || r[2].Pending {
			t.Errorf("report %+v", r)
		}
	})
}

func TestDarkensByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := newChain(t, true, &lamp{}, &lamp{do: unknown}, &lamp{})
		expectLight(t, c, false, hw.Off)
		expectLight(t, c, true, hw.Unknown) // b cannot say
		if got := d.take(); got != "a=off b=off c=off c=on b=on a=on" {
			t.Errorf("changes %q", got)
		}
	})
}

func TestAFreshChainLightsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := newChain(t, false, &lamp{}, &lamp{})
		expectLight(t, c, true, hw.On)
		if got := d.take(); got != "b=on a=on" {
			t.Errorf("lit by %q", got)
		}
	})
}

func TestNothingThatDarkensIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newChain(t, false, &lamp{do: func(context.Context, bool) (hw.Level, error) { return hw.On, nil }})
		expectLight(t, c, false, hw.On) // read back: it is still lit
		c, _ = newChain(t, false, &lamp{do: func(context.Context, bool) (hw.Level, error) { return hw.Unknown, hw.ErrAbsent }})
		if l, err := c.Light(t.Context(), false); l != hw.Unknown || !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("%v, %v", l, err)
		}
	})
}

func TestAHungMethodDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a, b, last := &lamp{}, &lamp{}, &lamp{}
		b.do = func(_ context.Context, on bool) (hw.Level, error) {
			if on {
				<-release // deaf, as in a hung ioctl
			}
			return wanted(on), nil
		}
		c, d := newChain(t, true, a, b, last)
		expectLight(t, c, false, hw.Off)
		d.take()
		began := time.Now()
		a.do = func(_ context.Context, on bool) (hw.Level, error) {
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("the last to be lit waited for %v", took)
			}
			return hw.On, nil
		}
		expectLight(t, c, true, hw.Unknown)
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
		if got := d.take(); got != "c=on b=on a=on" {
			t.Errorf("lit by %q", got)
		}
		if r := c.Report(); !r[1].Pending || r[0].Pending {
			t.Errorf("report %+v", r)
		}
		for range 20 { // touches do not pile up behind it
			_, _ = c.Light(t.Context(), true)
		}
		close(release)
		synctest.Wait()
		if got := d.take(); got != "" {
			t.Errorf("it was asked again: %q", got)
		}
		if r := c.Report(); !r[1].Verified || r[1].Pending || r[1].Took < time.Second {
			t.Errorf("report %+v", r[1])
		}
	})
}

func TestALateDarkeningDoesNotStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &lamp{}
		release := make(chan struct{})
		a.do = func(_ context.Context, on bool) (hw.Level, error) {
			if !on {
				<-release
			}
			return wanted(on), nil
		}
		c, d := newChain(t, false, a, &lamp{})
		dark := make(chan error, 1)
		go func() {
			_, err := c.Light(t.Context(), false)
			dark <- err
		}()
		synctest.Wait()
		began := time.Now()
		expectLight(t, c, true, hw.Unknown)
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
		if err := <-dark; !errors.Is(err, ErrSuperseded) {
			t.Errorf("the darkening: %v", err)
		}
		close(release)
		synctest.Wait()
		if got := d.take(); got != "a=off a=on" || !a.lit {
			t.Errorf("changes %q, lit %v", got, a.lit)
		}
	})
}

func TestLightInterruptsASlowDarkening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &lamp{do: func(ctx context.Context, on bool) (hw.Level, error) {
			if !on {
				<-ctx.Done()
				return hw.Unknown, ctx.Err()
			}
			return hw.On, nil
		}}
		c, _ := newChain(t, false, a)
		go func() { _, _ = c.Light(t.Context(), false) }()
		synctest.Wait()
		began := time.Now()
		expectLight(t, c, true, hw.On)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestAskedTheOppositeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lamp{}
		c, _ := newChain(t, false, l)
		w := c.ways[0]
		for range 100 {
			w.ask(false)
			<-w.ask(true).done // perhaps before the first has begun
			if !l.lit {
				t.Fatal("left dark")
			}
		}
	})
}

func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, release := &diary{}, make(chan struct{})
		minds := &lamp{name: "a", d: d, do: func(ctx context.Context, on bool) (hw.Level, error) {
			<-ctx.Done()
			return hw.Unknown, ctx.Err()
		}}
		hangs := &lamp{name: "b", d: d, do: func(context.Context, bool) (hw.Level, error) { <-release; return hw.Unknown, nil }}
		method := func(l *lamp) Method {
			return Method{Name: l.name, Screen: l, Close: func() error { d.add("%s closed", l.name); return nil }}
		}
		c, err := NewChain(Config{Methods: []Method{method(hangs), method(minds)}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Light(t.Context(), true)
		d.take()
		if err := c.Close(); err == nil || !strings.Contains(err.Error(), "hangs") {
			t.Errorf("closed: %v", err)
		}
		if got := d.take(); got != "a closed" {
			t.Errorf("a method that hangs keeps the others: %q", got)
		}
		close(release)
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if got := d.take(); got != "b closed" {
			t.Errorf("what came back: %q", got)
		}
		if _, err := c.Light(t.Context(), true); !errors.Is(err, hw.ErrClosed) && !errors.Is(err, context.Canceled) {
			t.Errorf("a closed chain was used: %v", err)
		}
		if got := d.take(); got != "" {
			t.Errorf("it did %q", got)
		}
	})
}

// Whatever hangs, fails or comes late: once people have lit the display and
// what hung has come back, no method is left dark that could be lit.
func TestNothingStaysDarkAfterATouch(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			roll := func(n int) int { mu.Lock(); defer mu.Unlock(); return rnd.IntN(n) }
			lamps := make([]*lamp, 1+roll(4))
			calm := false // guarded by mu
			for i := range lamps {
				l := &lamp{}
				l.do = func(ctx context.Context, on bool) (hw.Level, error) {
					mu.Lock()
					quiet := calm
					mu.Unlock()
					if quiet {
						return wanted(on), nil
					}
					d := time.Duration(roll(9000)) * time.Millisecond
					switch roll(4) {
					case 0: // deaf, and works in the end
						time.Sleep(d)
					case 1:
						if sleep(ctx, d) != nil {
							return hw.Unknown, ctx.Err()
						}
					case 2: // it works, but says that it failed
						l.mu.Lock()
						l.lit = on
						l.mu.Unlock()
						return hw.Unknown, errors.New("cannot say")
					}
					return wanted(on), nil
				}
				lamps[i] = l
			}
			c, _ := newChain(t, roll(2) == 0, lamps...)
			var wg sync.WaitGroup
			for range 12 {
				on := roll(2) == 0
				began := time.Now()
				do := func() {
					_, _ = c.Light(t.Context(), on)
					if took := time.Since(began); on && took > time.Second {
						t.Errorf("seed %d: lit after %v", seed, took)
					}
				}
				if roll(2) == 0 {
					do()
				} else {
					wg.Go(do)
					time.Sleep(time.Duration(roll(3000)) * time.Millisecond)
				}
			}
			wg.Wait()
			mu.Lock()
			calm = true
			mu.Unlock()
			_, _ = c.Light(t.Context(), true) // the touch
			time.Sleep(time.Minute)
			_, _ = c.Light(t.Context(), true)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if slices.ContainsFunc(lamps, func(l *lamp) bool { return !l.lit }) {
				t.Errorf("seed %d: a method is left dark", seed)
			}
		})
	}
}

func TestChainConfigIsChecked(t *testing.T) {
	m := Method{Name: "a", Screen: &lamp{d: &diary{}}}
	for _, cfg := range []Config{{}, {Methods: []Method{m, m}}, {Methods: []Method{{Name: "a"}}}, {Methods: make([]Method, 9)}} {
		if _, err := NewChain(cfg); err == nil {
			t.Errorf("%d methods were taken", len(cfg.Methods))
		}
	}
}
