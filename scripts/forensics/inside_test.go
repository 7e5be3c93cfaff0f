package forensics

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// insideEnv makes this program one of the session's: it runs in the session's
// namespaces, with its user and its environment, and leaves canaries where an
// ordinary program would.
const insideEnv = "FORENSICS_INSIDE"

func TestMain(m *testing.M) {
	switch os.Getenv(insideEnv) {
	case "plant":
		inside()
	case "hold":
		hold()
	}
	os.Exit(m.Run())
}

// inside plants what standard input tells, answers which sinks did not take
// it, and holds on to everything until it is killed.
func inside() {
	var plan map[string]string
	if err := json.NewDecoder(os.Stdin).Decode(&plan); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := map[string]string{}
	for name, plant := range apps() {
		if m := plan[name]; m != "" {
			if err := plant(m); err != nil {
				failed[name] = err.Error()
			}
		}
	}
	if err := printJob(plan["print-title"], plan["print-body"]); err != nil {
		failed["print-title"], failed["print-body"] = err.Error(), err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(failed)
	os.Stdout.Close()
	stay()
}

// stay lives until somebody ends it.
func stay() {
	for {
		time.Sleep(time.Hour)
	}
}

// held keeps what must stay open.
var held []any

func apps() map[string]func(m string) error {
	home := os.Getenv("HOME")
	return map[string]func(string) error{
		"tmp":     func(m string) error { return write("/tmp/"+m, m) },
		"var-tmp": func(m string) error { return write("/var/tmp/"+m, m) },
		"shm":     func(m string) error { return write("/dev/shm/"+m, m) },
		"dconf": func(m string) error {
			return errors.Join(write(home+"/.config/dconf/user", "GVariant"+m), write(home+"/.cache/dconf/user", m))
		},
		"recents": func(m string) error {
			return write(home+"/.local/share/recently-used.xbel", `<xbel><bookmark href="file:///home/session/Downloads/`+m+`.pdf"/></xbel>`)
		},
		"fontconfig": func(m string) error {
			font, err := os.ReadFile("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
			if err != nil {
				return err
			}
			if err := write(home+"/.fonts/"+m+"/a.ttf", string(font)); err != nil {
				return err
			}
			return exec.Command("/usr/bin/fc-cache", home+"/.fonts").Run()
		},
		"unnamed-file": func(m string) error {
			f, err := os.CreateTemp("/tmp", "x")
			if err != nil {
				return err
			}
			held = append(held, f)
			_, err = f.WriteString(m)
			return errors.Join(err, os.Remove(f.Name()))
		},
		"memfd": func(m string) error { f, err := memfd(m); held = append(held, f); return err },
		"shared-memory": func(m string) error {
			_, seg, err := segment(m)
			held = append(held, seg)
			return err
		},
		"environment": func(m string) error {
			c := exec.Command("/usr/bin/sleep", "86400")
			c.Env = []string{"DOSSIER=" + m}
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			return c.Start()
		},
		"swap": func(m string) error {
			page, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return err
			}
			copy(page, m)
			held = append(held, page)
			return unix.Madvise(page, unix.MADV_PAGEOUT)
		},
	}
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

func memfd(text string) (*os.File, error) {
	fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "memfd")
	_, err = f.WriteString(text)
	return f, err
}

func segment(text string) (id int, seg []byte, err error) {
	if id, err = unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600); err != nil {
		return 0, nil, err
	}
	if seg, err = unix.SysvShmAttach(id, 0, 0); err == nil {
		copy(seg, text)
	}
	return id, seg, err
}

// printJob sends the session's printer a document as CUPS's library would
// (RFC 8010), and keeps the connection.
func printJob(title, body string) error {
	var b bytes.Buffer
	b.Write([]byte{2, 0, 0, 2, 0, 0, 0, 1, 1}) // IPP 2.0, Print-Job, request 1, operation attributes
	add := func(tag byte, name, value string) {
		b.WriteByte(tag)
		for _, s := range []string{name, value} {
			binary.Write(&b, binary.BigEndian, uint16(len(s)))
			b.WriteString(s)
		}
	}
	add(0x47, "attributes-charset", "utf-8")
	add(0x48, "attributes-natural-language", "fr")
	add(0x45, "printer-uri", "ipp://localhost/printers/borne")
	add(0x42, "job-name", title)
	add(0x49, "document-format", "application/pdf")
	b.WriteByte(3)
	b.WriteString("%PDF-1.4\n% " + body + "\n")
	c, err := net.Dial("unix", os.Getenv("CUPS_SERVER"))
	if err != nil {
		return err
	}
	held = append(held, c)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "POST /printers/borne HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ipp\r\nContent-Length: %d\r\n\r\n", b.Len())
	if _, err := c.Write(b.Bytes()); err != nil {
		return err
	}
	_, err = io.ReadAtLeast(c, make([]byte, 4096), 12)
	return err
}

// hold is a survivor: a process that has what standard input told in its
// memory, in a file without a name, or in another form, and lives on.
func hold() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		os.Exit(1)
	}
	switch os.Getenv("FORENSICS_AS") {
	case "unnamed":
		f, err := os.CreateTemp("", "x")
		if err != nil {
			os.Exit(1)
		}
		f.Write(text)
		os.Remove(f.Name())
		clear(text)
		held = append(held, f)
	case "memfd":
		f, err := memfd(string(text))
		if err != nil {
			os.Exit(1)
		}
		clear(text)
		held = append(held, f)
	default:
		held = append(held, text)
	}
	os.Stdout.WriteString("held\n")
	os.Stdout.Close()
	stay()
}
