package warden

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// printWithin bounds how long the press may take to read what it is sent.
const printWithin = 300 * time.Millisecond

// plantPrint begins to print a document on the session's printer, as its browser
// would, whose name and first line are the canary. It never ends: the press holds
// it until it is killed, or held ends. found is how often its memory has it; -1
// where nothing can be printed.
func (w *warden) plantPrint(b *box) (found int, held io.Closer, err error) {
	if !w.prints(b) {
		return -1, nil, nil
	}
	in, err := b.members()
	if err != nil {
		return 0, nil, err
	}
	press := 0
	for _, p := range in {
		if p.uids[0] == b.uids.press {
			press = p.pid
		}
	}
	if press == 0 {
		return 0, nil, errors.New("no press runs in the sandbox")
	}
	c, err := w.dialPress(b)
	if err != nil {
		return 0, nil, err
	}
	c.SetDeadline(time.Now().Add(printWithin))
	if _, err := c.Write(printRequest(b.canaries.value(canaryInPrint))); err != nil {
		return 0, c, fmt.Errorf("cannot print: %w", err)
	}
	for end := time.Now().Add(printWithin); ; time.Sleep(5 * time.Millisecond) {
		s := newSeeker(b.canaries)
		s.memory(press)
		s.forget()
		if n := s.hits[canaryInPrint]; n > 0 {
			return n, c, nil
		}
		if time.Now().After(end) {
			return 0, c, fmt.Errorf("the search does not find it in the press's memory (%v)", s.trouble)
		}
	}
}

// dialPress connects to the press of a sandbox with the browser's user, the only
// one that it answers. The socket is reached through a descriptor: no name in the
// sandbox leads elsewhere.
func (w *warden) dialPress(b *box) (c *net.UnixConn, err error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", b.pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot enter the sandbox: %w", err)
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, strings.TrimPrefix(printSocket, "/"), &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return nil, fmt.Errorf("cannot find the session's printer: %w", err)
	}
	defer unix.Close(fd)
	err = asUser(b.uids.browser, func() error {
		a := &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d", fd), Net: "unix"}
		c, err = net.DialUnix("unix", nil, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot reach the session's printer: %w", err)
	}
	return c, nil
}

// printRequest begins Print-Job (RFC 8010 §3.1, RFC 8011 §4.2.1) with a document
// of which more is promised than comes.
func printRequest(canary string) []byte {
	var b bytes.Buffer
	b.Write([]byte{2, 0, 0, 2, 0, 0, 0, 1, 1}) // IPP 2.0, Print-Job, request 1, operation attributes
	for _, a := range []struct {
		tag         byte
		name, value string
	}{{0x47, "attributes-charset", "utf-8"}, {0x48, "attributes-natural-language", "fr"}, {0x45, "printer-uri", "ipp://localhost/printers/borne"},
		{0x42, "job-name", canary}, {0x49, "document-format", "application/pdf"}} {
		b.WriteByte(a.tag)
		for _, s := range []string{a.name, a.value} {
			b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(s))))
			b.WriteString(s)
		}
	}
	b.WriteByte(3) // the attributes end
	fmt.Fprintf(&b, "%%PDF-1.4\n%% %s\n", canary)
	head := fmt.Sprintf("POST /printers/borne HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ipp\r\nContent-Length: %d\r\n\r\n", b.Len()+4096)
	return append([]byte(head), b.Bytes()...)
}
