package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"borne/hw"
)

// BacklightRoot is where Linux shows backlights
// (Documentation/ABI/stable/sysfs-class-backlight).
const BacklightRoot = "/sys/class/backlight"

// Values of bl_power (FB_BLANK_ in linux/fb.h).
const (
	blUnblank   = "0"
	blPowerdown = "4"
)

// Backlight switches a panel's backlight.
type Backlight struct {
	dir   string
	write func(name, value string) error

	mu     sync.Mutex
	before string // brightness that was there before it had to be set to 0
	bright int    // before it was dimmed; 0: it is not
}

// NewBacklight returns the backlight of that name below root.
func NewBacklight(root, name string) (*Backlight, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`).MatchString(name) || strings.Contains(name, "..") {
		return nil, fmt.Errorf("cannot use backlight %.64q: write its name as in %s", name, root)
	}
	b := &Backlight{dir: filepath.Join(root, name)}
	b.write = b.writeFile
	return b, nil
}

// Light implements hw.Screen.
func (b *Backlight) Light(ctx context.Context, on bool) (hw.Level, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return hw.Unknown, err
	}
	l, err := b.light(on)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", hw.ErrAbsent, err)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; give bl_power and brightness to the agent's user with a udev rule", err)
	}
	if err != nil {
		return hw.Unknown, fmt.Errorf("cannot %s by backlight %s: %w", word(on), filepath.Base(b.dir), err)
	}
	return l, nil
}

func (b *Backlight) light(on bool) (hw.Level, error) {
	if on {
		if err := b.write("bl_power", blUnblank); err != nil {
			return hw.Unknown, err
		}
		now, err := b.read("brightness")
		if err != nil {
			return hw.Unknown, err
		}
		if now == 0 { // ours or another's doing: a lit panel at 0 is dark
			to := b.before
			if to == "" {
				most, err := b.read("max_brightness")
				if err != nil {
					return hw.Unknown, err
				}
				to = strconv.Itoa(most)
			}
			if err := b.write("brightness", to); err != nil {
				return hw.Unknown, err
			}
		}
		b.before = ""
		return b.level()
	}
	if err := b.write("bl_power", blPowerdown); err != nil {
		return hw.Unknown, err
	}
	if l, err := b.level(); err != nil || l == hw.Off {
		return l, err
	}
	// Some drivers ignore bl_power; the brightness they have to mind.
	now, err := b.read("brightness")
	if err != nil {
		return hw.Unknown, err
	}
	if now > 0 {
		b.before = strconv.Itoa(now)
	}
	if err := b.write("brightness", "0"); err != nil {
		return hw.Unknown, err
	}
	return b.level()
}

// level reads back. A driver that shows the brightness asked for instead of
// the actual one is believed about bl_power.
func (b *Backlight) level() (hw.Level, error) {
	power, err := b.read("bl_power")
	if err != nil {
		return hw.Unknown, err
	}
	bright, err := b.read("brightness")
	if err != nil {
		return hw.Unknown, err
	}
	if power != 0 || bright == 0 {
		return hw.Off, nil
	}
	return hw.On, nil
}

func (b *Backlight) read(name string) (int, error) {
	f, err := os.Open(filepath.Join(b.dir, name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	v, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(v)))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s reads %.32q, which is no number", name, v)
	}
	return n, nil
}

// writeFile never makes a file: a backlight that is gone stays gone.
func (b *Backlight) writeFile(name, value string) error {
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
