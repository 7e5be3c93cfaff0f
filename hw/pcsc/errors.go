package pcsc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"borne/hw"

	"golang.org/x/sys/unix"
)

var (
	// errCard: this card, this time; the reader works on.
	errCard = errors.New("the card cannot be read")
	// errProtocol: what talks on the socket is no pcscd that we know.
	errProtocol = errors.New("pcscd answers wrongly; check its version (1.8.24 or later) and restart it")
)

// code is a return value of pcscd (pcsclite.h).
type code uint32

const (
	codeUnknownReader     code = 0x80100009
	codeReaderUnavailable code = 0x80100017
	codeNoService         code = 0x8010001D
	codeServiceStopped    code = 0x8010001E
	codeNoReaders         code = 0x8010002E
)

// check turns a return value into an error.
func (c code) check(doing string) error {
	switch c {
	case 0:
		return nil
	case codeUnknownReader, codeReaderUnavailable, codeNoReaders:
		return fmt.Errorf("%w: the reader was unplugged (%s: %08X)", hw.ErrAbsent, doing, uint32(c))
	case codeNoService, codeServiceStopped:
		return fmt.Errorf("%w: pcscd is stopping (%s: %08X)", hw.ErrAbsent, doing, uint32(c))
	}
	// What is left is said of a card: removed, mute, reset, in another's hands.
	return fmt.Errorf("%w: pcscd answers %08X to %s", errCard, uint32(c), doing)
}

// dialError says what is missing, and what mends it.
func dialError(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: %s does not exist; install pcscd (apt install pcscd) and start it (systemctl enable --now pcscd.socket)", hw.ErrAbsent, socket)
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w: pcscd does not answer on %s: %w; restart it (systemctl restart pcscd.socket pcscd)", hw.ErrAbsent, socket, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; give %s to the agent's user", err, socket)
	}
	return err
}

// socketError turns what the system says of a connection into hw's errors.
func socketError(err error) error {
	switch {
	case errors.Is(err, net.ErrClosed):
		return hw.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("pcscd does not answer within %v; restart it (systemctl restart pcscd): %w", callTimeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		return fmt.Errorf("%w: pcscd has ended: %w", hw.ErrAbsent, err)
	}
	return err
}
