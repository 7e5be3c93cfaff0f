package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// exchangeDeadline ends an exchange that neither card nor timer ends: the
	// longest frame takes 1.5 ms, the chip's timer 3 ms.
	exchangeDeadline = 20 * time.Millisecond
	// exchangeStep is when ComIrqReg is first looked at: a SELECT and its answer
	// take 1.1 ms. Then the pause doubles, so that an empty field costs two looks:
	// polling must leave the CPU alone.
	exchangeStep = 1200 * time.Microsecond
	// guardTime is what a card may take to be ready after the field appears
	// (ISO/IEC 14443-3, 6.2.3: 5 ms).
	guardTime = 5100 * time.Microsecond
	// lookDeadline ends an inventory that some jammer drags out.
	lookDeadline = time.Second
	// maxCards bounds an inventory; a purse holds fewer that still answer.
	maxCards = 8
	// maxRounds bounds one level's anticollision: each round learns a bit at least.
	maxRounds = partBits + 1
	// selectTries is how often one card is tried again after an unreadable frame.
	selectTries = 3
)

// exchange sends a frame whose last byte has lastBits valid bits (0: 8) and
// receives the answer into rx, aligned by as many bits (10.3.1.8).
func (r *Reader) exchange(ctx context.Context, tx []byte, lastBits int, rx *[fifoSize]byte) (response, error) {
	return r.transceive(ctx, tx, lastBits, rx, patience{exchangeDeadline, exchangeStep, 2})
}

// patience is how long to wait for an exchange's end, and how often to look: the
// pause grows by a factor.
type patience struct {
	deadline, step time.Duration
	growth         time.Duration
}

// transceive is exchange with a patience of its own.
func (r *Reader) transceive(ctx context.Context, tx []byte, lastBits int, rx *[fifoSize]byte, wait patience) (response, error) {
	b, align := &r.bus, lastBits
	if len(tx) == 1 { // short frames are answered by whole bytes
		align = 0
	}
	for _, s := range []setting{{regCommand, cmdIdle}, {regComIrq, irqClear}, {regFIFOLevel, fifoFlush}} {
		if err := b.write(s.reg, s.val); err != nil {
			return response{}, err
		}
	}
	if err := b.write(regFIFOData, tx...); err != nil {
		return response{}, err
	}
	if err := b.write(regCommand, cmdTransceive); err != nil {
		return response{}, err
	}
	if err := b.write(regBitFraming, framingStartSend|byte(align)<<4|byte(lastBits)); err != nil {
		return response{}, err
	}
	irq, err := r.awaitEnd(ctx, wait)
	if err != nil {
		return response{}, err
	}
	errBits, err := b.readOne(regError)
	if err != nil {
		return response{}, err
	}
	if irq&irqRx == 0 {
		if errBits&errBytes != 0 { // noise without end of frame
			return response{}, fmt.Errorf("%w: ErrorReg reads 0x%02X", errFrame, errBits)
		}
		return response{}, errNoCard
	}
	return r.received(errBits, rx)
}

// awaitEnd waits for the answer's end or the timer's.
func (r *Reader) awaitEnd(ctx context.Context, wait patience) (irq byte, err error) {
	start := r.opts.Clock.Now()
	for pause := wait.step; ; pause *= wait.growth {
		if err := r.opts.Clock.Sleep(ctx, pause); err != nil {
			return 0, err
		}
		irq, err := r.bus.readOne(regComIrq)
		if err != nil {
			return 0, err
		}
		if irq&0x80 != 0 { // Set1 is write-only and reads 0 (9.3.1.5)
			return 0, fmt.Errorf("%w: ComIrqReg reads 0x%02X; check MISO", errChip, irq)
		}
		if irq&(irqRx|irqTimer) != 0 {
			return irq, nil
		}
		if r.opts.Clock.Now()-start > wait.deadline {
			if irq&irqErr != 0 { // noise stopped the timer (8.5) and then ceased
				return 0, fmt.Errorf("%w: it does not end", errFrame)
			}
			return 0, fmt.Errorf("%w: no end of exchange after %v (ComIrqReg 0x%02X)", errChip, wait.deadline, irq)
		}
	}
}

// received fetches the answer; bytes that came with an error are not looked at.
func (r *Reader) received(errBits byte, rx *[fifoSize]byte) (response, error) {
	b := &r.bus
	n, err := b.readOne(regFIFOLevel)
	if err != nil {
		return response{}, err
	}
	control, err := b.readOne(regControl)
	if err != nil {
		return response{}, err
	}
	switch {
	case n > fifoSize:
		return response{}, fmt.Errorf("%w: FIFOLevelReg reads 0x%02X", errChip, n)
	case errBits&errBytes != 0:
		return response{}, fmt.Errorf("%w: ErrorReg reads 0x%02X", errFrame, errBits)
	case n == 0:
		return response{}, fmt.Errorf("%w: it is empty", errFrame)
	}
	if err := b.read(regFIFOData, rx[:n]); err != nil {
		return response{}, err
	}
	res := response{data: rx[:n], last: int(control & 7)}
	if errBits&errCollision == 0 {
		return res, nil
	}
	coll, err := b.readOne(regColl)
	if err != nil {
		return response{}, err
	}
	if coll&collPosNotValid != 0 {
		return response{}, fmt.Errorf("%w: collision out of range", errFrame)
	}
	// 0 stands for the 32nd bit (9.3.1.15).
	if res.coll = int(coll & collPosMask); res.coll == 0 {
		res.coll = 32
	}
	return res, nil
}

