package press

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

func TestOtherUsersAreNotAnswered(t *testing.T) {
	p := New(Config{})
	defer p.Close()
	path := filepath.Join(t.TempDir(), "print.sock")
	ln, err := Listen(path, UIDs{From: os.Getuid() + 1, To: os.Getuid() + 20}, p.c.Log)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(t.Context(), ln) }()
	resp, err := client(t, path).Post("http://localhost/", goipp.ContentType, bytes.NewReader(bytesOf(t, ask(goipp.OpGetPrinterAttributes))))
	if err == nil {
		resp.Body.Close()
		t.Errorf("answered %s", resp.Status)
	}
	ln.Close()
	<-done
}

func TestTCPIsForThisMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "203.0.113.1:631", "localhost:0", "print.sock", ""} {
		if ln, err := ListenTCP(address); err == nil {
			ln.Close()
			t.Errorf("it listens on %q", address)
		}
	}
	ln, err := ListenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

// Programs that hold every connection shut themselves out, and no longer than
// they hold them.
func TestConnectionsGiveTheirPlaceBack(t *testing.T) {
	r := newRig(t, Config{})
	var held []net.Conn
	for range 2 * maxConns {
		c, err := net.Dial("unix", r.path)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	// Those over the limit are closed unanswered.
	for _, c := range held[maxConns:] {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	for _, c := range held {
		c.Close()
	}
	for tried := 0; ; tried++ {
		resp, err := r.program.Post("http://localhost/", goipp.ContentType, bytes.NewReader(bytesOf(t, ask(goipp.OpGetPrinterAttributes))))
		if err == nil {
			resp.Body.Close()
			break
		}
		if tried > 1000 {
			t.Fatal(err)
		}
	}
	for range 4 * maxConns {
		r.want(goipp.StatusOk, ask(goipp.OpGetPrinterAttributes), "")
	}
}

func TestRefusesWhatIsNoRequest(t *testing.T) {
	long := ask(goipp.OpGetPrinterAttributes)
	for range 80 {
		long.Operation.Add(ipp.Keyword("requested-attributes", strings.Repeat("x", 1000)))
	}
	bare := goipp.NewRequest(goipp.MakeVersion(2, 0), goipp.OpPrintJob, 7)
	old := ask(goipp.OpPrintJob)
	old.Version = goipp.MakeVersion(9, 0)
	latin := ask(goipp.OpPrintJob)
	latin.Operation[0] = ipp.Charset("attributes-charset", "iso-8859-1")
	numbers := ask(goipp.OpPrintJob)
	numbers.Operation[0] = ipp.Integer("attributes-charset", 8)
	nobody := ask(goipp.OpGetPrinterAttributes)
	nobody.RequestID = 0
	nowhere := ipp.Request(goipp.OpGetJobs, 7, "fr")
	elsewhere := ask(goipp.OpGetJobs)
	elsewhere.Operation[2] = ipp.URI("printer-uri", "ipp://localhost/printers/other")
	const page goipp.Status = 0xffff // no IPP in it
	begin := []byte{0x34, 0, 1, 'x', 0, 0, 0x4a, 0, 0, 0, 1, 'y'}
	flood := append([]byte{2, 0, 0, 2, 0, 0, 0, 1, 2}, bytes.Repeat(begin, 22<<20/len(begin))...)
	for name, c := range map[string]struct {
		method, kind string
		body         []byte
		http         int
		ipp          goipp.Status
	}{
		"put":                {http.MethodPut, goipp.ContentType, nil, 405, 0},
		"get":                {http.MethodGet, "", nil, 200, page},
		"get something":      {http.MethodGet, "", nil, 405, page},
		"other type":         {http.MethodPost, "text/html", bytesOf(t, ask(goipp.OpPrintJob)), 400, 0},
		"truncated":          {http.MethodPost, goipp.ContentType, bytesOf(t, ask(goipp.OpPrintJob))[:20], 400, 0},
		"empty":              {http.MethodPost, goipp.ContentType, nil, 400, 0},
		"too long":           {http.MethodPost, goipp.ContentType, bytesOf(t, long), 413, 0},
		"22 MB, nested":      {http.MethodPost, goipp.ContentType, flood, 413, 0},
		"a length that lies": {http.MethodPost, goipp.ContentType, []byte{2, 0, 0, 2, 0, 0, 0, 1, 1, 0x47, 0x40, 0}, 400, 0},
		"no charset":         {http.MethodPost, goipp.ContentType, bytesOf(t, bare), 200, goipp.StatusErrorBadRequest},
		"Latin 1":            {http.MethodPost, goipp.ContentType, bytesOf(t, latin), 200, goipp.StatusErrorCharset},
		"charset 8":          {http.MethodPost, goipp.ContentType, bytesOf(t, numbers), 200, goipp.StatusErrorCharset},
		"request 0":          {http.MethodPost, goipp.ContentType, bytesOf(t, nobody), 200, goipp.StatusErrorBadRequest},
		"no printer":         {http.MethodPost, goipp.ContentType, bytesOf(t, nowhere), 200, goipp.StatusErrorBadRequest},
		"another printer":    {http.MethodPost, goipp.ContentType, bytesOf(t, elsewhere), 200, goipp.StatusErrorNotFound},
		"future version":     {http.MethodPost, goipp.ContentType, bytesOf(t, old), 200, goipp.StatusErrorVersionNotSupported},
		"other op":           {http.MethodPost, goipp.ContentType, bytesOf(t, ask(goipp.OpCupsDeletePrinter)), 200, goipp.StatusErrorOperationNotSupported},
		"charset and type":   {http.MethodPost, goipp.ContentType + "; charset=utf-8", bytesOf(t, ask(goipp.OpGetJobs)), 200, goipp.StatusOk},
	} {
		p := New(Config{})
		path := "/"
		if name == "get something" {
			path = "/etc/passwd"
		}
		r := httptest.NewRequest(c.method, path, bytes.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		p.Close()
		if w.Code != c.http {
			t.Errorf("%s: %d, want %d", name, w.Code, c.http)
			continue
		}
		if c.http == 200 && c.ipp != page {
			m, err := ipp.DecodeAnswer(w.Body)
			if err != nil || goipp.Status(m.Code) != c.ipp {
				t.Errorf("%s: %v, want %v", name, err, c.ipp)
			}
		}
	}
}

// A program that stops in the middle of its document, and one that says nothing
// more, leave nothing behind.
func TestADocumentThatStops(t *testing.T) {
	head := bytesOf(t, ask(goipp.OpPrintJob))
	begin := func(r *rig) net.Conn {
		r.t.Helper()
		c, err := net.Dial("unix", r.path)
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "POST /printers/borne HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ipp\r\nTransfer-Encoding: chunked\r\n\r\n")
		fmt.Fprintf(c, "%x\r\n%s\r\n5\r\n%%PDF\n\r\n", len(head), head)
		r.until("bytes came", func() bool { return r.p.held > 0 })
		return c
	}
	over := func(r *rig) {
		r.t.Helper()
		r.until("nothing is held", func() bool { return r.p.held == 0 && r.p.find(1).phase == over })
		if s, _, _ := r.job(1); s != printjob.Aborted {
			r.t.Errorf("%v", s)
		}
	}
	t.Run("hangs up", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		begin(r).Close()
		over(r)
	})
	t.Run("a chunk that lies", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		c := begin(r)
		io.WriteString(c, "zz\r\n")
		over(r)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		m, err := ipp.DecodeAnswer(resp.Body)
		if err != nil || goipp.Status(m.Code) != goipp.StatusErrorBadRequest || !resp.Close {
			t.Errorf("%v, the connection closes: %v", err, resp.Close)
		}
	})
	t.Run("says nothing more", func(t *testing.T) {
		r := newRig(t, Config{})
		r.p.body = 200 * time.Millisecond
		r.attach(able)
		c := begin(r)
		if _, err := io.ReadAll(c); err != nil { // until the printer has had enough of it
			t.Fatal(err)
		}
		over(r)
	})
	t.Run("never comes", func(t *testing.T) {
		r := newRig(t, Config{})
		r.p.open = time.Millisecond
		r.attach(able)
		r.want(goipp.StatusOk, ask(goipp.OpCreateJob), "")
		over(r)
		r.want(goipp.StatusErrorNotPossible, ask(goipp.OpSendDocument, ipp.Integer("job-id", 1), ipp.Boolean("last-document", true)), threePages)
	})
}

