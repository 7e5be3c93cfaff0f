package agent

import (
	"context"
	"time"

	"borne/hw"
)

const (
	// darkAfter is how long nobody has touched a closed terminal before it sleeps.
	darkAfter = time.Minute
	// touchEvery is how often a sleeping terminal looks for a hand: with the 0.9 s
	// that screens take at most, its light is back about a second after a touch.
	touchEvery = 100 * time.Millisecond
	// restEvery is how often a closed terminal that is awake looks whether it may sleep.
	restEvery = time.Second
	// darkWithin bounds a darkening: every way in turn, televisions included.
	darkWithin = time.Minute
	// lightWithin bounds a lighting, and is tried again when it fails.
	lightWithin = 3 * time.Second
	// darkAgain is when a screen that did not go dark is asked again.
	darkAgain = time.Minute
)

// sleeper darkens the screen of a closed terminal that nobody touches, and cuts
// what is on its relay. One goroutine owns it.
type sleeper struct {
	*Agent
	now     signal
	asleep  bool               // told to be dark
	stop    context.CancelFunc // of the darkening under way; nil: none
	done    chan error
	nextTry time.Duration // of a darkening that failed
}

func (a *Agent) sleep(work context.Context) {
	if a.parts.Screen == nil && a.parts.Mains == nil {
		return
	}
	s := &sleeper{Agent: a, done: make(chan error, 1)}
	s.wake(work) // whatever the last run left
	look := time.NewTimer(restEvery)
	defer look.Stop()
	for {
		select {
		case <-work.Done():
			return
		case s.now = <-a.sleeps:
		case <-look.C:
		case err := <-s.done:
			s.stop()
			s.stop = nil
			if err != nil && s.asleep { // else a touch took it back
				a.log.Warn("the screen does not go dark", "error", err, "again_in", darkAgain)
				s.nextTry = a.parts.Clock.Mono() + darkAgain
			}
		}
		if !s.now.closed && !s.asleep {
			continue // an open terminal asks nobody for hands: its processor rests
		}
		s.decide(work)
		look.Reset(map[bool]time.Duration{true: touchEvery, false: restEvery}[s.asleep])
	}
}

// decide wakes at once, even over a darkening that is under way.
func (s *sleeper) decide(work context.Context) {
	want := s.now.closed && s.untouched() >= darkAfter
	switch {
	case !want && s.asleep:
		s.asleep = !s.wake(work)
	case want && s.stop == nil && (!s.asleep || s.nextTry > 0 && s.parts.Clock.Mono() >= s.nextTry):
		s.asleep, s.nextTry = true, 0
		s.switchTo(work, s.parts.Mains, hw.Off)
		ctx, cancel := context.WithTimeout(work, darkWithin)
		s.stop = cancel
		s.workers.Go(func() { s.done <- s.light(ctx, false) })
	}
}

// wake tells whether the light is back; one that is not is asked for again.
func (s *sleeper) wake(work context.Context) bool {
	if s.stop != nil {
		s.stop() // and its end is taken from done
	}
	s.nextTry = 0
	ctx, cancel := context.WithTimeout(work, lightWithin)
	defer cancel()
	s.switchTo(work, s.parts.Mains, hw.On) // the display may hang on it
	err := s.light(ctx, true)
	if err != nil {
		s.log.Warn("the screen stays dark", "error", err)
	}
	return err == nil
}

func (s *sleeper) light(ctx context.Context, on bool) error {
	if s.parts.Screen == nil {
		return nil
	}
	level, err := s.parts.Screen.Light(ctx, on)
	if err == nil {
		s.log.Info("screen", "lit", on, "verified", level == levelOf(on))
	}
	return err
}

// untouched is how long neither a hand nor a badge nor a change of phase was there.
func (s *sleeper) untouched() time.Duration {
	idle, err := s.parts.Stage.Idle()
	if err != nil {
		return 0 // nobody is left in the dark for what cannot be known
	}
	return min(idle, s.parts.Clock.Mono()-s.now.since)
}
