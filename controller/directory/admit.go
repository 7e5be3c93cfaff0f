package directory

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"borne/controller/store"
	"borne/controller/wire"
)

// ErrAsk is a question that no terminal of ours asks.
var ErrAsk = errors.New("no question of this protocol")

// Ask answers a terminal about a badge or a code. Nothing of the question is
// kept, but for what staff wait for and a code that is used up.
func (d *Directory) Ask(tx store.Tx, terminal string, a wire.BadgeAsk) (wire.BadgeAnswer, error) {
	ans := wire.BadgeAnswer{ID: a.ID, Reason: wire.RefuseUnknownBadge}
	if !a.Proper() {
		return ans, fmt.Errorf("cannot answer about a badge: %w", ErrAsk)
	}
	t, err := store.Get[store.Terminal](tx, terminal)
	if err != nil {
		return ans, err
	}
	if t.Row.State != store.StateActive && a.Window == "" {
		ans.Reason = wire.RefuseQuarantined
		return ans, nil
	}
	switch {
	case a.Window != "":
		ans.Reason, err = d.windowed(tx, t.Meta, a)
	case a.Code != "":
		ans.Holder, ans.Reason, err = d.redeem(tx, t.Meta, a.Code)
	default:
		ans.Reason, err = d.admit(tx, t.Site, a.Holder)
		if err == nil {
			ans.Staff, err = d.Staff(tx, t.Site, a.Holder)
		}
	}
	ans.Allowed = err == nil && ans.Reason == ""
	return ans, err
}

// admit is why a badge opens nothing on a site now; empty when it does.
func (d *Directory) admit(tx store.Tx, site string, h1 []byte) (wire.Reason, error) {
	it, err := d.find(tx, h1)
	if errors.Is(err, store.ErrNotFound) {
		return wire.RefuseUnknownBadge, nil
	}
	if err != nil {
		return "", err
	}
	return Standing(it.Row, site, d.now()), nil
}

// Standing is why a holder opens no session on a site at a time; empty when it
// does.
func Standing(h store.Holder, site string, now time.Time) wire.Reason {
	switch {
	case h.Kind != store.HolderPermanent && h.Kind != store.HolderDay:
		return wire.RefuseUnknownBadge
	case !h.Lost.IsZero():
		return wire.RefuseBadgeLost
	case h.Disabled:
		return wire.RefuseBadgeStopped
	case !h.Expires.IsZero() && !now.Before(h.Expires):
		return wire.RefuseBadgeExpired
	case len(h.Sites) > 0 && !slices.Contains(h.Sites, site):
		return wire.RefuseBadgeNotHere
	case h.Kind == store.HolderDay && !now.Before(h.Until):
		return wire.RefuseBadgeNotGiven
	}
	return ""
}

// Group is the quota group of a badge, or of a code; empty for the usual one.
func (d *Directory) Group(tx store.Tx, h1 []byte) (string, error) {
	it, err := d.find(tx, h1)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return it.Row.Group, err
}

// find returns a badge's holder, or store.ErrNotFound.
func (d *Directory) find(tx store.Tx, h1 []byte) (store.Item[store.Holder], error) {
	return store.First(store.Find[store.Holder](tx, "h2", d.h2(h1)))
}

func (d *Directory) h2(h1 []byte) string { return hex.EncodeToString(mac(d.pepper, h1)) }

// Badge returns an enrolled badge by its printed number, or store.ErrNotFound.
func Badge(tx store.Tx, number string) (store.Item[store.Holder], error) {
	return store.First(store.Find[store.Holder](tx, "number", number))
}

// Finds tells whether a badge is among what somebody looks for: figures of its
// number, however they are spaced, or a part of its group's or its site's name.
func Finds(h store.Holder, site, text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	digits := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '.' || r == '-' {
			return -1
		}
		return r
	}, text)
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		return strings.Contains(h.Number, digits)
	}
	return strings.Contains(strings.ToLower(h.Group+" "+site), text)
}

// Badges are the enrolled badges of a site, or of all with an empty one.
func Badges(tx store.Tx, site string) ([]store.Item[store.Holder], error) {
	var all []store.Item[store.Holder]
	for it, err := range store.Find[store.Holder](tx, "enrolled", "yes") {
		if err != nil {
			return nil, fmt.Errorf("cannot list the badges: %w", err)
		}
		if site == "" || it.Site == site {
			all = append(all, it)
		}
	}
	return all, nil
}
