package supervise

import (
	"context"
	"errors"

	"borne/hw"
)

// Input is a supervised contact.
type Input struct {
	*Supervisor
	levels chan hw.Level
}

// Levels carries each change of level, hw.Unknown while the device is lost. It
// begins with hw.Unknown and is closed when the supervisor has ended.
func (i *Input) Levels() <-chan hw.Level { return i.levels }

// StartInput supervises the contact that open opens, until ctx ends. It returns
// at once, whatever the hardware does.
func StartInput(ctx context.Context, cfg Config, open func(context.Context) (hw.Input, error)) (*Input, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	i := &Input{levels: make(chan hw.Level, 1)}
	i.levels <- hw.Unknown
	last := hw.Unknown
	send := func(ctx context.Context, l hw.Level) {
		if l == last {
			return
		}
		select {
		case i.levels <- l:
			last = l
		case <-ctx.Done():
		}
	}
	i.Supervisor = start(ctx, cfg, job[hw.Input]{
		open: open,
		serve: func(ctx context.Context, dev hw.Input, _ func(error)) error {
			err := watch(ctx, dev, send)
			return errors.Join(err, dev.Close())
		},
		lost: func(ctx context.Context) { send(ctx, hw.Unknown) },
		end:  func() { close(i.levels) },
	})
	return i, nil
}

func watch(ctx context.Context, dev hw.Input, send func(context.Context, hw.Level)) error {
	ch, err := dev.Watch(ctx)
	if err != nil {
		return err
	}
	for {
		select {
		case l, ok := <-ch:
			if !ok {
				return errors.New("the contact stopped reporting")
			}
			send(ctx, l)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
