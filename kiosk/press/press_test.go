package press

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/OpenPrinting/goipp"
	"golang.org/x/sys/unix"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

const threePages = "%PDF\n1\n2\n"

// A document goes its whole way: received, counted, offered, sent byte by byte,
// followed, erased.
func TestADocumentToTheEnd(t *testing.T) {
	r := newRig(t, Config{})
	r.attach(able)
	o := r.offer(threePages, ipp.Integer("copies", 2), ipp.Keyword("sides", longEdge))
	if o.Job != 1 || o.Format != printjob.PDF || o.Pages != 3 || o.Ticket.Copies != 2 || o.Ticket.Duplex != printjob.LongEdge {
		t.Fatalf("%+v", o)
	}
	if s, reason, a := r.job(1); s != printjob.Held || reason != "job-held-for-authorization" {
		t.Errorf("offered: %v %s", s, reason)
	} else if name, _ := ipp.String(a, "job-name"); name != "Document 1" {
		t.Errorf("it is called %q", name)
	} else if n, _ := ipp.Int(a, "job-impressions"); n != 6 {
		t.Errorf("%d impressions", n)
	}
	decided := o.Ticket
	decided.Copies = 1
	r.order(printjob.ToPress{Submit: &printjob.Submit{Job: 1, Name: "borne-1", URI: "ipp://printer/", Ticket: decided}})
	f := r.heard()
	if f.Dial == nil {
		t.Fatalf("%+v is no wish for a connection", f)
	}
	far := r.dial(f.Dial.ID)
	if got, err := io.ReadAll(far); err != nil || string(got) != threePages {
		t.Fatalf("the printer got %q, %v", got, err)
	}
	far.Write([]byte{42})
	f = r.heard()
	if f.Sent == nil || f.Sent.Remote != 42 || string(f.Sent.Pin) != "pin" || f.Sent.Why != "" || f.Sent.Unsure {
		t.Fatalf("%+v", f.Sent)
	}
	r.until("its document is erased", func() bool { return r.p.held == 0 })
	r.order(printjob.ToPress{Status: &printjob.Status{Job: 1, State: printjob.Processing, Impressions: 2}})
	r.until("it prints", func() bool { return r.p.find(1).done == 2 })
	if s, reason, a := r.job(1); s != printjob.Processing || reason != "job-printing" {
		t.Errorf("printing: %v %s", s, reason)
	} else if n, _ := ipp.Int(a, "job-impressions-completed"); n != 2 {
		t.Errorf("%d impressions are completed", n)
	} else if n, _ := ipp.Int(a, "copies"); n != 1 {
		t.Errorf("%d copies, decided was 1", n)
	}
	r.order(printjob.ToPress{Drop: &printjob.Drop{Job: 1}})
	r.order(printjob.ToPress{Status: &printjob.Status{Job: 1, State: printjob.Completed, Impressions: 3}})
	r.until("it is completed", func() bool { return r.p.find(1).state == printjob.Completed })
	if _, _, a := r.job(1); len(a) == 0 {
		t.Error("a job that is over is forgotten")
	}
	m := r.want(goipp.StatusOk, ask(goipp.OpGetJobs, ipp.Keyword("which-jobs", "completed")), "")
	if id, _ := ipp.Int(m.Job, "job-id"); id != 1 {
		t.Errorf("the list of completed jobs: %v", m.Job)
	}
}

// What is counted cannot be changed, by this process neither.
func TestADocumentIsSealed(t *testing.T) {
	p := New(Config{})
	defer p.Close()
	d, err := p.receive(t.Context(), strings.NewReader(threePages), "none")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := d.f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("%d bytes were written, %v", n, err)
	}
	if err := d.f.Truncate(1); !errors.Is(err, unix.EPERM) {
		t.Errorf("it was cut: %v", err)
	}
	if _, err := unix.FcntlInt(d.f.Fd(), unix.F_ADD_SEALS, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("it takes other seals: %v", err)
	}
	if d.size != int64(len(threePages)) || p.held != d.size {
		t.Errorf("%d bytes, %d are held", d.size, p.held)
	}
	p.release(d)
	if err := d.f.Close(); !errors.Is(err, os.ErrClosed) || p.held != 0 {
		t.Errorf("it is still there: %v, %d bytes", err, p.held)
	}
}

