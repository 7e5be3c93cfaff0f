package pcsc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"borne/hw"
)

// callTimeout is how long pcscd may take for one answer. It waits itself for the
// reader, whose own limits are shorter.
const callTimeout = 3 * time.Second

// client is one connection to pcscd. It is for one goroutine at a time, but for
// close.
type client struct {
	conn    net.Conn
	alive   func() // called at each answer
	context uint32
	broken  bool // the connection is of no use any more
	waiting bool // pcscd owes an event
	event   [eventSize]byte
	got     int // bytes of event so far
}

// dial connects, agrees on the protocol and establishes a context.
func dial(ctx context.Context, socket string, alive func()) (*client, error) {
	d := net.Dialer{Timeout: callTimeout}
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, dialError(socket, err)
	}
	c := &client{conn: conn, alive: alive}
	if err := c.greet(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *client) greet(ctx context.Context) error {
	var v [12]byte
	if err := c.call(ctx, cmdVersion, words(nil, protocolMajor, protocolMinor, 0), v[:]); err != nil {
		if errors.Is(err, hw.ErrAbsent) {
			return fmt.Errorf("%w; if it hangs up on every start, its polkit refuses the agent's user: allow org.debian.pcsc-lite.access_pcsc and access_card to it", err)
		}
		return err
	}
	if major, minor := word(v[:], 0), word(v[:], 4); word(v[:], 8) != 0 || major != protocolMajor {
		return fmt.Errorf("pcscd speaks protocol %d.%d, and %d.%d is needed; install pcsc-lite 1.8.24 or later", major, minor, protocolMajor, protocolMinor)
	}
	var e [12]byte
	if err := c.call(ctx, cmdEstablish, words(nil, scopeSystem, 0, 0), e[:]); err != nil {
		return err
	}
	if rv := word(e[:], 8); rv != 0 {
		return fmt.Errorf("pcscd gives no context: %08X; it may have too many clients", rv)
	}
	c.context = word(e[:], 4)
	return nil
}

// close ends the connection: pcscd then disconnects cards and forgets the context.
func (c *client) close() error {
	if err := c.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// call sends one message and reads its whole answer. When ctx ends first, the
// connection is of no use any more.
func (c *client) call(ctx context.Context, cmd command, body, answer []byte) error {
	msg := make([]byte, 0, headerSize+len(body))
	msg = append(words(msg, uint32(len(body)), uint32(cmd)), body...)
	return c.exchange(ctx, msg, answer)
}

func (c *client) exchange(ctx context.Context, msg, answer []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	release, err := c.limit(ctx, callTimeout)
	if err != nil {
		return err
	}
	defer release()
	if len(msg) > 0 {
		_, err = c.conn.Write(msg)
	}
	if err == nil {
		_, err = io.ReadFull(c.conn, answer)
	}
	if err != nil {
		c.broken = true // what comes next would be taken for another answer
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return socketError(err)
	}
	c.alive()
	return nil
}

// limit ends what waits on the socket after d, or with ctx. release waits until ctx
// has no hand on it any more: its end must not cut what another context began.
func (c *client) limit(ctx context.Context, d time.Duration) (release func(), err error) {
	if err := c.conn.SetDeadline(time.Now().Add(d)); err != nil {
		c.broken = true
		return nil, socketError(err)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0)) // fails when it is closed, which ends the waiting too
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended
		}
	}, nil
}

// watch returns the readers as they are, and has pcscd tell of the next change:
// none between the two is missed.
func (c *client) watch(ctx context.Context) ([]readerState, error) {
	if err := c.unwatch(ctx); err != nil {
		return nil, err
	}
	var b [statesSize]byte
	if err := c.call(ctx, cmdWait, nil, b[:]); err != nil {
		return nil, err
	}
	c.waiting, c.got = true, 0
	all, err := parseStates(b[:])
	c.broken = c.broken || err != nil
	return all, err
}

// changed waits for the next change, for as long as d. It may be asked again after
// false or the end of ctx, which leave the connection whole.
func (c *client) changed(ctx context.Context, d time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	release, err := c.limit(ctx, d)
	if err != nil {
		return false, err
	}
	defer release()
	err = c.readEvent()
	switch {
	case err == nil:
		c.alive()
		return true, nil
	case ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		return false, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	}
	c.broken = true
	return false, socketError(err)
}

