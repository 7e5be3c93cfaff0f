package press

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// childEnv makes this test program a printer in a process of its own: the folder
// of its socket, and the real printer's address.
const childEnv = "PRESS_CHILD"

func TestMain(m *testing.M) {
	if v := os.Getenv(childEnv); v != "" {
		if err := child(strings.Fields(v)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// glance counts without a look at the whole: the memory of who counts in truth
// is not the printer's.
type glance struct{}

func (glance) Count(_ context.Context, f *os.File) (printjob.Format, int, error) {
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "%PDF" {
		return "", 0, printjob.Fail(printjob.WhyUnreadable, err)
	}
	return printjob.PDF, 2, nil
}

// child is the printer: it serves until its input ends.
func child(args []string) error {
	p := New(Config{Counter: glance{}})
	ln, err := Listen(args[0], UIDs{From: os.Getuid(), To: os.Getuid()}, p.c.Log)
	if err != nil {
		return err
	}
	agent, theirs, err := sandbox.Pair()
	if err != nil {
		return err
	}
	channel, err := sandbox.FromFile(theirs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go Approve(ctx, agent, args[1])
	go p.Attach(ctx, channel)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return p.Serve(ctx, ln)
}

// peak is the most that a process ever had of memory, in kB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the kernel tells no peak")
	return 0
}

// TestMemory sends 50 MB through a printer, plain and compressed, to a real one
// behind it: it never has 40 MB of memory for itself.
func TestMemory(t *testing.T) {
	const size, most = 50 << 20, 40 << 10
	real, err := printertest.StartFake(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	path := filepath.Join(t.TempDir(), "print.sock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path+" "+real.URI())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	program := client(t, path)
	for { // until it listens and knows what its printer can
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			m := post(t, program, ask(goipp.OpGetPrinterAttributes), bytes.NewReader(nil))
			if ok, _ := ipp.Bool(m.Printer, "printer-is-accepting-jobs"); ok {
				break
			}
		}
	}
	before := peak(t, cmd.Process.Pid)
	document := append([]byte("%PDF"), bytes.Repeat([]byte("0123456789abcdef"), size/16)...)
	for i, compression := range []string{"none", "gzip", "deflate"} {
		body := string(document)
		if compression != "none" {
			body = squeeze(t, compression, body)
		}
		m := post(t, program, ask(goipp.OpPrintJob, ipp.Keyword("compression", compression), ipp.Name("job-name", "lettre à ma mère")), strings.NewReader(body))
		if goipp.Status(m.Code) != goipp.StatusOk {
			t.Fatalf("%s: %v", compression, goipp.Status(m.Code))
		}
		for state := 0; state < int(printjob.Canceled); {
			m := post(t, program, ask(goipp.OpGetJobAttributes, ipp.Integer("job-id", i+1)), bytes.NewReader(nil))
			state, _ = ipp.Int(m.Job, "job-state")
			if state == int(printjob.Aborted) || state == int(printjob.Canceled) {
				t.Fatalf("%s: state %d", compression, state)
			}
		}
	}
	after := peak(t, cmd.Process.Pid)
	want := sha256.Sum256(document)
	for id := 1; id <= 3; id++ {
		if j, ok := real.Job(id); !ok || j.Bytes != int64(len(document)) || j.Sum != want || strings.Contains(j.Name, "lettre") {
			t.Errorf("job %d arrived as %d bytes of %d, called %q", id, j.Bytes, len(document), j.Name)
		}
	}
	t.Logf("peak %d kB before, %d kB after 3 × %d MB", before, after, size>>20)
	if after > most {
		t.Errorf("the printer took %d kB, at most %d kB are right", after, most)
	}
}
