package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/calendar"
	"borne/controller/compliance"
	"borne/controller/fetch"
	"borne/controller/policy"
	"borne/controller/store"
)

// When the addresses of calendars are asked. The official one changes once or
// twice a year.
const (
	calendarEvery = 7 * 24 * time.Hour
	calendarAgain = 24 * time.Hour // after a failure
	calendarLook  = time.Hour      // how often it is seen whether one is due
)

// calendars keeps the official calendar of each zone.
type calendars struct {
	core  *core
	fetch *fetch.Fetcher
	busy  chan struct{} // one token: one import at a time
}

func newCalendars(k *core) *calendars {
	return &calendars{core: k, busy: make(chan struct{}, 1), fetch: fetch.New(fetch.Config{MaxBytes: calendar.MaxBytes, Agent: "Borne/" + cmp.Or(k.version, "dev"),
		Proxy: k.cfg.Calendars.Proxy, Decides: k.cfg.Calendars.Decides, Private: k.cfg.Calendars.Private, Roots: k.roots})}
}

// Close lets go of the network.
func (c *calendars) Close() { c.fetch.Close() }

// hold waits for the import before; what it returns lets the next one in.
func (c *calendars) hold(ctx context.Context) (func(), error) {
	select {
	case c.busy <- struct{}{}:
		return func() { <-c.busy }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot import the calendar: %w", ctx.Err())
	}
}

// ImportCalendar implements api.Calendars. A file takes the place of an address:
// what somebody brought by hand is not overwritten a week later.
func (c *calendars) ImportCalendar(ctx context.Context, zone policy.Zone, file []byte, anyway bool, by string) error {
	done, err := c.hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	cal, err := calendar.Read(file, zone, c.core.now())
	if err != nil {
		return c.fail(ctx, zone, by, err)
	}
	return c.keep(ctx, zone, by, &cal, anyway, func(r *store.CalendarRow) {
		r.Source, r.Address, r.ETag, r.Modified, r.Tried = store.CalendarFile, "", "", "", time.Time{}
	})
}

// FetchCalendar implements api.Calendars. An address that gives a calendar is
// asked again each week; one that does not leaves the former one.
func (c *calendars) FetchCalendar(ctx context.Context, zone policy.Zone, address, by string) error {
	done, err := c.hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	return c.ask(ctx, zone, address, by)
}

// StopCalendar implements api.Calendars: the calendar stays, its address is asked
// no more.
func (c *calendars) StopCalendar(ctx context.Context, zone policy.Zone, by string) error {
	done, err := c.hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	return c.core.st.Decide(ctx, func(tx store.Tx) error {
		row, err := calendarRow(tx, zone)
		if err != nil {
			return err
		}
		if row.Row.Address == "" {
			return nil
		}
		row.Row.Address, row.Row.ETag, row.Row.Modified, row.Row.Tried = "", "", "", time.Time{}
		if err := store.Put(tx, row); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: c.core.now(), Actor: by, Action: "calendar.stopped", Target: string(zone)})
	})
}

func (c *calendars) ask(ctx context.Context, zone policy.Zone, address, by string) error {
	var before store.CalendarRow
	err := c.core.st.View(ctx, func(tx store.Tx) error {
		row, err := calendarRow(tx, zone)
		before = row.Row
		return err
	})
	if err != nil {
		return err
	}
	if before.Address != address {
		before.ETag, before.Modified = "", "" // marks are of one address
	}
	now := c.core.now().UTC()
	got, err := c.fetch.Get(ctx, address, before.ETag, before.Modified)
	if err != nil {
		return c.fail(ctx, zone, by, err)
	}
	var cal *calendar.Calendar
	if !got.Same {
		read, err := calendar.Read(got.Body, zone, now)
		if err != nil {
			return c.fail(ctx, zone, by, err)
		}
		cal = &read
	}
	return c.keep(ctx, zone, by, cal, false, func(r *store.CalendarRow) {
		r.Source, r.Address, r.ETag, r.Modified, r.Tried = store.CalendarAddress, address, got.ETag, got.Modified, now
	})
}

func calendarRow(tx store.Tx, zone policy.Zone) (store.Item[store.CalendarRow], error) {
	row, err := store.Get[store.CalendarRow](tx, string(zone))
	if errors.Is(err, store.ErrNotFound) {
		return store.Item[store.CalendarRow]{Meta: store.Meta{ID: string(zone)}, Row: store.CalendarRow{Breaks: []store.CalendarBreak{}}}, nil
	}
	return row, err
}

