package cupsd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/printer"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"
)

const (
	title = "Titre-Impossible-71"
	body  = "Corps-Impossible-72"
)

func open(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "q")
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(cfg.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its folder is still there: %v", err)
		}
		if left := running(t, cfg.Dir, 0); len(left) > 0 {
			t.Errorf("%d processes are left", len(left))
		}
	})
	return s
}

func client(t *testing.T, s *Server) *printer.Client {
	t.Helper()
	c, err := printer.NewClient(printer.Target{URI: s.URI(), Queue: Events}, s.Dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// send hands a document to the queue, as the press does.
func send(t *testing.T, s *Server, doc []byte, ticket printjob.Ticket) int {
	t.Helper()
	sent, err := printer.Deliver(patient(t), s.Dial, printer.Target{URI: s.URI()},
		printer.Order{Name: title, Format: printjob.PDF, Ticket: ticket, Doc: bytes.NewReader(doc), Size: int64(len(doc))})
	if err != nil {
		t.Fatal(err)
	}
	return sent.Remote
}

// pid is that of the cupsd that works now.
func pid(t *testing.T, s *Server) (n int) {
	t.Helper()
	until(t, "a cupsd", func() bool {
		for _, p := range running(t, s.cfg.Dir, 0) {
			if exe, _ := os.Readlink(filepath.Join("/proc", itoa(p), "exe")); filepath.Base(exe) == "cupsd" {
				n = p
			}
		}
		return n != 0
	})
	return n
}

// stuck prints a document on a printer that takes none of it, until all of it is
// on its way and nothing more moves: the queue holds it.
func stuck(t *testing.T, s *Server, r *raw, doc []byte) int {
	t.Helper()
	id := send(t, s, doc, printjob.Ticket{})
	until(t, "the job at its printer", r.busy)
	if found := holding(t, s.cfg.Dir, body); len(found) == 0 {
		t.Fatal("the search does not find a document that is there")
	}
	return id
}

func TestPrintsAndLeavesNothing(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	r := startRaw(t, true)
	s := open(t, Config{Printer: r.uri(), Options: map[string]string{"OptionDuplex": "True"}})
	c := client(t, s)
	can, err := c.Capabilities(patient(t), printjob.PDF)
	if err != nil || !can.Takes(printjob.PDF) || !can.Duplex() || can.Colour || !can.A4 || !can.Ranges {
		t.Fatalf("%+v, %v", can, err)
	}
	if st, err := c.Status(patient(t)); err != nil || st.State != wire.PrinterReady || !st.Estimate {
		t.Fatalf("%+v, %v", st, err)
	}
	id := stuck(t, s, r, printertest.PDF(3, body, 0))
	if j, err := c.Job(patient(t), id, title); err != nil || j.State.Over() || !j.Estimated || j.Impressions != -1 || j.Sheets != -1 {
		t.Fatalf("%+v, %v", j, err)
	}
	if st, err := c.Status(patient(t)); err != nil || st.State != wire.PrinterBusy {
		t.Errorf("%+v, %v", st, err)
	}
	if j, err := c.Find(patient(t), title); err != nil || j.ID != id {
		t.Errorf("%+v, %v", j, err)
	}
	r.release()
	j, err := c.Follow(patient(t), id, title, func(printer.Progress) {})
	if err != nil || j.State != printjob.Completed || !j.Estimated || !j.Silent() {
		t.Fatalf("%+v, %v", j, err)
	}
	if j, err := c.Find(patient(t), title); err != nil || j.ID != id || j.State != printjob.Completed || !j.Estimated {
		t.Errorf("%+v, %v", j, err)
	}
	if _, err := c.Job(patient(t), id, "somebody's"); !errors.Is(err, printer.ErrNoJob) {
		t.Errorf("another job of that number: %v", err)
	}
	if _, err := c.Job(patient(t), id+1, title); !errors.Is(err, printer.ErrNoJob) {
		t.Errorf("a job that never was: %v", err)
	}
	if got := r.printed(); len(got) != 1 || !bytes.Contains(got[0], []byte("@PJL ENTER LANGUAGE = PCLXL")) {
		t.Errorf("%d jobs came out, or not in the printer's language", len(got))
	}
	if found := holding(t, s.cfg.Dir, title, body); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
	for _, d := range []string{"spool", "tmp"} {
		if found := filesIn(t, filepath.Join(s.cfg.Dir, d)); len(found) > 0 {
			t.Errorf("left in %s: %q", d, found)
		}
	}
}

// A printer with IPP that knows rasters only: CUPS makes them, with the driver
// that it makes of what the printer tells.
func TestPrintsOverIPP(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	p, err := printertest.Start(printertest.Options{Duplex: true, Formats: "image/pwg-raster,image/urf"})
	if errors.Is(err, printertest.ErrMissing) {
		t.Skip("SKIP: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ppd, err := exec.Command("driverless", p.URI()).Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("SKIP: cups-filters is not installed; run scripts/setup")
	}
	driver := filepath.Join(t.TempDir(), "x.ppd")
	if err = errors.Join(err, os.WriteFile(driver, ppd, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Printer: Scheme + p.URI(), Driver: driver})
	c := client(t, s)
	id := send(t, s, printertest.PDF(3, body, 0), printjob.Ticket{Copies: 2})
	j, err := c.Follow(patient(t), id, title, func(printer.Progress) {})
	if err != nil || j.State != printjob.Completed || !j.Estimated || j.Impressions != -1 {
		t.Errorf("%+v, %v", j, err)
	}
	if out := p.Output(1); len(out.Sides) == 0 {
		t.Errorf("nothing came out; the printer says %s", p.Log())
	}
	if found := holding(t, s.cfg.Dir, title, body); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
}

// A job that fails, and one that is taken back, are told from one that is printed.
func TestEndsAreTold(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	r := startRaw(t, true)
	s := open(t, Config{Printer: r.uri()})
	c := client(t, s)
	id := stuck(t, s, r, printertest.PDF(2, body, 0))
	if err := c.Cancel(patient(t), id, title); err != nil {
		t.Fatal(err)
	}
	if j, err := c.Follow(patient(t), id, title, func(printer.Progress) {}); err != nil || j.State != printjob.Canceled || !j.Estimated {
		t.Errorf("taken back: %+v, %v", j, err)
	}
	r.release()
	id = send(t, s, []byte("%PDF-1.4\nno document\n"), printjob.Ticket{})
	if j, err := c.Follow(patient(t), id, title, func(printer.Progress) {}); err != nil || j.State != printjob.Aborted {
		t.Errorf("broken: %+v, %v", j, err)
	}
	if j, err := c.Find(patient(t), title); err != nil || !j.State.Over() {
		t.Errorf("by its name: %+v, %v", j, err)
	}
	// A printer that is switched off is waited for: CUPS itself says no more of it.
	r.ln.Close()
	id = send(t, s, printertest.PDF(1, body, 0), printjob.Ticket{})
	until(t, "the job on its way", func() bool {
		j, err := c.Job(patient(t), id, title)
		return err == nil && j.State == printjob.Processing
	})
	if err := c.Cancel(patient(t), id, title); err != nil {
		t.Error(err)
	}
	if j, err := c.Follow(patient(t), id, title, func(printer.Progress) {}); err != nil || j.State != printjob.Canceled {
		t.Errorf("away: %+v, %v", j, err)
	}
	if found := holding(t, s.cfg.Dir, title, body); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
}

// Whatever kills cupsd in the middle of a job: the next one has nothing of it.
func TestKilledCupsdIsPurged(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	r := startRaw(t, true)
	s := open(t, Config{Printer: r.uri()})
	c := client(t, s)
	id := stuck(t, s, r, printertest.PDF(2, body, 0))
	first := pid(t, s)
	before := running(t, s.cfg.Dir, first)
	if len(before) == 0 {
		t.Fatal("nothing prints")
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the next cupsd", func() bool {
		st, err := c.Status(patient(t))
		return err == nil && st.State == wire.PrinterReady && pid(t, s) != first
	})
	if found := holding(t, s.cfg.Dir, title, body); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
	if left := running(t, s.cfg.Dir, pid(t, s)); len(left) > 0 {
		t.Errorf("%d of its %d processes still run", len(left), len(before))
	}
	if _, err := c.Follow(patient(t), id, title, func(printer.Progress) {}); !errors.Is(err, printer.ErrNoJob) {
		t.Errorf("the job that was cut: %v", err)
	}
	r.release()
	id = send(t, s, printertest.PDF(1, body, 0), printjob.Ticket{})
	if j, err := c.Follow(patient(t), id, title, func(printer.Progress) {}); err != nil || j.State != printjob.Completed {
		t.Errorf("the next one: %+v, %v", j, err)
	}
}

// abandoned names the folder in which a copy of this test starts a queue.
const abandoned = "BORNE_TEST_CUPSD"

// An agent that is killed takes cupsd along, and what its filters hold is ended
// by the next.
func TestKilledAgentIsPurged(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	if where := os.Getenv(abandoned); where != "" {
		dir, uri, _ := strings.Cut(where, " ")
		s, err := Start(t.Context(), Config{Dir: dir, Printer: uri})
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, printertest.PDF(2, body, 0), printjob.Ticket{})
		time.Sleep(patience) // it is killed
		return
	}
	r := startRaw(t, true)
	dir := filepath.Join(t.TempDir(), "q")
	agent := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	agent.Env = append(os.Environ(), abandoned+"="+dir+" "+r.uri())
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the job at its printer", r.busy)
	agent.Process.Kill()
	agent.Wait()
	if found := holding(t, dir, body); len(found) == 0 {
		t.Fatal("a killed agent leaves nothing: this proves nothing")
	}
	s := open(t, Config{Dir: dir, Printer: r.uri()})
	if found := holding(t, dir, title, body); len(found) > 0 {
		t.Errorf("left: %q", found)
	}
	if left := running(t, dir, pid(t, s)); len(left) > 0 {
		t.Errorf("%d processes still run", len(left))
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	count := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	dir := filepath.Join(t.TempDir(), "q")
	once := func() {
		s, err := Start(t.Context(), Config{Dir: dir, Printer: Scheme + "socket://127.0.0.1:9"})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if _, err := s.Dial(t.Context()); err == nil {
			t.Error("it still answers")
		}
	}
	once() // what the runtime opens once
	files, routines := count(), runtime.NumGoroutine()
	for range 3 {
		once()
	}
	until(t, "an end of all", func() bool { return count() <= files && runtime.NumGoroutine() <= routines })
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || len(running(t, dir, 0)) > 0 {
		t.Errorf("something is left: %v", err)
	}
}

// A cupsd that does not start says why, and leaves nothing.
func TestStartFails(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "q")
	s, err := prepare(Config{Dir: dir, Printer: Scheme + "socket://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	s.bin = "/bin/false"
	if _, err := s.begin(t.Context()); err == nil || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("no cupsd: %v", err)
	}
	if err := s.clear(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Dir: dir, Printer: Scheme + "socket://127.0.0.1:9"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a start that is called off: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || len(running(t, dir, 0)) > 0 {
		t.Errorf("something is left: %v", err)
	}
}

// Nobody manages the queue, not even whoever may print.
func TestNobodyManages(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	if _, err := exec.LookPath("/usr/sbin/lpadmin"); err != nil {
		t.Skip("SKIP: cups-client is not installed; run scripts/setup")
	}
	s := open(t, Config{Printer: Scheme + "socket://127.0.0.1:9"})
	c := exec.Command("/usr/sbin/lpadmin", "-h", socket(s.cfg.Dir), "-p", "other", "-v", "socket://127.0.0.1:9", "-E")
	if out, err := c.CombinedOutput(); err == nil || !bytes.Contains(bytes.ToLower(out), []byte("forbidden")) {
		t.Errorf("a queue is made: %v, %s", err, out)
	}
}
