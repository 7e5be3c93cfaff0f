package screen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
)

// deaf hangs in the kernel when it is to darken, until release.
func deaf(release <-chan struct{}) func(context.Context, bool) (hw.Level, error) {
	return func(_ context.Context, on bool) (hw.Level, error) {
		if !on {
			<-release
		}
		return wanted(on), nil
	}
}

// slow takes all the time that it is given to darken.
func slow(ctx context.Context, on bool) (hw.Level, error) {
	if !on {
		<-ctx.Done()
		return hw.Unknown, ctx.Err()
	}
	return hw.On, nil
}

// Each way has its own time, whatever the caller has: a deaf and a slow one do not
// keep the third from being tried.
func TestSlowWaysDoNotKeepTheNext(t *testing.T) {
	for _, patience := range []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			last := &lamp{}
			c, d := newChain(t, false, &lamp{do: deaf(release)}, &lamp{do: slow}, last)
			for _, w := range c.ways {
				w.Timeout = SlowChange
			}
			needs := 2*SlowChange + time.Second
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			l, err := c.Light(ctx, false)
			if took := time.Since(began); took != min(patience, needs) {
				t.Errorf("with %v: took %v", patience, took)
			}
			if patience > needs {
				if l != hw.Off || err != nil {
					t.Errorf("with %v: %v, %v", patience, l, err)
				}
			} else {
				if l != hw.Unknown || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("with %v: %v, %v", patience, l, err)
				}
				expectLight(t, c, false, hw.Off) // who asks again joins what is under way
				if took := time.Since(began); took != needs {
					t.Errorf("dark after %v", took)
				}
			}
			if got := d.take(); got != "a=off b=off c=off" || last.lit {
				t.Errorf("with %v: darkened by %q", patience, got)
			}
			close(release)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Lighting from another goroutine overtakes, whichever way hangs, and whether its
// caller still waits or not: no further way is darkened, and none stays dark.
func TestLightOvertakesADarkeningThatHangs(t *testing.T) {
	for hangs := range 3 {
		for _, waits := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				lamps := []*lamp{{}, {}, {}}
				lamps[hangs].do = deaf(release)
				c, d := newChain(t, true, lamps...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if waits {
					ctx = t.Context()
				}
				dark := make(chan error, 1)
				go func() {
					_, err := c.Light(ctx, false)
					dark <- err
				}()
				time.Sleep(2 * time.Second)
				began := time.Now()
				expectLight(t, c, true, hw.Unknown)
				if took := time.Since(began); took > time.Second {
					t.Errorf("way %d: lit after %v", hangs, took)
				}
				if err := <-dark; waits && !errors.Is(err, ErrSuperseded) || !waits && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("way %d: the darkening: %v", hangs, err)
				}
				close(release)
				time.Sleep(time.Minute)
				want := []string{"a=off a=on", "a=off b=off b=on a=on", "a=off b=off c=off c=on b=on a=on"}[hangs]
				got := d.take()
				if hangs == 1 && got == "a=off b=off a=on b=on" || hangs == 2 && got == "a=off b=off c=off b=on a=on c=on" {
					got = want // it was lit when it came back
				}
				if got != want {
					t.Errorf("way %d: %q, want %q", hangs, got, want)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				for _, l := range lamps {
					if !l.lit {
						t.Errorf("way %d: %s is left dark", hangs, l.name)
					}
				}
			})
		}
	}
}

// Closed while it darkens behind.
func TestClosedWhileDarkening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine stays
		c, d := newChain(t, false, &lamp{do: slow}, &lamp{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Light(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if got := d.take(); got != "a=off" {
			t.Errorf("changes %q", got)
		}
	})
}

// A monitor that may not be cut yet is told as such, with the time, whatever the
// other ways say; then it is cut.
func TestTooSoonIsTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		all   bool
		first func(context.Context, bool) (hw.Level, error)
		level hw.Level
		soon  bool
	}{
		{"the first does not darken", false, func(context.Context, bool) (hw.Level, error) { return hw.On, nil }, hw.On, true},
		{"the first cannot say", false, unknown, hw.Unknown, true},
		{"the first fails", false, func(context.Context, bool) (hw.Level, error) { return hw.Unknown, hw.ErrAbsent }, hw.Unknown, true},
		{"the first does", false, nil, hw.Off, false},
		{"all are wanted", true, nil, hw.Off, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &relay{from: time.Now()}
			first := &lamp{name: "dpms", d: &diary{}, do: c.first}
			chain, err := NewChain(Config{All: c.all, Methods: []Method{{Name: "dpms", Screen: first}, {Name: "mains", Screen: NewMains(r)}}})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			l, err := chain.Light(t.Context(), false)
			var soon *TooSoonError
			if l != c.level || errors.Is(err, ErrTooSoon) != c.soon || errors.As(err, &soon) != c.soon || (err != nil) != c.soon {
				t.Fatalf("%s: %v, %v", c.name, l, err)
			}
			if !c.soon {
				return
			}
			time.Sleep(time.Until(soon.From))
			expectLight(t, chain, false, hw.Off)
			if len(r.at) != 1 || r.at[0] != MinOn {
				t.Errorf("%s: switched at %v", c.name, r.at)
			}
		})
	}
}