// Whoever prints without an end is told to wait, and the agent hears of it.
func TestNoMoreThanThat(t *testing.T) {
	full := func(r *rig, job int) {
		r.t.Helper()
		if f := r.heard(); f.Refused == nil || f.Refused.Why != printjob.WhyFull || f.Refused.Job != job {
			r.t.Errorf("%+v", f)
		}
	}
	t.Run("jobs", func(t *testing.T) {
		r := newRig(t, Config{MaxWaiting: 3})
		r.attach(able)
		for range 3 {
			r.offer(threePages)
		}
		m := r.want(goipp.StatusErrorTooManyJobs, ask(goipp.OpPrintJob), threePages)
		if text, _ := ipp.String(m.Operation, "status-message"); text != sentence(printjob.WhyFull) {
			t.Errorf("the person reads %q", text)
		}
		full(r, 0)
		r.want(goipp.StatusErrorTooManyJobs, ask(goipp.OpCreateJob), "")
		full(r, 0)
		r.order(printjob.ToPress{Drop: &printjob.Drop{Job: 2}})
		r.until("one is gone", func() bool { return r.p.find(2).phase == over })
		r.offer(threePages)
	})
	t.Run("bytes", func(t *testing.T) {
		r := newRig(t, Config{MaxDocument: 1 << 20, MaxHeld: 1 << 20})
		r.attach(able)
		r.offer("%PDF\n" + strings.Repeat("x", 1<<20-10))
		r.want(goipp.StatusErrorTooManyJobs, ask(goipp.OpPrintJob), threePages)
		full(r, 2)
		r.want(goipp.StatusOk, ask(goipp.OpCancelJob, ipp.Integer("job-id", 1)), "")
		r.heard()
		r.offer(threePages)
	})
	t.Run("in memory of", func(t *testing.T) {
		r := newRig(t, Config{})
		r.attach(able)
		for range 2 * maxJobs {
			r.want(goipp.StatusErrorDocumentFormatError, ask(goipp.OpPrintJob), "nothing")
			r.heard()
		}
		if r.p.mu.Lock(); len(r.p.jobs) > maxJobs {
			t.Errorf("%d jobs are told of", len(r.p.jobs))
		}
		r.p.mu.Unlock()
	})
}

