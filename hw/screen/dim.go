package screen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"borne/hw"
)

// ErrCannotDim: the display has no light whose strength can be set.
var ErrCannotDim = errors.New("no way to switch this display sets its strength")

// Dimmer is a way to switch a display that can also make it darker.
type Dimmer interface {
	Dim(ctx context.Context, dim bool) error
}

// dimTo is the part of its light that a dimmed panel keeps: eyes see a quarter
// of the light as half as bright, and text stays readable in a lit hall.
const dimTo = 4

// Dim makes the display darker, or as bright as before, by the first way that
// can. It wraps ErrCannotDim when none does.
func (c *Chain) Dim(ctx context.Context, dim bool) error {
	for _, w := range c.ways {
		if d, ok := w.Screen.(Dimmer); ok {
			return d.Dim(ctx, dim)
		}
	}
	return fmt.Errorf("cannot dim the display: %w", ErrCannotDim)
}

// Dim implements Dimmer. A panel that an earlier process left at a quarter of its
// strength or less is made as bright as it can be: nobody knows what it was.
func (b *Backlight) Dim(ctx context.Context, dim bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.dim(dim)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", hw.ErrAbsent, err)
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w; give brightness to the agent's user with a udev rule", err)
	}
	if err != nil {
		return fmt.Errorf("cannot set the strength of backlight %s: %w", filepath.Base(b.dir), err)
	}
	return nil
}

func (b *Backlight) dim(dim bool) error {
	now, err := b.read("brightness")
	if err != nil {
		return err
	}
	if now == 0 {
		return errors.New("it is dark")
	}
	if dim {
		if b.bright == 0 {
			b.bright = now
		}
		return b.strength(max(1, b.bright/dimTo))
	}
	to := b.bright
	if to == 0 {
		most, err := b.read("max_brightness")
		if err != nil {
			return err
		}
		if now > most/dimTo {
			return nil
		}
		to = most
	}
	b.bright = 0
	return b.strength(to)
}

// strength sets it, and reads it back.
func (b *Backlight) strength(to int) error {
	if err := b.write("brightness", strconv.Itoa(to)); err != nil {
		return err
	}
	now, err := b.read("brightness")
	if err == nil && now != to {
		err = fmt.Errorf("it reads %d after %d", now, to)
	}
	return err
}
