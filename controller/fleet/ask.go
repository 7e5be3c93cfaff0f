package fleet

import (
	"errors"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// Limits on what one terminal asks of the ledger. A person who changes copies
// and colours asks a few times a minute.
const (
	asksWaiting = 8 // more are answered by nobody, and asked again
	asksBurst   = 20
)

const asksPerSecond rate.Limit = 2

// ask queues a question; the reader never waits for the store. What passes the
// limits has no answer: the terminal asks again, and a job has one reservation
// however often it is asked for.
func (c *conn) ask(a wire.PrintAsk) {
	if c.f.cfg.Ask == nil {
		return
	}
	if !c.mayAsk.AllowN(c.f.cfg.Now(), 1) {
		c.log.Warn("too many questions about printing")
		c.f.cfg.Refused("asks")
		return
	}
	select {
	case c.asks <- a:
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
		case a := <-c.asks:
			c.answer(a)
		}
	}
}

func (c *conn) answer(a wire.PrintAsk) {
	var ans wire.PrintAnswer
	err := c.f.cfg.Store.Decide(c.f.ctx, func(tx store.Tx) error {
		// The handshake may be older than a revocation.
		if _, err := trusted(tx, c.terminal, c.serial); err != nil {
			return err
		}
		var err error
		ans, err = c.f.cfg.Ask(tx, c.terminal, a)
		return err
	})
	switch {
	case errors.Is(err, pki.ErrRevoked):
		c.fault(websocket.ClosePolicyViolation, "revoked", err)
		return
	case err != nil:
		if c.f.ctx.Err() == nil {
			c.log.Warn("a question about printing has no answer", "err", err)
		}
		return // nothing was kept: the terminal asks again, or lives on its allowance
	}
	c.send(wire.Message{Answer: &ans})
}
