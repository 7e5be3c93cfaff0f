package agenttest

import (
	"crypto/ed25519"
	"fmt"
	"net/url"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/uplink"
)

// Controller is an uplink whose other end is the test: what it sends is really
// signed.
type Controller struct {
	key      ed25519.PrivateKey
	terminal string
	events   chan uplink.Event

	mu     sync.Mutex
	status []wire.Status
	asked  []wire.PrintAsk
	ledger func(wire.PrintAsk) *wire.PrintAnswer
	door   func(wire.BadgeAsk) *wire.BadgeAnswer
	tapped []wire.BadgeAsk
	n      uint64
	ways   []string // proxies that it was to be reached by
}

// Via notes another way to here; the test says what comes of it.
func (c *Controller) Via(proxy *url.URL) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := ""
	if proxy != nil {
		s = proxy.String()
	}
	c.ways = append(c.ways, s)
	return uint64(len(c.ways))
}

// Ways lists the proxies that it was to be reached by; "" is none.
func (c *Controller) Ways() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.ways...)
}

// Ask asks the test's ledger; without one, or an answer of it, nobody answers.
func (c *Controller) Ask(a wire.PrintAsk) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, a)
	if c.ledger == nil {
		return false
	}
	if ans := c.ledger(a); ans != nil {
		c.events <- uplink.Event{Answer: ans}
	}
	return true
}

// AskBadge asks the test's directory, on the terms of Ask.
func (c *Controller) AskBadge(a wire.BadgeAsk) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tapped = append(c.tapped, a)
	if c.door == nil {
		return false
	}
	if ans := c.door(a); ans != nil {
		ans.ID = a.ID
		c.events <- uplink.Event{Admit: ans}
	}
	return true
}

// Directory says how questions about badges are answered from now on; nil: nobody
// can be asked.
func (c *Controller) Directory(f func(wire.BadgeAsk) *wire.BadgeAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.door = f
}

// Late answers a question as if its answer had been long under way.
func (c *Controller) Late(a wire.BadgeAnswer) { c.Say(uplink.Event{Admit: &a}) }

// Tapped lists the questions about badges.
func (c *Controller) Tapped() []wire.BadgeAsk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wire.BadgeAsk(nil), c.tapped...)
}

// Ledger says how questions about pages are answered from now on; nil: nobody
// can be asked.
func (c *Controller) Ledger(f func(wire.PrintAsk) *wire.PrintAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ledger = f
}

// Asked lists the questions about pages.
func (c *Controller) Asked() []wire.PrintAsk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wire.PrintAsk(nil), c.asked...)
}

// NewController makes one that signs with key, for one terminal.
func NewController(key ed25519.PrivateKey, terminal string) *Controller {
	return &Controller{key: key, terminal: terminal, events: make(chan uplink.Event, 64)}
}

// Key verifies what it signs.
func (c *Controller) Key() ed25519.PublicKey { return c.key.Public().(ed25519.PublicKey) }

// Events yields what it says.
func (c *Controller) Events() <-chan uplink.Event { return c.events }

// Send keeps a status.
func (c *Controller) Send(s wire.Status) { c.mu.Lock(); c.status = append(c.status, s); c.mu.Unlock() }

// Status is the last one that was sent.
func (c *Controller) Status() wire.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.status) == 0 {
		return wire.Status{}
	}
	return c.status[len(c.status)-1]
}

// Say sends an event as it is.
func (c *Controller) Say(e uplink.Event) { c.events <- e }

// Welcome greets the terminal.
func (c *Controller) Welcome(quarantine wire.Reason) {
	c.mu.Lock()
	way := uint64(len(c.ways))
	c.mu.Unlock()
	c.Say(uplink.Event{Way: way, Welcome: &wire.Welcome{Protocol: 1, Generation: 1, Epoch: 1, Terminal: "Poste 1", Site: "Collège", Place: "Hall", Contact: "Loge du gardien", Quarantine: string(quarantine)}})
}

// Policy sends a policy.
func (c *Controller) Policy(p policy.Policy) error {
	e, err := wire.Seal(c.key, wire.DomainPolicy, p)
	if err == nil {
		c.Say(uplink.Event{Policy: &e})
	}
	return err
}

// Permits grants n permits until a time.
func (c *Controller) Permits(n int, until time.Time) error {
	var out []wire.Envelope
	for range n {
		c.n++
		e, err := wire.Seal(c.key, wire.DomainPermit, wire.Permit{ID: fmt.Sprintf("permit-%d", c.n), Terminal: c.terminal, N: c.n,
			Nonce: fmt.Appendf(nil, "nonce-%06d", c.n), NotAfter: until, Generation: 1})
		if err != nil {
			return err
		}
		out = append(out, e)
	}
	c.Say(uplink.Event{Permits: out})
	return nil
}

// Command asks for something.
func (c *Controller) Command(cmd wire.Command) error {
	cmd.Terminal = c.terminal
	e, err := wire.Seal(c.key, wire.DomainCommand, cmd)
	if err == nil {
		c.Say(uplink.Event{Command: &e})
	}
	return err
}