// keep puts a calendar into force; nil is the one that is there, seen again. If
// its days are others than before, policies have a new version, and terminals
// hear of it at once.
func (c *calendars) keep(ctx context.Context, zone policy.Zone, by string, cal *calendar.Calendar, anyway bool, from func(*store.CalendarRow)) error {
	changed := false
	var refused *calendar.Error
	err := c.core.st.Decide(ctx, func(tx store.Tx) error {
		row, err := calendarRow(tx, zone)
		if err != nil {
			return err
		}
		now, turned := c.core.now().UTC(), row.Row.Address
		refused = nil
		var whole calendar.Calendar
		if cal != nil {
			if whole, refused = cal.Over(compliance.Breaks(row.Row), now, anyway); refused != nil {
				return nil
			}
		}
		from(&row.Row)
		row.Row.Imported, row.Row.Error, row.Row.Failed = now, "", time.Time{}
		changed = false
		if cal != nil {
			breaks := make([]store.CalendarBreak, 0, len(whole.Breaks))
			for _, b := range whole.Breaks {
				breaks = append(breaks, store.CalendarBreak(b))
			}
			changed = !slices.Equal(row.Row.Breaks, breaks)
			row.Row.Breaks, row.Row.Until, row.Row.Format = breaks, whole.Until, whole.Format
		}
		if by != audit.Controller || changed {
			row.Row.By = by
		}
		if changed {
			set, err := store.Get[store.Setting](tx, store.SettingController)
			if err != nil {
				return err
			}
			row.Row.Version = set.Row.NextPolicy() // policies of this zone have other days from now on
			if err := store.Put(tx, set); err != nil {
				return err
			}
		}
		if err := store.Put(tx, row); err != nil {
			return err
		}
		if by == audit.Controller && !changed {
			return nil // each week the same
		}
		detail := fmt.Sprintf("%d périodes, jusqu’au %s", len(row.Row.Breaks), row.Row.Until)
		if row.Row.Address != "" && row.Row.Address != turned {
			detail += ", " + row.Row.Address
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "calendar.imported", Target: string(zone), Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("cannot keep the calendar: %w", err)
	}
	if refused != nil {
		return c.fail(ctx, zone, by, refused)
	}
	if changed {
		c.core.wake()
	}
	return nil
}

// fail notes why an import failed, and returns what whoever asked for it is
// told. The calendar that is there stays in force.
func (c *calendars) fail(ctx context.Context, zone policy.Zone, by string, cause error) error {
	var said interface{ French() string }
	if !errors.As(cause, &said) {
		return cause
	}
	// Whoever asked may have gone: what failed is kept all the same.
	err := c.core.st.Decide(context.WithoutCancel(ctx), func(tx store.Tx) error {
		row, err := calendarRow(tx, zone)
		if err != nil {
			return err
		}
		now := c.core.now().UTC()
		row.Row.Error, row.Row.Failed = said.French(), now
		if by == audit.Controller {
			row.Row.Tried = now
		}
		if err := store.Put(tx, row); err != nil || by == audit.Controller {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "calendar.refused", Target: string(zone)})
	})
	if err != nil {
		return errors.Join(cause, err)
	}
	return fmt.Errorf("%w: %w", api.ErrRefused, cause)
}

// refresh asks the addresses that are due, and goes on until ctx ends.
func (c *calendars) refresh(ctx context.Context) {
	t := time.NewTicker(calendarLook)
	defer t.Stop()
	for {
		if err := c.refreshDue(ctx); err != nil && ctx.Err() == nil {
			c.core.log.Warn("a calendar was not refreshed; the one that is there stays in force", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (c *calendars) refreshDue(ctx context.Context) error {
	type due struct {
		zone    policy.Zone
		address string
	}
	var all []due
	err := c.core.st.View(ctx, func(tx store.Tx) error {
		all = nil
		for _, z := range calendar.Zones() {
			row, err := calendarRow(tx, z)
			if err != nil {
				return err
			}
			if row.Row.Address != "" && !c.core.now().Before(nextTry(z, row.Row)) {
				all = append(all, due{z, row.Row.Address})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range all {
		err = errors.Join(err, c.FetchCalendar(ctx, d.zone, d.address, audit.Controller))
	}
	return err
}

// nextTry is when an address is due: a week after the last time and up to a day
// more, so that not every Département asks at the same hour, nor a controller for
// its three zones at once. The same row always gives the same instant: a restart
// changes nothing.
func nextTry(zone policy.Zone, r store.CalendarRow) time.Time {
	h := fnv.New64a()
	fmt.Fprint(h, zone, r.Address, r.Tried.UnixNano())
	jitter := time.Duration(h.Sum64()%uint64(24*60)) * time.Minute
	if r.Error != "" {
		return r.Tried.Add(calendarAgain + jitter/8)
	}
	return r.Tried.Add(calendarEvery + jitter)
}

// checkCalendars tells of calendars that are used and end soon.
func (c *core) checkCalendars(ctx context.Context) error {
	var bad []error
	err := c.st.View(ctx, func(tx store.Tx) error {
		bad = nil
		for it, err := range store.List[store.CalendarRow](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Until != "" && it.Row.Until < c.now().In(c.zone).Format(time.DateOnly) {
				bad = append(bad, fmt.Errorf("that of zone %s ended on %s: import a newer one in the console", it.ID, it.Row.Until))
			}
		}
		return nil
	})
	return errors.Join(err, errors.Join(bad...))
}
