package fleettest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/shell"
)

// How much weather there is.
const (
	terminals = 20
	turns     = 10 // of each terminal's people
)

func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("FLEET_SEED"); text != "" {
		var err error
		s, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("FLEET_SEED=%d go test -run '^%s$' ./scripts/fleettest", s, t.Name())
	return s
}

// storm is what the players and the weather share.
type storm struct {
	*world
	turns atomic.Int64
	// calm is held by players who wait for a word of the controller, and taken by
	// the weather while the controller is away.
	calm sync.RWMutex
}

// TestFleetInBadWeather lets people use twenty terminals while networks are cut
// and slow, clocks jump, agents and wardens are killed, and the controller is
// killed and restored from an older backup. Then the sky clears, and what the
// people, the terminals and the controller say must be one and the same.
func TestFleetInBadWeather(t *testing.T) {
	start := seed(t)
	s := &storm{world: newWorld(t)}
	var all []*terminal
	for i := range terminals {
		all = append(all, s.install(fmt.Sprintf("Poste %02d", i+1)))
	}
	var players sync.WaitGroup
	for i, x := range all {
		players.Go(func() { s.player(x, rand.New(rand.NewPCG(start, uint64(i)))) })
	}
	played := make(chan struct{})
	go func() { players.Wait(); close(played) }()
	s.weather(all, rand.New(rand.NewPCG(start, 1000)), played)
	<-played
	if t.Failed() {
		t.FailNow()
	}

	sessions := 0
	for _, x := range all {
		x.heal()
	}
	for _, x := range all {
		x.serves()
		x.play() // each of them serves the next person
		x.serves()
		x.delivered()
		x.proven()
		if h, err := x.Journal.Hello(); err != nil || h.Policy != x.row().Row.Policy {
			t.Errorf("%s obeys policy %d, the controller says %d: %v", x.name, h.Policy, x.row().Row.Policy, err)
		}
		sessions += x.truth.begun
	}
	t.Logf("%d sessions on %d terminals, each wiped and proven once", sessions, terminals)
}

// heal ends a terminal's own bad weather.
func (x *terminal) heal() {
	x.net.Set(true)
	x.slow.Store(false)
	x.Clock.Set(time.Now(), true)
	x.Stage.SetIdle(0)
}

// weather acts as the players get on: it waits for nothing but them.
func (s *storm) weather(all []*terminal, r *rand.Rand, played <-chan struct{}) {
	var backup []byte
	away := func(f func()) {
		s.calm.Lock()
		defer s.calm.Unlock()
		f()
	}
	const steps = 24
	for i := 1; i < steps; i++ {
		for tick := time.NewTicker(2 * time.Millisecond); s.turns.Load() < int64(i*terminals*turns/steps); {
			select {
			case <-played:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
		x := all[r.IntN(len(all))]
		switch i {
		case 3, 12, 20:
			away(func() { s.ctl.kill(); s.ctl.start() })
		case 6:
			backup = s.ctl.backup()
		case 9, 18:
			s.console.rule(s.site, func(p *policy.Policy) { p.Session.MinMinutes = 3 + i%5 })
		case 14:
			away(func() { s.ctl.restore(backup) })
		case 16: // every connection is lost at once, and the controller goes on
			away(func() { s.ctl.gate.Set(false); s.ctl.gate.Set(true) })
		default:
			kind := []wire.CommandKind{wire.CmdIdentify, wire.CmdMessage}[r.IntN(2)]
			s.console.command(x.id, kind, "La salle ferme plus tôt ce soir.")
		}
	}
}

// player is the people at one terminal, and the weather there.
func (s *storm) player(x *terminal, r *rand.Rand) {
	ways := endings()
	names := slices.Sorted(maps.Keys(ways))
	for range turns {
		s.gust(x, r)
		s.turn(x, r, ways, names)
		s.turns.Add(1)
	}
}

// gust changes the weather at one terminal.
func (s *storm) gust(x *terminal, r *rand.Rand) {
	switch r.IntN(11) {
	case 0, 1:
		x.net.Set(false)
	case 2, 3, 4:
		x.net.Set(true)
	case 5:
		x.slow.Store(!x.slow.Load())
	case 6:
		x.Clock.Set(time.Now().Add(time.Duration(r.IntN(600)-30)*time.Minute), true)
	case 7:
		x.Clock.Set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), false)
	case 8:
		x.Clock.Set(time.Now(), true)
	case 9:
		x.settle()
		x.kill()
		x.on()
	case 10:
		x.settle()
		s.calm.RLock()
		defer s.calm.RUnlock()
		x.heal()
		x.delivered()
		x.kill()
		x.stammer()
		x.on()
	}
}

// turn is one person.
func (s *storm) turn(x *terminal, r *rand.Rand, ways map[string]func(*terminal) wire.Reason, names []string) {
	if v := x.settle(); v.Screen != shell.Welcome {
		if v.Screen != shell.Closed || v.Reason != string(wire.RefuseNoPermit) {
			x.t.Fatalf("%s is %s for %s without a cause", x.name, v.Screen, v.Reason)
		}
		x.heal() // its permits are used up: only the controller helps
		x.see(shell.Welcome)
	}
	badge := byte(0)
	if r.IntN(3) == 0 {
		badge = 'a' + byte(r.IntN(5))
	}
	switch r.IntN(12) {
	case 0:
		x.begin(badge)
		x.Press(shell.Decline)
		x.sync()
		x.truth.refused[wire.EndDeclined]++
	case 1:
		x.begin(badge)
		x.Tick(61 * time.Second) // nobody answers the charter
	case 2:
		x.begin(badge)
		x.kill()
		x.on()
	case 3:
		x.begin(badge)
		x.caught("admit", x.accept)
		x.on()
		x.ends(wire.EndRestart)
	case 4:
		x.open(badge)
		s.staff(x, wire.CmdEnd)
	case 5:
		x.open(badge)
		s.staff(x, wire.CmdWipe)
	default:
		x.open(badge)
		name := names[r.IntN(len(names))]
		if want := ways[name](x); want != "" {
			x.ends(want)
		}
	}
	if x.settle(); x.truth.begun != x.truth.ended() {
		x.t.Fatalf("%s: %d sessions began, and %v ended", x.name, x.truth.begun, x.truth.ends)
	}
}

// staff ends the session from the console.
func (s *storm) staff(x *terminal, kind wire.CommandKind) {
	x.t.Helper()
	s.calm.RLock()
	defer s.calm.RUnlock()
	x.heal()
	if _, refused := s.console.command(x.id, kind, ""); refused != 0 {
		x.t.Fatalf("%s: %s is refused: %d", x.name, kind, refused)
	}
	x.ends(wire.EndCommand)
}
