package printer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"borne/kiosk/ipp"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

func fake(t *testing.T, secure bool) *printertest.Fake {
	t.Helper()
	f, err := printertest.StartFake(nil)
	if secure {
		f.Close()
		cert, cerr := printertest.Certificate()
		if cerr != nil {
			t.Fatal(cerr)
		}
		f, err = printertest.StartFake(cert)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// deliver sends a document to a fake printer.
func deliver(t *testing.T, f *printertest.Fake, o Order) (printjob.Sent, error) {
	return Deliver(patient(t), dialer(f.URI()), Target{URI: f.URI()}, o)
}

func TestBytesAndTicketArrive(t *testing.T) {
	doc := bytes.Repeat([]byte("0123456789abcdef"), 3*block/16) // its end is the end of a block
	for _, secure := range []bool{false, true} {
		for _, two := range []bool{false, true} {
			for _, size := range []int{len(doc), len(doc) - 1, 1, 0} {
				f := fake(t, secure)
				f.NoPrintJob = two
				o := order("borne-7", doc[:size], printjob.Ticket{Copies: 3, Duplex: printjob.ShortEdge, NumberUp: 2, Pages: []printjob.Range{{From: 5, To: 6}, {From: 1, To: 2}, {From: 2, To: 3}}})
				sent, err := deliver(t, f, o)
				if err != nil || sent.Remote != 1 || (len(sent.Pin) == 32) != secure {
					t.Fatalf("%+v, %v", sent, err)
				}
				j, _ := f.Job(1)
				if j.Bytes != int64(size) || j.Sum != sha256.Sum256(doc[:size]) {
					t.Errorf("secure %v, in two %v: %d bytes came, want %d", secure, two, j.Bytes, size)
				}
				if _, ok := ipp.Find(j.Operation, "document-name"); ok || j.Name != "borne-7" || j.User != "borne" {
					t.Errorf("%q of %q", j.Name, j.User)
				}
				got := fmt.Sprint(j.Template)
				for _, want := range []string{"copies", "two-sided-short-edge", "monochrome", "number-up", "1-3", "5-6", "iso_a4_210x297mm"} {
					if !strings.Contains(got, want) {
						t.Errorf("no %s in %s", want, got)
					}
				}
			}
		}
	}
}

func TestChunked(t *testing.T) {
	doc := bytes.Repeat([]byte("x"), 2*block)
	for _, size := range []int{0, 1, block, 2*block - 1, 2 * block} {
		f := fake(t, false)
		c := client(t, Target{URI: f.URI()}, nil)
		d := &document{r: bytes.NewReader(doc[:size]), size: -1}
		id, err := c.printJob(patient(t), order("borne-1", nil, printjob.Ticket{}), nil, d)
		if j, _ := f.Job(id); err != nil || j.Bytes != int64(size) || j.Sum != sha256.Sum256(doc[:size]) {
			t.Errorf("%d of %d bytes came, %v", j.Bytes, size, err)
		}
	}
}

func TestBusyIsTriedAgain(t *testing.T) {
	for _, status := range []goipp.Status{goipp.StatusErrorBusy, goipp.StatusErrorNotAcceptingJobs, goipp.StatusErrorServiceUnavailable} {
		t.Run(status.String(), func(t *testing.T) {
			t.Parallel()
			f := fake(t, false)
			f.Busy, f.BusyStatus = 2, status
			sent, err := deliver(t, f, order("borne-1", []byte("document"), printjob.Ticket{}))
			if err != nil || sent.Remote != 1 || f.Asked(goipp.OpPrintJob) != 3 || f.Asked(goipp.OpGetPrinterAttributes) != 1 {
				t.Errorf("%+v, %v, asked %d times", sent, err, f.Asked(goipp.OpPrintJob))
			}
			if j, _ := f.Job(1); j.Bytes != 8 {
				t.Errorf("%d bytes came", j.Bytes)
			}
		})
	}
}

func TestBusyForLonger(t *testing.T) {
	// Whoever waits no longer hears that it is busy, and that nothing was printed.
	f := fake(t, false)
	f.Busy = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	dial := func(ctx context.Context) (net.Conn, error) {
		if f.Asked(goipp.OpPrintJob) == 2 {
			cancel() // between two attempts: in the middle of one nobody could be sure
			return nil, ctx.Err()
		}
		return Dial(ctx, f.URI())
	}
	sent, err := Deliver(ctx, dial, Target{URI: f.URI()}, order("x", []byte("y"), printjob.Ticket{}))
	if err == nil || sent.Unsure || sent.Remote != 0 || f.Jobs() != 0 {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestWhatAPrinterCannotDo(t *testing.T) {
	f := fake(t, false)
	f.Attributes = ipp.Attributes{ipp.Boolean("color-supported", false), ipp.Keyword("sides-supported", "one-sided", "two-sided-long-edge"),
		ipp.Boolean("page-ranges-supported", false), ipp.Integer("number-up-supported", 1, 2), ipp.RangeOf("copies-supported", 1, 2)}
	for what, c := range map[string]struct {
		format printjob.Format
		ticket printjob.Ticket
		why    printjob.Why
	}{
		"format":    {printjob.PWG, printjob.Ticket{}, printjob.WhyFormat},
		"colour":    {printjob.PDF, printjob.Ticket{Colour: true}, printjob.WhyRejected},
		"duplex":    {printjob.PDF, printjob.Ticket{Duplex: printjob.ShortEdge}, printjob.WhyRejected},
		"copies":    {printjob.PDF, printjob.Ticket{Copies: 3}, printjob.WhyRejected},
		"pages":     {printjob.PDF, printjob.Ticket{Pages: []printjob.Range{{From: 1, To: 1}}}, printjob.WhyRejected},
		"number-up": {printjob.PDF, printjob.Ticket{NumberUp: 4}, printjob.WhyRejected},
	} {
		o := order("borne-1", []byte("document"), c.ticket)
		o.Format = c.format
		sent, err := deliver(t, f, o)
		var cannot *CannotError
		if !errors.As(err, &cannot) || cannot.What != what || sent.Why != c.why || sent.Unsure {
			t.Errorf("%s: %+v, %v", what, sent, err)
		}
	}
	if f.Jobs() != 0 {
		t.Error("something was printed")
	}
	if sent, err := deliver(t, f, order("borne-1", []byte("document"), printjob.Ticket{Copies: 2, Duplex: printjob.LongEdge, NumberUp: 2})); err != nil || sent.Remote != 1 {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestUntrustedGetsNothing(t *testing.T) {
	f := fake(t, true)
	sent, err := deliver(t, f, order("borne-1", []byte("document"), printjob.Ticket{}))
	if err != nil || len(sent.Pin) != 32 {
		t.Fatalf("%+v, %v", sent, err)
	}
	again, err := Deliver(patient(t), dialer(f.URI()), Target{URI: f.URI(), Pin: sent.Pin}, order("borne-2", []byte("document"), printjob.Ticket{}))
	if err != nil || !bytes.Equal(again.Pin, sent.Pin) {
		t.Errorf("%+v, %v", again, err)
	}
	other := fake(t, true)
	bad, err := Deliver(patient(t), dialer(other.URI()), Target{URI: other.URI(), Pin: sent.Pin}, order("borne-3", []byte("document"), printjob.Ticket{}))
	if !errors.Is(err, ErrUntrusted) || bad.Why != printjob.WhyUntrusted || bad.Unsure {
		t.Errorf("%+v, %v", bad, err)
	}
	c := client(t, Target{URI: other.URI(), Pin: sent.Pin}, nil)
	if _, err := c.Job(patient(t), 1, ""); !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
	if j, err := c.Follow(patient(t), 1, "", func(Progress) { t.Error("told something") }); !errors.Is(err, ErrUntrusted) || j.Impressions != -1 {
		t.Errorf("%+v, %v", j, err)
	}
	if other.Asked(goipp.OpGetPrinterAttributes) != 0 || other.Asked(goipp.OpGetJobAttributes) != 0 {
		t.Error("something was asked")
	}
	if _, err := Deliver(patient(t), dialer(f.URI()), Target{URI: strings.Replace(f.URI(), "ipps:", "ipp:", 1)}, order("x", []byte("y"), printjob.Ticket{})); err == nil {
		t.Error("plain text to a printer that speaks TLS")
	}
}

// TestOddAnswers: with none of these a document is printed twice or believed lost.
func TestOddAnswers(t *testing.T) {
	text := func(s string) func(w http.ResponseWriter, m *goipp.Message) {
		return func(w http.ResponseWriter, _ *goipp.Message) {
			c, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(c, s)
			c.Close()
		}
	}
	status := func(code int) func(w http.ResponseWriter, m *goipp.Message) {
		return func(w http.ResponseWriter, _ *goipp.Message) {
			w.Header().Set("Location", "http://127.0.0.1/")
			w.WriteHeader(code)
		}
	}
	ippStatus := func(s goipp.Status) func(w http.ResponseWriter, m *goipp.Message) {
		return func(w http.ResponseWriter, m *goipp.Message) { printertest.Reply(w, ipp.Answer(m, s, "en", "")) }
	}
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, m *goipp.Message)
		unsure bool // to Print-Job once its document is read
		is     error
	}{
		"garbage":        {text("\x00\x01garbage\r\n\r\n"), true, ErrAnswer},
		"nothing":        {text(""), true, errClosed},
		"half an answer": {text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x02\x00\x00\x00"), true, nil},
		"no IPP":         {text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), true, ErrAnswer},
		"a page":         {text("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>" + strings.Repeat("hello", 50)), true, ErrAnswer},
		"long head":      {text("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20)), true, ErrAnswer},
		"only interim":   {text(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50)), true, ErrAnswer},
		"redirect":       {status(302), false, ErrAnswer},
		"password":       {status(401), false, ErrAnswer},
		"upgrade":        {status(426), false, ErrAnswer},
		"server error":   {status(500), true, ErrAnswer},
		"unavailable":    {status(503), false, ErrBusy},
		"other request": {func(w http.ResponseWriter, m *goipp.Message) {
			m.RequestID++
			printertest.Reply(w, ipp.Answer(m, 0, "en", ""))
		}, true, ErrAnswer},
		"no number":        {ippStatus(goipp.StatusOk), true, ErrAnswer},
		"not authorised":   {ippStatus(goipp.StatusErrorNotAuthorized), false, nil},
		"no such format":   {ippStatus(goipp.StatusErrorDocumentFormatNotSupported), false, nil},
		"broken inside":    {ippStatus(goipp.StatusErrorDevice), true, nil},
		"document too big": {ippStatus(goipp.StatusErrorRequestEntity), false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := fake(t, false)
			f.Hook = func(w http.ResponseWriter, r *http.Request, m *goipp.Message) bool {
				if goipp.Op(m.Code) != goipp.OpPrintJob {
					return false
				}
				io.Copy(io.Discard, r.Body)
				c.answer(w, m)
				return true
			}
			conn, err := Dial(t.Context(), f.URI())
			if err != nil {
				t.Fatal(err)
			}
			sent, err := Submit(patient(t), conn, Target{URI: f.URI()}, order("borne-1", []byte("document"), printjob.Ticket{}))
			t.Log(err)
			if err == nil || sent.Unsure != c.unsure || sent.Remote != 0 || sent.Why == "" || errors.Is(err, ErrUnsure) != c.unsure || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%+v, %v", sent, err)
			}
			if f.Asked(goipp.OpPrintJob) != 1 {
				t.Errorf("asked %d times", f.Asked(goipp.OpPrintJob))
			}
			// The same in answer to a question is an error, not a panic.
			f.Lock()
			f.Hook = func(w http.ResponseWriter, _ *http.Request, m *goipp.Message) bool { c.answer(w, m); return true }
			f.Unlock()
			cl := client(t, Target{URI: f.URI()}, nil)
			if _, err := cl.Job(patient(t), 1, ""); err == nil {
				t.Error("no error of Job")
			}
			if _, err := cl.Find(patient(t), "x"); err == nil || name == "no number" && !errors.Is(err, ErrNoJob) {
				t.Errorf("Find: %v", err)
			}
			conn, err = Dial(t.Context(), f.URI())
			if err != nil {
				t.Fatal(err)
			}
			if sent, err := Submit(patient(t), conn, Target{URI: f.URI()}, order("x", nil, printjob.Ticket{})); err == nil || sent.Unsure || sent.Why == "" {
				t.Errorf("%+v, %v", sent, err)
			}
		})
	}
}
