package press

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// lines counts a page for each line of a document that begins like a PDF. What
// counts in truth has a room of its own.
type lines struct{}

func (lines) Count(_ context.Context, f *os.File) (printjob.Format, int, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	switch {
	case err != nil:
		return "", 0, err
	case bytes.HasPrefix(b, []byte("%PDF")):
		return printjob.PDF, bytes.Count(b, []byte("\n")), nil
	case bytes.HasPrefix(b, []byte("\xff\xd8")):
		return printjob.JPEG, 1, nil
	case bytes.HasPrefix(b, []byte("secret")):
		return "", 0, printjob.Fail(printjob.WhyEncrypted, errors.New("it wants a password"))
	}
	return "", 0, errors.New("it is nothing")
}

// raw sends a document as it is, and reads a number for an answer.
func raw(ctx context.Context, dial func(context.Context) (net.Conn, error), s printjob.Submit, _ printjob.Format, doc io.ReaderAt, size int64) (printjob.Sent, error) {
	c, err := dial(ctx)
	if err != nil {
		return printjob.Sent{}, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := io.Copy(c, io.NewSectionReader(doc, 0, size)); err != nil {
		return printjob.Sent{Unsure: true, Why: printjob.WhyCut}, err
	}
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		w.CloseWrite()
	}
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return printjob.Sent{Unsure: true, Why: printjob.WhyCut}, err
	}
	return printjob.Sent{Remote: int(b[0]), Pin: []byte("pin")}, nil
}

var able = printjob.Printer{Accepting: true, Formats: []printjob.Format{printjob.PDF, printjob.JPEG, printjob.PWG, printjob.URF}, Colour: true, Duplex: true, Copies: 9}

// rig is a printer on its socket, a program, and the agent's end of the channel.
type rig struct {
	t       testing.TB
	p       *Press
	path    string
	program *http.Client
	agent   *sandbox.Conn
	gone    chan error // of Attach
}

func newRig(t testing.TB, c Config) *rig {
	t.Helper()
	if c.Counter == nil {
		c.Counter = lines{}
	}
	if c.Send == nil {
		c.Send = raw
	}
	r := &rig{t: t, p: New(c), path: filepath.Join(t.TempDir(), "print.sock")}
	ln, err := Listen(r.path, UIDs{From: os.Getuid(), To: os.Getuid()}, r.p.c.Log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.p.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.p.Close()
		if r.gone != nil {
			if err := <-r.gone; err != nil {
				t.Error(err)
			}
			r.agent.Close()
		}
		r.p.mu.Lock()
		defer r.p.mu.Unlock()
		if r.p.held != 0 {
			t.Errorf("%d bytes of documents are left", r.p.held)
		}
	})
	r.program = client(t, r.path)
	return r
}

func client(t testing.TB, path string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// attach gives the printer an agent that has said what can be printed.
func (r *rig) attach(can printjob.Printer) {
	r.t.Helper()
	ours, theirs, err := sandbox.Pair()
	if err != nil {
		r.t.Fatal(err)
	}
	end, err := sandbox.FromFile(theirs)
	if err != nil {
		r.t.Fatal(err)
	}
	r.agent, r.gone = ours, make(chan error, 1)
	go func() { r.gone <- r.p.Attach(context.Background(), end) }()
	r.order(printjob.ToPress{Printer: &can})
	r.until("it knows the printer", func() bool { return r.p.can.Accepting == can.Accepting && len(r.p.can.Formats) == len(can.Formats) })
}

// until waits for what comes by itself.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for r.t.Context().Err() == nil {
		r.p.mu.Lock()
		done := ok()
		r.p.mu.Unlock()
		if done {
			return
		}
	}
	r.t.Fatalf("never: %s", what)
}

func (r *rig) order(f printjob.ToPress, files ...*os.File) {
	r.t.Helper()
	b, err := printjob.Encode(f)
	if err == nil {
		err = r.agent.Send(b, files...)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// heard is the next frame for the agent.
func (r *rig) heard() printjob.FromPress {
	r.t.Helper()
	b, files, err := r.agent.Receive(make([]byte, sandbox.MaxFrame+1))
	if err != nil || len(files) != 0 {
		r.t.Fatalf("%v, %d descriptors", err, len(files))
	}
	f, err := printjob.DecodeFromPress(b)
	if err != nil {
		r.t.Fatalf("%v: %s", err, b)
	}
	return f
}

// dial answers the printer's wish for a connection with one end of a socket pair,
// and returns the other.
func (r *rig) dial(id int) net.Conn {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	r.order(printjob.ToPress{Dialled: &printjob.Dialled{ID: id}}, f)
	far, err := ln.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { far.Close() })
	return far
}

func ask(op goipp.Op, attrs ...goipp.Attribute) *goipp.Message {
	m := ipp.Request(op, 7, "fr")
	m.Operation.Add(ipp.URI("printer-uri", "ipp://localhost/printers/borne"))
	m.Operation.Add(ipp.Name("requesting-user-name", "marie"))
	for _, a := range attrs {
		m.Operation.Add(a)
	}
	return m
}

func bytesOf(t testing.TB, m *goipp.Message) []byte {
	t.Helper()
	b, err := m.EncodeBytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *rig) post(m *goipp.Message, document string) *goipp.Message {
	r.t.Helper()
	return post(r.t, r.program, m, strings.NewReader(document))
}

func post(t testing.TB, c *http.Client, m *goipp.Message, document io.Reader) *goipp.Message {
	t.Helper()
	resp, err := c.Post("http://localhost/printers/borne", goipp.ContentType, io.MultiReader(bytes.NewReader(bytesOf(t, m)), document))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	out, err := ipp.DecodeAnswer(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out.RequestID != m.RequestID || out.Version != m.Version {
		t.Errorf("answers request %d in %v, asked %d in %v", out.RequestID, out.Version, m.RequestID, m.Version)
	}
	return out
}

// want posts and holds the answer to a status.
func (r *rig) want(status goipp.Status, m *goipp.Message, document string) *goipp.Message {
	r.t.Helper()
	out := r.post(m, document)
	if goipp.Status(out.Code) != status {
		text, _ := ipp.String(out.Operation, "status-message")
		r.t.Fatalf("%v: %v, want %v (%s)", goipp.Op(m.Code), goipp.Status(out.Code), status, text)
	}
	return out
}

// job asks how a job stands.
func (r *rig) job(id int) (state printjob.State, reason string, a ipp.Attributes) {
	r.t.Helper()
	m := r.want(goipp.StatusOk, ask(goipp.OpGetJobAttributes, ipp.Integer("job-id", id)), "")
	n, _ := ipp.Int(m.Job, "job-state")
	reason, _ = ipp.String(m.Job, "job-state-reasons")
	return printjob.State(n), reason, m.Job
}

// offer prints a document and takes the offer.
func (r *rig) offer(document string, template ...goipp.Attribute) *printjob.Offer {
	r.t.Helper()
	m := ask(goipp.OpPrintJob)
	m.Job = template
	out := r.want(goipp.StatusOk, m, document)
	f := r.heard()
	if f.Offer == nil {
		r.t.Fatalf("%+v is no offer", f)
	}
	if id, _ := ipp.Int(out.Job, "job-id"); id != f.Offer.Job {
		r.t.Fatalf("the program has job %d, the agent %d", id, f.Offer.Job)
	}
	return f.Offer
}
