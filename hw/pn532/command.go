package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Commands of UM0701-02, 7.
const (
	cmdGetFirmwareVersion  = 0x02
	cmdSetParameters       = 0x12
	cmdSAMConfiguration    = 0x14
	cmdRFConfiguration     = 0x32
	cmdInDataExchange      = 0x40
	cmdInDeselect          = 0x44
	cmdInListPassiveTarget = 0x4A

	itemField   = 0x01 // of RFConfiguration, 7.3.1
	itemRetries = 0x05

	paramRATS = 0x10 // fAutomaticRATS of SetParameters, 7.2.9
)

const (
	ackDeadline    = 30 * time.Millisecond // 15 ms after the command (6.2.2); clones are slower
	answerDeadline = 100 * time.Millisecond
	pollStep       = time.Millisecond
	// again is how often an answer that came in spoilt is asked for once more.
	again = 2
)

// errSilent is a chip that does not answer; it is errChip too.
var errSilent = fmt.Errorf("%w: no answer", errChip)

// command has the chip carry one out and copies what it answers into resp. When
// ctx ends, or the answer is late, the chip is freed by an ACK frame (6.2.1.3).
func (r *Reader) command(ctx context.Context, deadline time.Duration, resp []byte, cmd byte, args ...[]byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var tx, rx [maxFrame]byte
	defer func() {
		clear(tx[:])
		clear(rx[:])
	}()
	size, err := build(tx[:], cmd, args...)
	if err != nil {
		return 0, err
	}
	if err := r.bus.send(tx[:size]); err != nil {
		return 0, err
	}
	n, err := r.answer(ctx, deadline, resp, cmd, &rx)
	if err != nil {
		// Also what a chip does that has answered nonsense is no longer wanted.
		return 0, errors.Join(err, r.abort())
	}
	return n, nil
}

func (r *Reader) answer(ctx context.Context, deadline time.Duration, resp []byte, cmd byte, rx *[maxFrame]byte) (int, error) {
	k, _, err := r.frame(ctx, ackDeadline, rx[:ackBytes])
	if err != nil {
		return 0, err
	}
	if k != kindACK {
		return 0, fmt.Errorf("%w: command 0x%02X was not acknowledged", errChip, cmd)
	}
	want := min(len(resp)+2+overhead, maxFrame)
	for try := 0; ; try++ {
		k, data, err := r.frame(ctx, deadline, rx[:want])
		switch {
		case err == nil && k == kindError:
			return 0, fmt.Errorf("%w: command 0x%02X was refused", errChip, cmd)
		case err == nil && (k != kindInfo || data[0] != cmd+1):
			return 0, fmt.Errorf("%w: the answer to command 0x%02X is another's", errChip, cmd)
		case err == nil && len(data)-1 > len(resp):
			return 0, fmt.Errorf("%w: %d bytes answer command 0x%02X, which has %d at most", errChip, len(data)-1, cmd, len(resp))
		case err == nil:
			return copy(resp, data[1:]), nil
		case errors.Is(err, errChip) && !errors.Is(err, errSilent) && try < again:
			if err := r.bus.send(nackFrame()); err != nil {
				return 0, err
			}
		default:
			return 0, err
		}
	}
}

// frame waits for one.
func (r *Reader) frame(ctx context.Context, deadline time.Duration, dst []byte) (kind, []byte, error) {
	until := r.opts.Clock.Now() + deadline
	for {
		n, err := r.bus.poll(dst)
		if err != nil {
			return 0, nil, err
		}
		if n > 0 {
			return parse(dst[:n])
		}
		if r.opts.Clock.Now() > until {
			return 0, nil, fmt.Errorf("%w in %v", errSilent, deadline)
		}
		if err := r.opts.Clock.Sleep(ctx, pollStep); err != nil {
			return 0, nil, err
		}
	}
}

// abort frees the chip of whatever it is doing.
func (r *Reader) abort() error {
	return r.bus.do(func() error {
		if err := r.bus.wire.send(ackFrame()); err != nil {
			return err
		}
		return r.bus.wire.forget()
	})
}

// set has the chip carry out a command that answers nothing.
func (r *Reader) set(ctx context.Context, cmd byte, args ...byte) error {
	_, err := r.command(ctx, answerDeadline, nil, cmd, args)
	return err
}
