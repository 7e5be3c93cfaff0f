package watchdog

import (
	"context"
	"log/slog"
	"time"
)

// Clock is the time a guard lives in.
type Clock interface {
	Sleep(ctx context.Context, d time.Duration) error
}

// feeder is a watchdog, as a guard sees it.
type feeder interface {
	Feed() error
	Timeout() time.Duration
	Close() error
}

// feeds is how often a watchdog is fed within its timeout: two may be late.
const feeds = 3

// Guard feeds w as long as healthy says nil, until ctx ends; then it stops w, so
// that an orderly end restarts nothing, and returns its error. While healthy says
// an error, or does not return, w is not fed: unless health comes back within
// its timeout, the machine restarts. Each change is logged once.
func Guard(ctx context.Context, w feeder, clk Clock, healthy func(context.Context) error, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	starving := false
	for {
		err := healthy(ctx)
		if ctx.Err() != nil {
			return w.Close()
		}
		if err == nil {
			err = w.Feed()
		}
		switch {
		case err != nil && !starving:
			starving = true
			log.Error("the watchdog is not fed: the machine restarts unless this passes", "within", w.Timeout(), "why", err)
		case err == nil && starving:
			starving = false
			log.Info("the watchdog is fed again")
		}
		if clk.Sleep(ctx, w.Timeout()/feeds) != nil {
			return w.Close()
		}
	}
}
