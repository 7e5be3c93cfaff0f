package server

import (
	"context"
	"time"
)

// rolloutsEvery is how often changes of rules that go to a few terminals first are
// looked at.
const rolloutsEvery = 10 * time.Second

func (s *Server) rollouts(ctx context.Context) {
	t := time.NewTicker(rolloutsEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := s.api.StepRollouts(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot go on with a change of rules", "error", err)
		}
	}
}
