package printer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"borne/kiosk/ipp"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// raw is a printer that serves one connection after the other by hand: what it
// does with Print-Job and Send-Document is print's business.
func raw(t *testing.T, print func(c net.Conn, r *http.Request, m *goipp.Message)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c, print)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return "ipp://" + ln.Addr().String() + "/ipp/print"
}

func serve(c net.Conn, print func(c net.Conn, r *http.Request, m *goipp.Message)) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		m, err := ipp.Decode(r.Body)
		if err != nil {
			return
		}
		switch goipp.Op(m.Code) {
		case goipp.OpGetPrinterAttributes:
			a := ipp.Answer(m, goipp.StatusOk, "en", "")
			a.Printer = ipp.Attributes{ipp.Mime("document-format-supported", "application/pdf")}
			say(c, a)
		default:
			print(c, r, m)
			return
		}
	}
}

func say(c net.Conn, m *goipp.Message) {
	b, _ := m.EncodeBytes()
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: "+strconv.Itoa(len(b))+"\r\n\r\n"+string(b))
}

func accepted(m *goipp.Message) *goipp.Message {
	a := ipp.Answer(m, goipp.StatusOk, "en", "")
	a.Job = ipp.Attributes{ipp.Integer("job-id", 12)}
	return a
}

// sendRaw sends a document in one request, and tells how much of it left.
func sendRaw(t *testing.T, uri string, size int) (int, int64, error) {
	t.Helper()
	doc := &document{r: bytes.NewReader(make([]byte, size)), size: int64(size)}
	id, err := client(t, Target{URI: uri}, nil).printJob(patient(t), Order{Name: "borne-1", Format: printjob.PDF}, nil, doc)
	return id, doc.sent, err
}

func TestRefusedBeforeTheDocument(t *testing.T) {
	uri := raw(t, func(c net.Conn, _ *http.Request, m *goipp.Message) {
		say(c, ipp.Answer(m, goipp.StatusErrorBusy, "en", ""))
	})
	if _, sent, err := sendRaw(t, uri, 1<<20); !errors.Is(err, ErrBusy) || sent != 0 {
		t.Errorf("%d bytes left, %v", sent, err)
	}
}

func TestRefusedInTheMiddle(t *testing.T) {
	uri := raw(t, func(c net.Conn, r *http.Request, m *goipp.Message) {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		io.CopyN(io.Discard, r.Body, 100<<10)
		say(c, ipp.Answer(m, goipp.StatusErrorRequestEntity, "en", ""))
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	const size = 64 << 20
	_, sent, err := sendRaw(t, uri, size)
	var s *StatusError
	if !errors.As(err, &s) || s.Status != goipp.StatusErrorRequestEntity || sent == 0 || sent == size {
		t.Errorf("%d bytes left, %v", sent, err)
	}
}

// TestAnswerBeforeTheEnd shows that an early yes does not cut the document.
func TestAnswerBeforeTheEnd(t *testing.T) {
	got := make(chan int64, 1)
	uri := raw(t, func(c net.Conn, r *http.Request, m *goipp.Message) {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		say(c, accepted(m))
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
	})
	if id, _, err := sendRaw(t, uri, 8<<20); err != nil || id != 12 {
		t.Errorf("%d, %v", id, err)
	}
	if n := <-got; n != 8<<20 {
		t.Errorf("%d bytes came", n)
	}
}

// TestNoContinue shows that a printer which knows no Expect gets its document.
func TestNoContinue(t *testing.T) {
	uri := raw(t, func(c net.Conn, r *http.Request, m *goipp.Message) {
		io.Copy(io.Discard, r.Body)
		say(c, accepted(m))
	})
	if id, sent, err := sendRaw(t, uri, 1<<20); err != nil || id != 12 || sent != 1<<20 {
		t.Errorf("%d, %d, %v", id, sent, err)
	}
}

func TestCutIsUnsure(t *testing.T) {
	uri := raw(t, func(c net.Conn, r *http.Request, _ *goipp.Message) {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		io.CopyN(io.Discard, r.Body, 100<<10)
	})
	doc := make([]byte, 64<<20)
	sent, err := Deliver(patient(t), dialer(uri), Target{URI: uri}, order("borne-1", doc, printjob.Ticket{}))
	if !errors.Is(err, ErrUnsure) || !sent.Unsure || sent.Why != printjob.WhyCut || sent.Remote != 0 {
		t.Errorf("%+v, %v", sent, err)
	}
	// Before the first byte nothing is in doubt.
	uri = raw(t, func(net.Conn, *http.Request, *goipp.Message) {})
	sent, err = Deliver(patient(t), dialer(uri), Target{URI: uri}, order("borne-1", doc, printjob.Ticket{}))
	if err == nil || sent.Unsure || sent.Why != printjob.WhyCut {
		t.Errorf("%+v, %v", sent, err)
	}
	// A document that cannot be read to its end is not ended as if it were whole.
	whole := make(chan bool, 2)
	uri = raw(t, func(c net.Conn, r *http.Request, _ *goipp.Message) {
		_, err := io.Copy(io.Discard, r.Body)
		whole <- err == nil
	})
	o := order("borne-1", doc[:1000], printjob.Ticket{})
	o.Size = 2000
	if sent, err = Deliver(patient(t), dialer(uri), Target{URI: uri}, o); err == nil || !sent.Unsure {
		t.Errorf("%+v, %v", sent, err)
	}
	if <-whole {
		t.Error("half a document came to its end")
	}
}

// TestEmptyJobIsTakenAway shows that a job whose document is refused does not
// keep the printer waiting.
func TestEmptyJobIsTakenAway(t *testing.T) {
	f := fake(t, false)
	f.NoPrintJob = true
	f.Hook = func(w http.ResponseWriter, _ *http.Request, m *goipp.Message) bool {
		if goipp.Op(m.Code) != goipp.OpSendDocument {
			return false
		}
		printertest.Reply(w, ipp.Answer(m, goipp.StatusErrorDocumentFormatNotSupported, "en", ""))
		return true
	}
	sent, err := deliver(t, f, order("borne-1", []byte("document"), printjob.Ticket{}))
	if err == nil || sent.Unsure || sent.Remote != 0 || sent.Why != printjob.WhyFormat {
		t.Errorf("%+v, %v", sent, err)
	}
	if j, _ := f.Job(1); j.State != int(printjob.Canceled) {
		t.Errorf("the job's state is %d", j.State)
	}
}

func TestAddresses(t *testing.T) {
	for uri, want := range map[string]address{
		"ipp://printer/":               {uri: "ipp://printer/ipp/print", host: "printer:631", name: "printer", dial: "printer:631", path: "/ipp/print"},
		"ipps://192.0.2.7:443/ipp/one": {uri: "ipps://192.0.2.7:443/ipp/one", host: "192.0.2.7:443", name: "192.0.2.7", dial: "192.0.2.7:443", path: "/ipp/one", secure: true},
		"ipp://[2001:db8::1]/x":        {uri: "ipp://[2001:db8::1]/x", host: "[2001:db8::1]:631", name: "2001:db8::1", dial: "[2001:db8::1]:631", path: "/x"},
	} {
		if got, err := parse(uri); err != nil || got != want {
			t.Errorf("%s: %+v, %v", uri, got, err)
		}
	}
	for _, uri := range []string{"", "http://printer/", "ipp:///x", "ipp://user:word@printer/", "ipp://printer/?x", "printer", "ipp://printer/\r\nX: y", "ipp://pri nter/"} {
		if got, err := parse(uri); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %+v, %v", uri, got, err)
		}
	}
}
