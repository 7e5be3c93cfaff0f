package fleet

import (
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// longestSleep bounds what a terminal is believed of its alarm: it sleeps for a day
// at most, and its clock may be a little off.
const longestSleep = 26 * time.Hour

// slept keeps that a terminal goes off by plan, and until when: in the night it is
// not missed, also by a controller that was restarted meanwhile. Whatever it says
// once it is back ends that. Only a change reaches the disk.
func (c *conn) slept(s wire.Status) {
	now := c.f.cfg.Now().UTC()
	var wakes time.Time
	if p := s.Power; p != nil && p.Power == wire.PowerHalting && p.Wakes.After(now) && p.Wakes.Before(now.Add(longestSleep)) {
		wakes = p.Wakes.UTC()
	}
	if c.wakes != nil && c.wakes.Equal(wakes) {
		return
	}
	changed := false
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		changed = false
		t, err := trusted(tx, c.terminal, c.serial)
		if err != nil || t.Row.Wakes.Equal(wakes) {
			return err
		}
		if t.Row.Wakes, t.Row.Asleep = wakes, now; wakes.IsZero() {
			t.Row.Asleep = time.Time{}
		}
		changed = true
		return store.Put(tx, t)
	})
	if err != nil {
		if c.f.ctx.Err() == nil {
			c.log.Error("cannot keep when the terminal wakes", "err", err) // the next status tries again
		}
		return
	}
	if c.wakes = &wakes; changed {
		c.f.Changed(c.terminal)
	}
}