func FuzzHandler(f *testing.F) {
	for op := range operations() {
		m := ask(op, ipp.Integer("job-id", 1), ipp.Boolean("last-document", true))
		m.Job = ipp.Attributes{ipp.Integer("copies", 2), ipp.Keyword("sides", longEdge)}
		f.Add(append(bytesOf(f, m), threePages...))
	}
	f.Add(bytesOf(f, ask(goipp.OpCupsGetDefault, ipp.Keyword("requested-attributes", "media-col-database"))))
	begin := []byte{0x34, 0, 1, 'x', 0, 0, 0x4a, 0, 0, 0, 1, 'y'}
	f.Add(append([]byte{2, 0, 0, 2, 0, 0, 0, 1, 2}, bytes.Repeat(begin, ipp.MaxRequest/len(begin))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := New(Config{Counter: lines{}, MaxDocument: 1 << 16})
		defer p.Close()
		p.can, p.agent = able, &link{out: make(chan printjob.FromPress, outbox), dials: map[int]chan dialled{}, conn: nil}
		defer func() { p.agent = nil }()
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(b))
		r.Header.Set("Content-Type", goipp.ContentType)
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return
		}
		if _, err := ipp.DecodeAnswer(w.Body); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		for len(p.agent.out) > 0 {
			f, err := printjob.Encode(<-p.agent.out)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := printjob.DecodeFromPress(f); err != nil {
				t.Fatalf("the agent cannot read it: %v: %s", err, f)
			}
		}
	})
}
