package printer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"
)

// start returns a real ippeveprinter, or skips.
func start(t *testing.T, o printertest.Options) *printertest.Printer {
	t.Helper()
	p, err := printertest.Start(o)
	if errors.Is(err, printertest.ErrMissing) {
		t.Skip("SKIP: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Log())
		}
		p.Close()
	})
	return p
}

func client(t *testing.T, to Target, dial DialFunc) *Client {
	t.Helper()
	c, err := NewClient(to, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func order(name string, doc []byte, t printjob.Ticket) Order {
	return Order{Name: name, Format: printjob.PDF, Ticket: t, Doc: bytes.NewReader(doc), Size: int64(len(doc))}
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func dialer(uri string) DialFunc {
	return func(ctx context.Context) (net.Conn, error) { return Dial(ctx, uri) }
}

// send delivers a document that must be taken.
func send(t *testing.T, p *printertest.Printer, o Order) int {
	t.Helper()
	sent, err := Deliver(patient(t), dialer(p.URI()), Target{URI: p.URI()}, o)
	if err != nil || sent.Remote < 1 || sent.Unsure || sent.Why != "" {
		t.Fatalf("%+v, %v", sent, err)
	}
	return sent.Remote
}

func TestCapabilitiesOfARealPrinter(t *testing.T) {
	p := start(t, printertest.Options{Duplex: true, Colour: true})
	c := client(t, Target{URI: p.URI()}, nil)
	got, err := c.Capabilities(patient(t), printjob.PDF)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	if !got.Takes(printjob.PDF) || !got.Takes(printjob.JPEG) || got.Takes(printjob.URF) || !got.Colour || !got.Black || !got.LongEdge || !got.ShortEdge ||
		got.Copies != printjob.MaxCopies || !got.Ranges || len(got.NumberUp) != 0 || !got.A4 || !got.PrintJob || got.Model != "Example Printer" {
		t.Errorf("%+v", got)
	}
	plain := start(t, printertest.Options{})
	if got, err = client(t, Target{URI: plain.URI()}, nil).Capabilities(patient(t), printjob.PDF); err != nil || got.Colour || got.Duplex() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestFacts prints what a real printer tells in each of the cases that a
// settlement must decide, and what really came out.
func TestFacts(t *testing.T) {
	six := printertest.PDF(6, "six", 0)
	row := func(t *testing.T, p *printertest.Printer, id int, j Job, err error, states int, impressions int) {
		t.Helper()
		o := p.Output(id)
		t.Logf("FACT %-40s state %d, impressions %d, sheets %d, reasons %v, err %v; came out: %d sides, %s", strings.TrimPrefix(t.Name(), "TestFacts/"),
			j.State, j.Impressions, j.Sheets, j.Reasons, err, len(o.Sides), o.End)
		if int(j.State) != states || j.Impressions != impressions {
			t.Errorf("state %d and %d impressions, want %d and %d", j.State, j.Impressions, states, impressions)
		}
	}
	for _, c := range []struct {
		name        string
		fault       printertest.Fault
		ticket      printjob.Ticket
		state       printjob.State
		impressions int
		sides       int
	}{
		{"ok", printertest.None, printjob.Ticket{}, printjob.Completed, 6, 6},
		{"duplex, 2 copies", printertest.None, printjob.Ticket{Copies: 2, Duplex: printjob.LongEdge}, printjob.Completed, 12, 12},
		{"pages 2-3 and 3-5", printertest.None, printjob.Ticket{Pages: []printjob.Range{{From: 3, To: 5}, {From: 2, To: 3}}}, printjob.Completed, 4, 4},
		{"silent", printertest.Silent, printjob.Ticket{}, printjob.Completed, 0, 6},
		{"aborted at 4", printertest.AbortAt(4), printjob.Ticket{}, printjob.Aborted, 3, 3},
		{"slow", printertest.Slow(50 * time.Millisecond), printjob.Ticket{}, printjob.Completed, 6, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, printertest.Options{Duplex: true})
			p.Fault(c.fault)
			cl := client(t, Target{URI: p.URI()}, nil)
			id := send(t, p, order("borne-1", six, c.ticket))
			j, err := cl.Follow(patient(t), id, "borne-1", func(Progress) {})
			row(t, p, id, j, err, int(c.state), c.impressions)
			if n := len(p.Output(id).Sides); n != c.sides {
				t.Errorf("%d sides came out, want %d", n, c.sides)
			}
			if j.Silent() != (c.name == "silent") {
				t.Error("silent:", j.Silent())
			}
		})
	}

	// stopped follows a job until the engine waits, calls then, and follows on.
	stopped := func(t *testing.T, f printertest.Fault, then func(p *printertest.Printer, c *Client, id int)) (*printertest.Printer, int, Job, []Progress) {
		p := start(t, printertest.Options{Duplex: true})
		p.Fault(f)
		cl := client(t, Target{URI: p.URI()}, nil)
		id := send(t, p, order("borne-1", six, printjob.Ticket{}))
		if err := p.Waiting(patient(t)); err != nil {
			t.Fatal(err)
		}
		var all []Progress
		seen := false
		j, err := cl.Follow(patient(t), id, "borne-1", func(x Progress) {
			all = append(all, x)
			if !seen && x.Job.Impressions == 2 {
				seen = true
				then(p, client(t, Target{URI: p.URI()}, nil), id)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return p, id, j, all
	}
	lacked := func(all []Progress, reason string) bool {
		return strings.Contains(fmt.Sprint(all), reason)
	}
	t.Run("jam at page 3 of 6, given up", func(t *testing.T) {
		t.Parallel()
		p, id, j, all := stopped(t, printertest.Jam(3), func(p *printertest.Printer, _ *Client, _ int) { p.Abort() })
		row(t, p, id, j, nil, int(printjob.Aborted), 2)
		if !lacked(all, "media-jam") {
			t.Errorf("nobody heard of the jam: %v", all)
		}
	})
	t.Run("paper out, then refilled", func(t *testing.T) {
		t.Parallel()
		p, id, j, all := stopped(t, printertest.Empty(3), func(p *printertest.Printer, _ *Client, _ int) { p.Go() })
		row(t, p, id, j, nil, int(printjob.Completed), 6)
		if !lacked(all, "media-empty") {
			t.Errorf("nobody heard of the empty tray: %v", all)
		}
	})
	t.Run("cancelled while the engine goes on", func(t *testing.T) {
		t.Parallel()
		p, id, j, _ := stopped(t, printertest.Hold(3), func(p *printertest.Printer, c *Client, id int) {
			if err := c.Cancel(t.Context(), id, "borne-1"); err != nil {
				t.Error(err)
			}
			p.Go()
		})
		row(t, p, id, j, nil, int(printjob.Canceled), 6)
	})
	t.Run("printer down, then on again", func(t *testing.T) {
		t.Parallel()
		p := start(t, printertest.Options{})
		p.Fault(printertest.Hold(3))
		cl := client(t, Target{URI: p.URI()}, nil)
		id := send(t, p, order("borne-1", six, printjob.Ticket{}))
		off, lost := false, false
		j, err := cl.Follow(patient(t), id, "borne-1", func(x Progress) {
			if !off && x.Job.Impressions == 2 {
				off = true
				p.Off()
			} else if off && x.Lost && !lost {
				lost = true
				if err := p.On(); err != nil {
					t.Error(err)
				}
			}
		})
		t.Logf("FACT %-40s state %d, impressions %d, err %v", "printer down, then on again", j.State, j.Impressions, err)
		if !lost || !errors.Is(err, ErrNoJob) || j.State != printjob.Processing || j.Impressions != 2 {
			t.Errorf("lost %v, %+v, %v", lost, j, err)
		}
		if sent, err := Deliver(t.Context(), dialer("ipp://127.0.0.1:1/"), Target{URI: "ipp://127.0.0.1:1/"}, order("x", six, printjob.Ticket{})); err == nil || sent.Unsure || sent.Why != printjob.WhyNoPrinter {
			t.Errorf("%+v, %v", sent, err)
		}
	})
	t.Run("two jobs at once", func(t *testing.T) {
		t.Parallel()
		p := start(t, printertest.Options{})
		p.Fault(printertest.Hold(2))
		first := send(t, p, order("borne-1", six, printjob.Ticket{}))
		if err := p.Waiting(patient(t)); err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(t.Context(), p.URI())
		if err != nil {
			t.Fatal(err)
		}
		sent, err := Submit(patient(t), conn, Target{URI: p.URI()}, order("borne-2", six, printjob.Ticket{}))
		if !errors.Is(err, ErrBusy) || sent.Unsure || sent.Why != printjob.WhyRejected {
			t.Errorf("the second: %+v, %v", sent, err)
		}
		p.Fault(printertest.None)
		done := make(chan int, 1)
		go func() {
			s, err := Deliver(patient(t), dialer(p.URI()), Target{URI: p.URI()}, order("borne-2", six, printjob.Ticket{}))
			if err != nil {
				t.Error(err)
			}
			done <- s.Remote
		}()
		p.Go()
		second := <-done
		cl := client(t, Target{URI: p.URI()}, nil)
		for i, id := range []int{first, second} {
			j, err := cl.Follow(patient(t), id, fmt.Sprint("borne-", i+1), func(Progress) {})
			row(t, p, id, j, err, int(printjob.Completed), 6)
		}
		if p.Jobs() != 2 {
			t.Errorf("%d jobs were printed, want 2", p.Jobs())
		}
		// After a crash: the name tells the number.
		j, err := cl.Find(patient(t), "borne-2")
		if err != nil || j.ID != second || j.State != printjob.Completed || j.Impressions != 6 {
			t.Errorf("%+v, %v", j, err)
		}
		if _, err := cl.Find(patient(t), "borne-3"); !errors.Is(err, ErrNoJob) {
			t.Error(err)
		}
		if _, err := cl.Job(patient(t), 4711, ""); !errors.Is(err, ErrNoJob) {
			t.Error(err)
		}
		// A printer that was switched off gives numbers again.
		if _, err := cl.Job(patient(t), second, "borne-1"); !errors.Is(err, ErrNoJob) {
			t.Error(err)
		}
		if err := cl.Cancel(patient(t), second, "borne-1"); !errors.Is(err, ErrNoJob) {
			t.Error(err)
		}
	})
}

func TestSecureRealPrinter(t *testing.T) {
	p := start(t, printertest.Options{})
	doc := printertest.PDF(2, "two", 0)
	to := Target{URI: p.SecureURI()}
	sent, err := Deliver(patient(t), dialer(p.URI()), to, order("borne-1", doc, printjob.Ticket{}))
	if err != nil || len(sent.Pin) != 32 {
		t.Fatalf("%+v, %v", sent, err)
	}
	c := client(t, Target{URI: p.SecureURI(), Pin: sent.Pin}, nil)
	if j, err := c.Follow(patient(t), sent.Remote, "borne-1", func(Progress) {}); err != nil || j.Impressions != 2 {
		t.Errorf("%+v, %v", j, err)
	}
	to.Pin = bytes.Repeat([]byte{7}, 32)
	sent, err = Deliver(patient(t), dialer(p.URI()), to, order("borne-2", doc, printjob.Ticket{}))
	if !errors.Is(err, ErrUntrusted) || sent.Why != printjob.WhyUntrusted || sent.Unsure {
		t.Errorf("%+v, %v", sent, err)
	}
	if p.Jobs() != 1 {
		t.Errorf("%d jobs", p.Jobs())
	}
}

func TestOldVersion(t *testing.T) {
	p := start(t, printertest.Options{Args: []string{"-V", "1.1"}})
	id := send(t, p, order("borne-1", printertest.PDF(1, "one", 0), printjob.Ticket{}))
	if j, err := client(t, Target{URI: p.URI()}, nil).Follow(patient(t), id, "borne-1", func(Progress) {}); err != nil || j.Impressions != 1 {
		t.Errorf("%+v, %v", j, err)
	}
}
