package directory_test

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"borne/controller/store"

	"pgregory.net/rapid"
)

// TestMonthsCannotBeLinked: whichever badges come in whichever order, a name
// belongs to one badge, one month and one use; and with the rows that are left when
// a month's key is destroyed, and the pepper, its names cannot be made again.
func TestMonthsCannotBeLinked(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := start(t)
		type who struct {
			badge byte
			month string
			use   string
		}
		names := map[string]who{}
		badges := map[who]string{}
		for range rapid.IntRange(1, 30).Draw(rt, "taps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 20*24).Draw(rt, "hours")) * time.Hour)
			b := rapid.ByteRange(1, 4).Draw(rt, "badge")
			at := w.now.AddDate(0, 0, -rapid.IntRange(0, 20).Draw(rt, "late"))
			for _, use := range []string{"session", "ledger"} {
				name := w.name(badge(b), at)
				if use == "ledger" {
					w.decide(func(tx store.Tx) error {
						n, err := w.Account(tx, badge(b), at, at)
						name = hex.EncodeToString(n)
						return err
					})
				}
				it := who{b, at.Format("2006-01"), use}
				if was, ok := names[name]; ok && was != it {
					rt.Fatalf("%v and %v are both called %s", was, it, name)
				}
				if was, ok := badges[it]; ok && was != name {
					rt.Fatalf("%v is called %s, then %s", it, was, name)
				}
				if name == "" {
					rt.Fatalf("%v has no name", it)
				}
				names[name], badges[it] = it, name
			}
		}
		last := w.now
		w.now = w.now.AddDate(0, 4, 0)
		if n := w.destroy(); n == 0 {
			rt.Fatal("no key is destroyed four months later")
		}
		for it := range badges {
			if at, _ := time.Parse("2006-01", it.month); w.name(badge(it.badge), at.Add(time.Hour)) != "" {
				rt.Fatalf("%v is named again", it)
			}
		}
		w.now = last // a clock that was set back: the keys that come are others
		for it, was := range badges {
			if at, _ := time.Parse("2006-01", it.month); it.use == "session" && w.name(badge(it.badge), at.Add(time.Hour)) == was {
				rt.Fatalf("%v is called %s again without its month's key", it, was)
			}
		}
	})
}

// TestUsersOfADayBadgeAreApart: however often it is given, nobody's name is another
// one's.
func TestUsersOfADayBadgeAreApart(t *testing.T) {
	w := start(t).terminals()
	w.enrol(1, store.BadgeWindow{Kind: store.HolderDay})
	seen := map[string]bool{}
	for i := range 20 {
		got := w.next("a-1", 1, store.BadgeWindow{Action: "give", Expires: w.now.Add(time.Hour), Reason: fmt.Sprint(i)})
		if got.Reason != "" {
			t.Fatal(got.Reason)
		}
		name := w.name(badge(1), w.now)
		if seen[name] {
			t.Fatalf("the name of turn %d was another one's", i)
		}
		seen[name] = true
		w.now = w.now.Add(2 * time.Hour)
	}
}