func squeeze(t *testing.T, kind, s string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if kind == "deflate" {
		w, _ = flate.NewWriter(&b, flate.DefaultCompression)
	}
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Documents that are taken and documents that are not, and what is left of them.
func TestDocuments(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	gz := squeeze(t, "gzip", threePages)
	for name, c := range map[string]struct {
		document    string
		compression string
		format      string
		status      goipp.Status
		why         printjob.Why
	}{
		"plain":               {threePages, "none", "application/pdf", goipp.StatusOk, ""},
		"any":                 {threePages, "none", anyFormat, goipp.StatusOk, ""},
		"gzip":                {gz, "gzip", "application/pdf", goipp.StatusOk, ""},
		"deflate":             {squeeze(t, "deflate", threePages), "deflate", "application/pdf", goipp.StatusOk, ""},
		"jpeg":                {"\xff\xd8\xff", "none", "image/jpeg", goipp.StatusOk, ""},
		"says PDF, is JPEG":   {"\xff\xd8\xff", "none", "application/pdf", goipp.StatusOk, ""},
		"empty":               {"", "none", "application/pdf", goipp.StatusErrorDocumentFormatError, printjob.WhyUnreadable},
		"nothing":             {"hello", "none", "application/pdf", goipp.StatusErrorDocumentFormatError, printjob.WhyUnreadable},
		"no page":             {"%PDF", "none", "application/pdf", goipp.StatusErrorDocumentFormatError, printjob.WhyUnreadable},
		"too many pages":      {"%PDF" + strings.Repeat("\n", printjob.MaxPages+1), "none", "application/pdf", goipp.StatusErrorDocumentUnprintable, printjob.WhyTooMany},
		"encrypted":           {"secret", "none", "application/pdf", goipp.StatusErrorDocumentPassword, printjob.WhyEncrypted},
		"too big":             {"%PDF" + big, "none", "application/pdf", goipp.StatusErrorRequestEntity, printjob.WhyTooBig},
		"too big, compressed": {squeeze(t, "gzip", big+"x"), "gzip", "application/pdf", goipp.StatusErrorRequestEntity, printjob.WhyTooBig},
		"a bomb":              {squeeze(t, "deflate", strings.Repeat(big, 64)), "deflate", "application/pdf", goipp.StatusErrorRequestEntity, printjob.WhyTooBig},
		"not gzip":            {threePages, "gzip", "application/pdf", goipp.StatusErrorCompressionError, printjob.WhyUnreadable},
		"half gzip":           {gz[:len(gz)-9], "gzip", "application/pdf", goipp.StatusErrorCompressionError, printjob.WhyUnreadable},
		"not deflate":         {"\xff\xff\xff", "deflate", "application/pdf", goipp.StatusErrorCompressionError, printjob.WhyUnreadable},
		"compress":            {threePages, "compress", "application/pdf", goipp.StatusErrorCompressionNotSupported, ""},
		"PostScript":          {"%!PS", "none", "application/postscript", goipp.StatusErrorDocumentFormatNotSupported, ""},
		"as large as can be":  {"%PDF\n" + big[5:], "none", "application/pdf", goipp.StatusOk, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{MaxDocument: 1 << 20})
			r.attach(able)
			m := ask(goipp.OpPrintJob, ipp.Keyword("compression", c.compression), ipp.Mime("document-format", c.format), ipp.Name("job-name", "lettre à ma mère"))
			out := r.want(c.status, m, c.document)
			if c.status == goipp.StatusOk {
				if f := r.heard(); f.Offer == nil {
					t.Fatalf("%+v", f)
				}
				return
			}
			if c.why != "" {
				if f := r.heard(); f.Refused == nil || f.Refused.Why != c.why || f.Refused.Job != 1 {
					t.Fatalf("%+v, want %s", f, c.why)
				}
				if text, _ := ipp.String(out.Operation, "status-message"); text != sentence(c.why) {
					t.Errorf("the person reads %q", text)
				}
				if s, reason, a := r.job(1); s != printjob.Aborted || reason != "aborted-by-system" {
					t.Errorf("%v %s", s, reason)
				} else if text, _ := ipp.String(a, "job-state-message"); text != sentence(c.why) {
					t.Errorf("its message is %q", text)
				}
			}
			r.until("nothing is held", func() bool { return r.p.held == 0 })
		})
	}
}

