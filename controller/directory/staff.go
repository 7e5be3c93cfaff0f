package directory

import (
	"errors"
	"fmt"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
)

const (
	// staffGrace is how long a right lasts without the Département's directory: a
	// night of maintenance there closes no desk here.
	staffGrace = 24 * time.Hour
	// staffKept is how long the badge of somebody who left the group is kept: by a
	// mistake over there nobody has to be enrolled anew.
	staffKept = 30 * 24 * time.Hour
	// maxStaff bounds the staff's badges of a controller.
	maxStaff = 5000
)

// Staff tells whether a badge is that of a member of staff of this site, now.
func (d *Directory) Staff(tx store.Tx, site string, h1 []byte) (bool, error) {
	it, err := d.staffBadge(tx, h1)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && it.Site == site && HasRight(it.Row, d.now()), err
}

// HasRight tells whether a member of staff has their right at a time.
func HasRight(s store.StaffBadge, now time.Time) bool {
	return s.Gone.IsZero() && now.Before(s.Good.Add(staffGrace))
}

func (d *Directory) staffBadge(tx store.Tx, h1 []byte) (store.Item[store.StaffBadge], error) {
	return store.First(store.Find[store.StaffBadge](tx, "h2", d.h2(h1)))
}

// enrolStaff makes a badge that of the member of staff whom the directory named when
// the window was opened. Their badge before goes: one is lost without a word.
func (d *Directory) enrolStaff(tx store.Tx, w store.Item[store.BadgeWindow], h1 []byte) (why string, err error) {
	now := d.now().UTC()
	all, err := StaffBadges(tx)
	if err != nil {
		return "", err
	}
	it := store.Item[store.StaffBadge]{Meta: store.Meta{ID: newID(), Site: w.Site}, Row: store.StaffBadge{H2: d.h2(h1), Login: w.Row.Login, By: w.Row.By, Made: now, Good: now}}
	for _, old := range all {
		switch {
		case old.Row.H2 == it.Row.H2 && old.Site != w.Site:
			return WhyOther, nil
		case old.Row.H2 == it.Row.H2 || old.Row.Login == it.Row.Login && old.Site == w.Site:
			if err := tx.Delete(store.KindStaffBadge, old.ID); err != nil {
				return "", fmt.Errorf("cannot replace a badge of staff: %w", err)
			}
		}
	}
	if len(all) >= maxStaff {
		return "", fmt.Errorf("cannot enrol another badge of staff: there are %d", len(all))
	}
	if err := store.Put(tx, it); err != nil {
		return "", fmt.Errorf("cannot enrol a badge of staff: %w", err)
	}
	return "", d.noteStaff(tx, it, w.Row.By, "badge.staff")
}

// StaffBadges lists them.
func StaffBadges(tx store.Tx) (all []store.Item[store.StaffBadge], err error) {
	for it, err := range store.List[store.StaffBadge](tx, "", "", false) {
		if err != nil {
			return nil, fmt.Errorf("cannot list the badges of staff: %w", err)
		}
		all = append(all, it)
	}
	return all, nil
}

// DropStaff takes a badge of staff away.
func (d *Directory) DropStaff(tx store.Tx, it store.Item[store.StaffBadge], by string) error {
	if err := tx.Delete(store.KindStaffBadge, it.ID); err != nil {
		return fmt.Errorf("cannot drop a badge of staff: %w", err)
	}
	return d.noteStaff(tx, it, by, "badge.staff-dropped")
}

// FollowStaff keeps what the Département's directory said at a time about these
// logins: whoever it names has their right, and nobody else. Those about whom it was
// not asked keep theirs as it is.
func (d *Directory) FollowStaff(tx store.Tx, named map[string]bool, at time.Time) error {
	all, err := StaffBadges(tx)
	if err != nil {
		return err
	}
	for _, it := range all {
		is, asked := named[it.Row.Login]
		if !asked || at.Before(it.Row.Made) {
			continue
		}
		action := ""
		switch {
		case is && !it.Row.Gone.IsZero():
			action = "badge.staff-back"
			it.Row.Gone = time.Time{}
		case !is && it.Row.Gone.IsZero():
			action = "badge.staff-gone"
			it.Row.Gone = at.UTC()
		case !is:
			continue
		}
		if is {
			it.Row.Good = at.UTC()
		}
		if err := store.Put(tx, it); err != nil {
			return fmt.Errorf("cannot keep who is staff: %w", err)
		}
		if action == "" {
			continue
		}
		if err := d.noteStaff(tx, it, audit.Controller, action); err != nil {
			return err
		}
	}
	return nil
}

// SweepStaff deletes the badges of those who left some time ago, and returns how many.
func SweepStaff(tx store.Tx, now time.Time) (n int, err error) {
	all, err := StaffBadges(tx)
	if err != nil {
		return 0, err
	}
	for _, it := range all {
		if it.Row.Gone.IsZero() || now.Sub(it.Row.Gone) < staffKept {
			continue
		}
		if err := tx.Delete(store.KindStaffBadge, it.ID); err != nil {
			return n, fmt.Errorf("cannot delete a badge of staff: %w", err)
		}
		n++
	}
	return n, nil
}

// noteStaff records a deed with the login: staff are known by it in the directory.
func (d *Directory) noteStaff(tx store.Tx, it store.Item[store.StaffBadge], by, action string) error {
	return audit.Append(tx, audit.Entry{At: d.now(), Actor: by, Action: action, Site: it.Site, Target: it.ID, Detail: it.Row.Login})
}
