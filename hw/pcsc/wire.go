package pcsc

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The messages of pcsc-lite's daemon (winscard_msg.h, eventhandler.h, pcsclite.h),
// protocol 4.4: C structs of 32-bit words, in the byte order of the machine, which
// is little-endian on every board that we build for.

// command is what a message asks for (enum pcsc_msg_commands).
type command uint32

const (
	cmdEstablish  command = 0x01
	cmdConnect    command = 0x04
	cmdDisconnect command = 0x06
	cmdBegin      command = 0x07
	cmdEnd        command = 0x08
	cmdTransmit   command = 0x09
	cmdVersion    command = 0x11
	cmdWait       command = 0x13
	cmdStopWait   command = 0x14
)

// The protocol that is spoken here: pcsc-lite 1.8.24 and later, which take the
// later minor versions' clients and earlier ones' alike.
const (
	protocolMajor = 4
	protocolMinor = 4
)

const (
	scopeSystem  = 2
	shareShared  = 2
	protocolT0T1 = 1 | 2
	leaveCard    = 0
)

const (
	nameSize    = 128 // MAX_READERNAME
	atrSize     = 33  // MAX_ATR_SIZE; 36 with its padding
	maxReaders  = 16  // PCSCLITE_MAX_READERS_CONTEXTS
	readerSize  = nameSize + 3*4 + 36 + 2*4
	statesSize  = maxReaders * readerSize
	connectSize = 4 + nameSize + 5*4
	headerSize  = 8
	eventSize   = 8   // struct wait_reader_state_change
	pciSize     = 16  // sizeof(SCARD_IO_REQUEST): two longs; only their driver looks at it
	maxAnswer   = 264 // MAX_BUFFER_SIZE: a short APDU's answer
	maxCommand  = 261 // a short APDU: header, Lc, 255 bytes, Le (ISO/IEC 7816-4, 5.1)
)

// Bits of a reader's state (pcscd's READER_STATE, not the API's).
const (
	stateAbsent  = 0x02
	statePresent = 0x04
)

// readerState is one plugged reader as pcscd tells it.
type readerState struct {
	name    string
	visits  uint32 // rises when a card comes and when it leaves
	present bool
}

// parseStates reads CMD_WAIT_READER_STATE_CHANGE's answer: 16 places, empty ones without a name.
func parseStates(b []byte) ([]readerState, error) {
	if len(b) != statesSize {
		return nil, fmt.Errorf("%w: %d bytes of reader states, want %d", errProtocol, len(b), statesSize)
	}
	var out []readerState
	for ; len(b) > 0; b = b[readerSize:] {
		name, _, ended := bytes.Cut(b[:nameSize], []byte{0})
		if !ended {
			return nil, fmt.Errorf("%w: a reader's name without an end", errProtocol)
		}
		if len(name) == 0 {
			continue
		}
		if n := word(b, nameSize+12+36); n > atrSize {
			return nil, fmt.Errorf("%w: an ATR of %d bytes", errProtocol, n)
		}
		out = append(out, readerState{
			name:    string(name),
			visits:  word(b, nameSize),
			present: word(b, nameSize+4)&(statePresent|stateAbsent) == statePresent,
		})
	}
	return out, nil
}

// word reads the 32-bit word at an offset.
func word(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

// words writes 32-bit words behind b.
func words(b []byte, v ...uint32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// parseUID takes a UID out of the answer to GET DATA (PC/SC part 3, 3.2.2.1.3): the
// UID and the status word, nothing else. Its errors never hold the answer.
func parseUID(answer []byte) ([]byte, error) {
	if len(answer) < 2 {
		return nil, fmt.Errorf("%w: an answer of %d bytes has no status word", errCard, len(answer))
	}
	uid, sw := answer[:len(answer)-2], binary.BigEndian.Uint16(answer[len(answer)-2:])
	switch {
	case sw != 0x9000:
		return nil, fmt.Errorf("%w: the reader answers %04X to the question for its UID", errCard, sw)
	case len(uid) != 4 && len(uid) != 7 && len(uid) != 10:
		return nil, fmt.Errorf("%w: a UID of %d bytes, and only 4, 7 and 10 exist (ISO/IEC 14443-3)", errCard, len(uid))
	}
	return uid, nil
}
