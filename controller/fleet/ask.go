package fleet

import (
	"errors"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// Limits on what one terminal asks of the ledger and of the directory. A person
// who changes copies and colours asks a few times a minute.
const (
	asksWaiting = 8 // more are answered by nobody, and asked again
	asksBurst   = 20
	tapsBurst   = 10
)

const (
	asksPerSecond rate.Limit = 2
	// tapsPerSecond bounds how fast a taken terminal can try badges and codes.
	tapsPerSecond rate.Limit = 1
)

// ask queues a question; the reader never waits for the store. What passes the
// limits has no answer: the terminal asks again, and a job has one reservation
// however often it is asked for.
func (c *conn) ask(m wire.Message, may *rate.Limiter) {
	if !may.AllowN(c.f.cfg.Now(), 1) {
		c.log.Warn("too many questions", "badge", m.Badge != nil)
		c.f.cfg.Refused("asks")
		return
	}
	select {
	case c.asks <- m:
	default:
		c.f.cfg.Refused("asks")
	}
}

// answers answers questions, one after the other, for as long as the connection
// lasts.
func (c *conn) answers() {
	for {
		select {
		case <-c.gone:
			return
		case m := <-c.asks:
			c.answer(m)
		}
	}
}

func (c *conn) answer(m wire.Message) {
	var ans wire.Message
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		// The handshake may be older than a revocation.
		if _, err := trusted(tx, c.terminal, c.serial); err != nil {
			return err
		}
		if m.Badge != nil {
			a, err := c.f.cfg.Badge(tx, c.terminal, *m.Badge)
			ans = wire.Message{Admit: &a}
			return err
		}
		a, err := c.f.cfg.Ask(tx, c.terminal, *m.Ask)
		ans = wire.Message{Answer: &a}
		return err
	})
	switch {
	case errors.Is(err, pki.ErrRevoked):
		c.fault(websocket.ClosePolicyViolation, "revoked", err)
		return
	case err != nil:
		if c.f.ctx.Err() == nil {
			c.log.Warn("a question has no answer", "badge", m.Badge != nil, "err", err)
		}
		return // nothing was kept: the terminal asks again, or lives on what it has
	}
	c.send(ans)
}