// selectCard wakes the field with cmd and takes one card to ACTIVE. Its UID is
// written to u, which the caller zeroes. errNoCard: nobody answered cmd.
func (r *Reader) selectCard(ctx context.Context, cmd byte, u *uid) error {
	var rx [fifoSize]byte
	defer clear(rx[:])
	res, err := r.exchange(ctx, []byte{cmd}, 7, &rx)
	if err != nil {
		return err
	}
	if err := checkATQA(res); err != nil {
		return err
	}
	for level := range maxLevels {
		more, err := r.selectLevel(ctx, level, u, &rx)
		if errors.Is(err, errNoCard) {
			return fmt.Errorf("%w: card left at cascade level %d", errFrame, level+1)
		}
		if err != nil || !more {
			return err
		}
	}
	return fmt.Errorf("%w: more than %d cascade levels", errFrame, maxLevels)
}

// selectLevel resolves one cascade level bit by bit and selects it.
func (r *Reader) selectLevel(ctx context.Context, level int, u *uid, rx *[fifoSize]byte) (more bool, err error) {
	var p part
	var req [7]byte
	var sel [9]byte
	defer func() {
		p = part{}
		clear(req[:])
		clear(sel[:])
	}()
	for round := 0; ; round++ {
		if round == maxRounds {
			return false, fmt.Errorf("%w: anticollision does not end", errFrame)
		}
		n, lastBits := p.request(&req, level)
		res, err := r.exchange(ctx, req[:n], lastBits, rx)
		if err != nil {
			return false, err
		}
		done, err := p.apply(res)
		if err != nil {
			return false, err
		}
		if done {
			break
		}
	}
	p.selectFrame(&sel, level)
	res, err := r.exchange(ctx, sel[:], 0, rx)
	if err != nil {
		return false, err
	}
	if more, err = parseSAK(res, &p, level); err != nil {
		return false, err
	}
	u.add(&p, more)
	u.sak = res.data[0]
	return more, nil
}

// halt puts the active card to sleep so that the next REQA finds the others;
// silence is its consent (ISO/IEC 14443-3, 6.4.3).
func (r *Reader) halt(ctx context.Context) error {
	var rx [fifoSize]byte
	defer clear(rx[:])
	f := [4]byte{0x50, 0x00}
	crc := crcA(f[:2])
	f[2], f[3] = crc[0], crc[1]
	_, err := r.exchange(ctx, f[:], 0, &rx)
	if errors.Is(err, errNoCard) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%w: a card answered HLTA", errFrame)
	}
	return err
}

// field switches the antenna; cards lose their state without it.
func (r *Reader) field(ctx context.Context, on bool) error {
	if !on {
		return r.bus.write(regTxControl, antennaOff)
	}
	if err := r.bus.write(regTxControl, antennaOn); err != nil {
		return err
	}
	return r.opts.Clock.Sleep(ctx, guardTime)
}

// inventory lists the cards in the field, calling each with every UID while its
// card is selected. It is complete unless some card could not be read. Errors are
// the chip's, the bus's or the context's, never a card's.
func (r *Reader) inventory(ctx context.Context, each meeting) (complete bool, err error) {
	if err := r.sentinel(); err != nil {
		return false, err
	}
	if err := r.field(ctx, true); err != nil {
		return false, err
	}
	start := r.opts.Clock.Now()
	complete = true
	for bad, found := 0, 0; found < maxCards; {
		if r.opts.Clock.Now()-start > lookDeadline {
			return false, r.field(ctx, false)
		}
		var u uid
		err := r.selectCard(ctx, cmdREQA, &u)
		if err == nil {
			found++
			var after parting
			after, err = each(ctx, &u)
			complete = complete && after != unread
			bad = 0 // the unreadable card may be this one
			if err == nil && after != halted {
				err = r.halt(ctx)
			}
		}
		u = uid{}
		switch {
		case err == nil:
		case errors.Is(err, errNoCard) && bad == 0:
			return complete, r.field(ctx, false)
		case errors.Is(err, errNoCard), errors.Is(err, errFrame):
			// A power cycle would wake the cards already counted. A card left in
			// READY takes a first REQA as an error, falls back to IDLE in silence
			// and answers the second one: so silence is tried again too.
			if bad++; bad > selectTries {
				return false, r.field(ctx, false)
			}
		default:
			return false, err
		}
	}
	return complete, r.field(ctx, false)
}

// meeting is what is done with a card that is selected.
type meeting func(ctx context.Context, u *uid) (parting, error)

// parting is how a meeting leaves its card.
type parting uint8

const (
	selected parting = iota // still to be halted
	halted                  // in HALT, or in a state that does not hear REQA
	unread                  // it left before all was known of it: to be halted, if it is there
)