// A program cancels, wherever the job is.
func TestCancelInEveryState(t *testing.T) {
	cancel := func(r *rig, status goipp.Status) {
		r.t.Helper()
		r.want(status, ask(goipp.OpCancelJob, ipp.Integer("job-id", 1)), "")
	}
	ended := func(r *rig) {
		r.t.Helper()
		if s, reason, _ := r.job(1); s != printjob.Canceled || reason != "job-canceled-by-user" {
			r.t.Errorf("%v %s", s, reason)
		}
		r.until("nothing is held", func() bool { return r.p.held == 0 })
		cancel(r, goipp.StatusErrorNotPossible)
	}
	withdrawn := func(r *rig) {
		r.t.Helper()
		if f := r.heard(); f.Withdrawn == nil || f.Withdrawn.Job != 1 {
			r.t.Errorf("%+v", f)
		}
	}
	submit := func(r *rig) {
		r.order(printjob.ToPress{Submit: &printjob.Submit{Job: 1, Name: "n", URI: "ipp://p/"}})
	}
	t.Run("created", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.want(goipp.StatusOk, ask(goipp.OpCreateJob), "")
		cancel(r, goipp.StatusOk)
		ended(r)
		r.want(goipp.StatusErrorJobCanceled, ask(goipp.OpSendDocument, ipp.Integer("job-id", 1), ipp.Boolean("last-document", true)), threePages)
	})
	t.Run("receiving", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		in, out := io.Pipe()
		done := make(chan *goipp.Message)
		go func() { done <- post(t, client(t, r.path), ask(goipp.OpPrintJob), in) }()
		io.WriteString(out, "%PDF\n")
		r.until("bytes came", func() bool { return r.p.held > 0 })
		cancel(r, goipp.StatusOk)
		if m := <-done; goipp.Status(m.Code) != goipp.StatusErrorJobCanceled {
			t.Errorf("%v", goipp.Status(m.Code))
		}
		out.Close()
		ended(r)
	})
	t.Run("offered", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.offer(threePages)
		cancel(r, goipp.StatusOk)
		withdrawn(r)
		ended(r)
		submit(r) // it was on its way
		if f := r.heard(); f.Sent == nil || f.Sent.Remote != 0 || f.Sent.Unsure || f.Sent.Why != printjob.WhyCut {
			t.Errorf("%+v", f)
		}
	})
	t.Run("dialling", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.offer(threePages)
		submit(r)
		id := r.heard().Dial.ID
		cancel(r, goipp.StatusOk)
		withdrawn(r)
		if s, reason, _ := r.job(1); s != printjob.Processing || reason != "processing-to-stop-point" {
			t.Errorf("%v %s", s, reason)
		}
		r.order(printjob.ToPress{Dialled: &printjob.Dialled{ID: id, Err: printjob.WhyNoPrinter}})
		if f := r.heard(); f.Sent == nil || f.Sent.Remote != 0 || f.Sent.Unsure || f.Sent.Why != printjob.WhyNoPrinter {
			t.Errorf("%+v", f)
		}
		ended(r)
	})
	t.Run("sending", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.offer(threePages)
		submit(r)
		far := r.dial(r.heard().Dial.ID)
		if _, err := io.ReadAll(far); err != nil {
			t.Fatal(err)
		}
		cancel(r, goipp.StatusOk)
		withdrawn(r)
		cancel(r, goipp.StatusOk) // it is known, and said once
		far.Write([]byte{9})
		if f := r.heard(); f.Sent == nil || f.Sent.Remote != 9 {
			t.Errorf("%+v", f)
		}
		r.order(printjob.ToPress{Status: &printjob.Status{Job: 1, State: printjob.Canceled}})
		r.until("it is over", func() bool { return r.p.find(1).phase == over })
		ended(r)
	})
	t.Run("all of mine", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.offer(threePages)
		m := ask(goipp.OpCancelMyJobs)
		m.Operation[3] = ipp.Name("requesting-user-name", "luc")
		r.want(goipp.StatusOk, m, "")
		if s, _, _ := r.job(1); s != printjob.Held {
			t.Errorf("somebody else's name cancelled it: %v", s)
		}
		r.want(goipp.StatusErrorNotPossible, ask(goipp.OpCancelMyJobs, ipp.Integer("job-ids", 1, 5)), "")
		r.want(goipp.StatusOk, ask(goipp.OpCancelMyJobs, ipp.Integer("job-ids", 1)), "")
		withdrawn(r)
		ended(r)
		r.offer(threePages)
		r.want(goipp.StatusOk, ask(goipp.OpCancelMyJobs), "")
		if f := r.heard(); f.Withdrawn == nil || f.Withdrawn.Job != 2 {
			t.Errorf("%+v", f)
		}
	})
}