// readEvent reads the event that is owed, or its rest.
func (c *client) readEvent() error {
	for c.got < len(c.event) {
		n, err := c.conn.Read(c.event[c.got:])
		c.got += n
		if err != nil {
			return err
		}
	}
	c.waiting = false
	// SCARD_E_CANCELLED and the like only mean: look again.
	return nil
}

// unwatch has pcscd tell nothing any more. Its answer and an event that was on its
// way look alike, and exactly one of them comes: who was told is no longer on
// pcscd's list, and then gets no answer (winscard_svc.c).
func (c *client) unwatch(ctx context.Context) error {
	if !c.waiting {
		return nil
	}
	if err := c.call(ctx, cmdStopWait, nil, c.event[c.got:]); err != nil {
		return err
	}
	c.waiting = false
	return nil
}

// cardLink is a connection to one card, in a transaction of its own.
type cardLink struct {
	c        *client
	handle   uint32
	protocol uint32
}

// connect takes the card in a reader, shared with other programs, and keeps them
// from it until disconnect.
func (c *client) connect(ctx context.Context, reader string) (*cardLink, error) {
	if len(reader) >= nameSize {
		return nil, fmt.Errorf("%w: a reader's name of %d bytes", errProtocol, len(reader))
	}
	if err := c.unwatch(ctx); err != nil {
		return nil, err
	}
	var name [nameSize]byte
	copy(name[:], reader)
	body := words(append(words(nil, c.context), name[:]...), shareShared, protocolT0T1, 0, 0, 0)
	var a [connectSize]byte
	if err := c.call(ctx, cmdConnect, body, a[:]); err != nil {
		return nil, err
	}
	if err := code(word(a[:], connectSize-4)).check("connect"); err != nil {
		return nil, err
	}
	l := &cardLink{c: c, handle: word(a[:], connectSize-12), protocol: word(a[:], connectSize-8)}
	var b [8]byte
	err := c.call(ctx, cmdBegin, words(nil, l.handle, 0), b[:])
	if err == nil {
		err = code(word(b[:], 4)).check("begin a transaction")
	}
	if err != nil {
		return nil, errors.Join(err, l.release(ctx))
	}
	return l, nil
}

// disconnect leaves the card as it is, powered, to whoever wants it next. A card
// that has gone is left, too.
func (l *cardLink) disconnect(ctx context.Context) error {
	var e [12]byte
	if err := l.c.call(ctx, cmdEnd, words(nil, l.handle, leaveCard, 0), e[:]); err != nil {
		l.c.broken = true // as in release
		return err
	}
	return l.release(ctx)
}

func (l *cardLink) release(ctx context.Context) error {
	var d [12]byte
	if err := l.c.call(ctx, cmdDisconnect, words(nil, l.handle, leaveCard, 0), d[:]); err != nil {
		// Also when ctx had ended before a byte was sent: the handle is open, and others
		// are kept from the card, until the connection ends.
		l.c.broken = true
		return err
	}
	return nil // what pcscd says of a card that has gone changes nothing
}

// Transmit implements hw.Link. The answer is the caller's, to clear.
func (l *cardLink) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	if len(apdu) < 4 || len(apdu) > maxCommand {
		return nil, fmt.Errorf("cannot transmit a command of %d bytes: a short one has 4 to %d", len(apdu), maxCommand)
	}
	const size = 8 * 4
	msg := make([]byte, 0, headerSize+size+maxCommand)
	defer func() { clear(msg[:cap(msg)]) }()
	msg = words(msg, size, uint32(cmdTransmit))
	msg = words(msg, l.handle, l.protocol, pciSize, uint32(len(apdu)), l.protocol, pciSize, maxAnswer, 0)
	msg = append(msg, apdu...)
	var a [size]byte
	if err := l.c.exchange(ctx, msg, a[:]); err != nil {
		return nil, err
	}
	if err := code(word(a[:], 28)).check("transmit"); err != nil {
		return nil, err
	}
	n := word(a[:], 24)
	if n > maxAnswer {
		l.c.broken = true
		return nil, fmt.Errorf("%w: an answer of %d bytes, the limit is %d", errProtocol, n, maxAnswer)
	}
	answer := make([]byte, n)
	if err := l.c.exchange(ctx, nil, answer); err != nil {
		clear(answer)
		return nil, err
	}
	return answer, nil
}
