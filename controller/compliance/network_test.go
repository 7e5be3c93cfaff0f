package compliance

import (
	"fmt"
	"testing"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestAPutBackNetworkIsNotOfferedAgain, but all other rules are, until the one
// that is wanted is another.
func TestAPutBackNetworkIsNotOfferedAgain(t *testing.T) {
	w := newWorld(t, nil)
	const good, dead, third = "http://10.9.9.7:3128", "http://10.9.9.9:3128", "http://10.9.9.8:3128"
	want := func(version uint64, minutes int, proxy string) {
		w.layer(store.PolicyGlobal, version, fmt.Sprintf(`{"session":{"minutes":%d},"network":{"line":{"proxy":%q}}}`, minutes, proxy))
	}
	is := func(step string, version uint64, minutes int, proxy string, reverted bool) {
		t.Helper()
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, "t1")
			if err != nil {
				return err
			}
			p, err := Effective(tx, it)
			if err != nil {
				return err
			}
			back, err := Reverted(tx, it)
			if p.Version != version || p.Session.Minutes != minutes || p.Network.Line.Proxy != proxy || (back != nil) != reverted {
				t.Errorf("%s: version %d, %d minutes, proxy %q, put back %+v", step, p.Version, p.Session.Minutes, p.Network.Line.Proxy, back)
			}
			return err
		})
	}
	send := func() {
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, "t1")
			if err != nil {
				return err
			}
			p, err := Effective(tx, it)
			if err != nil {
				return err
			}
			return Sends(tx, it, p)
		})
	}
	applied := func(version uint64) { w.record(wire.KindPolicy, wire.PolicyApplied{Version: version}) }
	refused := func(version uint64) {
		w.record(wire.KindPolicy, wire.PolicyApplied{Version: version, Error: "the controller was not reached", Reverted: true})
	}
	want(2, 30, good)
	send()
	want(3, 30, dead)
	send()
	applied(2) // its answer comes when others are wanted of it
	is("wanted", 3, 30, dead, false)
	refused(2) // of rules that are no longer wanted
	is("another was refused", 3, 30, dead, false)
	refused(3)
	is("put back", 3, 30, good, true)
	send()
	applied(3)
	is("the rest is obeyed", 3, 30, good, true)
	want(4, 45, dead)
	is("other rules", 4, 45, good, true)
	send()
	applied(4)
	if e := w.terminal(); e.PolicyError != "" || e.Policy != 4 {
		t.Errorf("version %d, %q", e.Policy, e.PolicyError)
	}
	want(5, 45, third)
	is("another network", 5, 45, third, false)
	send()
	applied(5)
	want(6, 45, dead)
	send()
	is("the same once more, after another", 6, 45, dead, false)
	refused(6)
	is("put back again", 6, 45, third, true)
	want(7, 45, third)
	is("as it was", 7, 45, third, false)
	send()
	applied(7)
	want(8, 45, dead)
	is("and once more", 8, 45, dead, false)
}

// TestATerminalThatNeverObeyedAny gets its rules without the network that fails.
func TestATerminalThatNeverObeyedAny(t *testing.T) {
	w := newWorld(t, nil)
	w.layer(store.PolicyGlobal, 2, `{"network":{"line":{"proxy":"http://10.9.9.9:3128"}}}`)
	w.record(wire.KindPolicy, wire.PolicyApplied{Version: 2, Error: "no", Reverted: true})
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, "t1")
		if err != nil {
			return err
		}
		p, err := Effective(tx, it)
		if p.Version != 2 || p.Network.Line.Proxy != "" {
			t.Errorf("version %d, %q", p.Version, p.Network.Line.Proxy)
		}
		return err
	})
}

// TestWhatWasObeyedBeforeIsNotedAtTheNextHello: a controller that is newer than
// its terminals' rules learns what to go back to.
func TestWhatWasObeyedBeforeIsNotedAtTheNextHello(t *testing.T) {
	w := newWorld(t, nil)
	held := func() string {
		var row store.Item[store.NetworkRow]
		w.decide(func(tx store.Tx) (err error) { row, err = networkRow(tx, "t1"); return err })
		return string(row.Row.Held)
	}
	hello := func(version uint64) {
		w.decide(func(tx store.Tx) error {
			_, err := w.rules.Hello(tx, "t1", wire.Hello{Protocol: wire.Protocol, Epoch: 1, Policy: version, Boot: "b"})
			return err
		})
	}
	w.layer(store.PolicyGlobal, 5, `{"network":{"line":{"proxy":"http://10.9.9.7:3128"}}}`)
	hello(4)
	if held() != "" {
		t.Errorf("of another version: %s", held())
	}
	hello(5)
	first := held()
	if first == "" {
		t.Fatal("nothing is noted")
	}
	w.layer(store.PolicyGlobal, 5, `{"network":{"line":{"proxy":"http://10.9.9.9:3128"}}}`)
	hello(5) // of another place's rules, by chance: its text would decide
	if held() != first {
		t.Error("what it obeyed is overwritten")
	}
}
