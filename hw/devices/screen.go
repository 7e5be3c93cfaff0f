package devices

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"borne/hw"
	"borne/hw/screen"
	"borne/hw/supervise"
)

// Display says where the terminal's own display is.
type Display struct {
	X11       string // ":N"; empty: there is none
	Authority string // file with its cookie
	Wayland   string // a compositor's socket; empty: there is none
}

// quickChange is the longest that a method takes which does not wait for a
// television, screen.MinOff included.
const quickChange = screen.MinOff + 2*time.Second

// OpenScreens opens a display with the ways to darken it, in the order in which
// they are tried. In the configuration they are roles in order:
//
//	screen-1 = "x11:auto"
//	screen-2 = "cec:/dev/cec0"
//	screen-3 = any output: the relay of the monitor's mains
//
// all darkens by all of them; otherwise the first that is verified is enough.
func OpenScreens(ways []hw.Device, all bool, env Env) (*screen.Chain, error) {
	cfg := screen.Config{All: all, Log: env.Log}
	fail := func(err error) (*screen.Chain, error) {
		for _, m := range cfg.Methods {
			if m.Close != nil {
				err = errors.Join(err, m.Close())
			}
		}
		return nil, err
	}
	for _, d := range ways {
		m, err := openMethod(d, env)
		if err != nil {
			return fail(err)
		}
		cfg.Methods = append(cfg.Methods, m)
	}
	c, err := screen.NewChain(cfg)
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// OpenScreen opens a display with one way to darken it.
func OpenScreen(d hw.Device, env Env) (*screen.Chain, error) {
	return OpenScreens([]hw.Device{d}, false, env)
}

// checkScreen checks a screen's options.
func checkScreen(d hw.Device) error {
	if a, ok := d.Options["authority"]; ok && !strings.HasPrefix(a, "/") {
		return fmt.Errorf("cannot use device %q: option authority=%s must be a file's whole path", d, a)
	}
	return nil
}

func openMethod(d hw.Device, env Env) (screen.Method, error) {
	m := screen.Method{Name: d.String(), Timeout: quickChange}
	if err := checkScreen(d); err != nil {
		return m, err
	}
	auto := d.Path == "auto"
	switch {
	case d.Driver == "screen":
		if err := env.usable(d, "screen", "screen"); err != nil {
			return m, err
		}
		m.Screen = env.Bench.Screen()
	case d.Driver == "x11":
		x := screen.X11{Display: d.Path, Authority: d.Options["authority"]}
		if auto {
			x.Display = env.Display.X11
			if x.Authority == "" {
				x.Authority = env.Display.Authority
			}
		}
		if x.Display == "" {
			return m, fmt.Errorf("cannot open device %q: the terminal has no X display of its own; write which one, as in x11::0", d)
		}
		m.Screen = x
	case d.Driver == "wlr":
		w := screen.Wlr{Socket: d.Path}
		if auto {
			w.Socket = env.Display.Wayland
		}
		if w.Socket == "" {
			return m, fmt.Errorf("cannot open device %q: the terminal has no Wayland compositor of its own; write its socket, as in wlr:/run/user/1000/wayland-1", d)
		}
		m.Screen = w
	case d.Driver == "cec":
		m.Screen, m.Timeout = screen.CEC{Path: d.Path}, screen.SlowChange
	case d.Driver == "backlight":
		b, err := screen.NewBacklight(screen.BacklightRoot, d.Path)
		if err != nil {
			return m, err
		}
		m.Screen = b
	default:
		return openMains(m, d, env)
	}
	return m, nil
}

// openMains supervises the relay: one that is not there yet, or is lost, leaves
// the other ways as they are, and is switched when it comes back.
func openMains(m screen.Method, d hw.Device, env Env) (screen.Method, error) {
	if err := env.usable(d, "screen", append([]string{"x11", "wlr", "cec", "backlight"}, outputDrivers()...)...); err != nil {
		return m, err
	}
	if err := Check(d); err != nil {
		return m, err
	}
	life, end := context.WithCancel(context.Background())
	cfg := supervise.Config{Name: "screen", Device: d.String(), Clock: env.Clock, Log: env.Log}
	relay, err := supervise.StartOutput(life, cfg, func(ctx context.Context) (hw.Output, error) { return OpenOutput(ctx, d, env) })
	if err != nil {
		end()
		return m, err
	}
	m.Screen = screen.NewMains(relay)
	m.Close = func() error {
		end()
		<-relay.Done()
		return nil
	}
	return m, nil
}