// The agent drops a job: its document is erased at once, and the program learns
// of it.
func TestDrop(t *testing.T) {
	t.Run("offered", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.offer(threePages)
		r.order(printjob.ToPress{Drop: &printjob.Drop{Job: 1}})
		r.until("it is erased", func() bool { return r.p.held == 0 && r.p.find(1).state == printjob.Canceled })
		// The agent may say better how it ended.
		r.order(printjob.ToPress{Status: &printjob.Status{Job: 1, State: printjob.Aborted, Why: string(printjob.WhyNoPrinter)}})
		r.until("it is aborted", func() bool { return r.p.find(1).state == printjob.Aborted })
		r.order(printjob.ToPress{Status: &printjob.Status{Job: 1, State: printjob.Completed}})
		r.order(printjob.ToPress{Printer: &printjob.Printer{}})
		r.until("the frames are read", func() bool { return !r.p.can.Accepting })
		if s, _, a := r.job(1); s != printjob.Aborted {
			t.Errorf("a job that was over is %v", s)
		} else if text, _ := ipp.String(a, "job-state-message"); text != sentence(printjob.WhyNoPrinter) {
			t.Errorf("the person reads %q", text)
		}
	})
	t.Run("sending", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		r.offer(threePages)
		r.order(printjob.ToPress{Submit: &printjob.Submit{Job: 1, Name: "n", URI: "ipp://p/"}})
		far := r.dial(r.heard().Dial.ID)
		if _, err := io.ReadAll(far); err != nil {
			t.Fatal(err)
		}
		r.order(printjob.ToPress{Drop: &printjob.Drop{Job: 1}})
		if f := r.heard(); f.Sent == nil || f.Sent.Remote != 0 || !f.Sent.Unsure || f.Sent.Why != printjob.WhyCut {
			t.Errorf("%+v", f)
		}
		r.until("it is erased", func() bool { return r.p.held == 0 })
	})
}

// The printer did not take it: the agent may try again, with the same bytes.
func TestSendAgain(t *testing.T) {
	r := newRig(t, Config{})
	r.attach(able)
	r.offer(threePages)
	submit := func() int {
		r.order(printjob.ToPress{Submit: &printjob.Submit{Job: 1, Name: "n", URI: "ipp://p/"}})
		f := r.heard()
		if f.Dial == nil {
			t.Fatalf("%+v", f)
		}
		return f.Dial.ID
	}
	r.order(printjob.ToPress{Dialled: &printjob.Dialled{ID: submit(), Err: printjob.WhyNotHere}})
	if f := r.heard(); f.Sent == nil || f.Sent.Why != printjob.WhyNotHere || f.Sent.Unsure {
		t.Fatalf("%+v", f)
	}
	if s, _, _ := r.job(1); s != printjob.Held {
		t.Errorf("%v", s)
	}
	r.order(printjob.ToPress{Dialled: &printjob.Dialled{ID: submit()}}) // without a descriptor
	if f := r.heard(); f.Sent == nil || f.Sent.Why != printjob.WhyNoPrinter {
		t.Fatalf("%+v", f)
	}
	far := r.dial(submit())
	if got, err := io.ReadAll(far); err != nil || string(got) != threePages {
		t.Fatalf("the printer got %q, %v", got, err)
	}
	far.Close()
	if f := r.heard(); f.Sent == nil || !f.Sent.Unsure || f.Sent.Remote != 0 {
		t.Fatalf("%+v", f)
	}
	r.until("what may be printing is never sent again", func() bool { return r.p.held == 0 })
	r.order(printjob.ToPress{Submit: &printjob.Submit{Job: 1, Name: "n", URI: "ipp://p/"}})
	if f := r.heard(); f.Sent == nil || f.Sent.Remote != 0 {
		t.Fatalf("%+v", f)
	}
}

// Without the agent nothing is taken, and what waited is erased; another agent
// begins anew.
func TestTheChannelBreaks(t *testing.T) {
	r := newRig(t, Config{})
	out := r.want(goipp.StatusErrorNotAcceptingJobs, ask(goipp.OpPrintJob), threePages)
	if text, _ := ipp.String(out.Operation, "status-message"); text != saysNobody {
		t.Errorf("the person reads %q", text)
	}
	r.attach(able)
	r.offer(threePages)
	r.want(goipp.StatusOk, ask(goipp.OpCreateJob), "")
	r.agent.Close()
	if err := <-r.gone; err != nil {
		t.Error(err)
	}
	for id := 1; id <= 2; id++ {
		if s, _, a := r.job(id); s != printjob.Aborted {
			t.Errorf("job %d: %v", id, s)
		} else if text, _ := ipp.String(a, "job-state-message"); text != saysNobody {
			t.Errorf("the person reads %q", text)
		}
	}
	m := r.want(goipp.StatusOk, ask(goipp.OpGetPrinterAttributes), "")
	if ok, _ := ipp.Bool(m.Printer, "printer-is-accepting-jobs"); ok || r.p.held != 0 {
		t.Errorf("it accepts jobs, %d bytes are held", r.p.held)
	}
	r.attach(able)
	if o := r.offer(threePages); o.Job != 3 {
		t.Errorf("job %d after the break", o.Job)
	}
	// A second agent beside the first is none.
	ours, theirs, err := sandbox.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	end, err := sandbox.FromFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.p.Attach(t.Context(), end); err == nil {
		t.Error("two agents at once")
	}
	// One that talks nonsense is hung up on.
	if err := r.agent.Send([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := <-r.gone; !errors.Is(err, printjob.ErrFrame) {
		t.Errorf("%v", err)
	}
	r.gone = nil
	r.agent.Close()
}
