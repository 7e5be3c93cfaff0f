package printer

import (
	"bytes"
	"context"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// TestBigDocumentStaysOutOfTheHeap sends 50 MB and counts what was allocated
// meanwhile, by the fake printer's half too.
func TestBigDocumentStaysOutOfTheHeap(t *testing.T) {
	const size = 50 << 20
	doc, err := os.Create(t.TempDir() + "/document")
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	if err := doc.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, secure := range []bool{false, true} {
		f := fake(t, secure)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begun := time.Now()
		sent, err := deliver(t, f, Order{Name: "borne-1", Format: printjob.PDF, Doc: doc, Size: size})
		took := time.Since(begun)
		runtime.ReadMemStats(&after)
		if j, _ := f.Job(1); err != nil || sent.Remote != 1 || j.Bytes != size {
			t.Fatalf("%+v, %v, %d bytes", sent, err, j.Bytes)
		}
		bytes, objects := after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
		t.Logf("FIGURE 50 MB, TLS %v: %d KiB in %d objects allocated, both ends; heap grew by %d KiB; %v",
			secure, bytes>>10, objects, (int64(after.HeapInuse)-int64(before.HeapInuse))>>10, took.Round(time.Millisecond))
		if bytes > 4<<20 {
			t.Errorf("%d bytes were allocated", bytes)
		}
	}
}

// canned is a connection on which a printer said something already.
type canned struct {
	net.Conn
	in *bytes.Reader
}

func (c canned) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c canned) Close() error                     { return nil }
func (c canned) SetDeadline(time.Time) error      { return nil }
func (c canned) SetReadDeadline(time.Time) error  { return nil }
func (c canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzConnection reads whatever comes over the wire, with a document and without.
func FuzzConnection(f *testing.F) {
	m := ipp.Answer(ipp.Request(goipp.OpPrintJob, 1, "fr"), goipp.StatusOk, "en", "")
	m.Job = ipp.Attributes{ipp.Integer("job-id", 3), ipp.Enum("job-state", 9)}
	b, _ := m.EncodeBytes()
	f.Add(append([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n\r\n"), b...), true)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x02\x00\x00\r\n0\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, document bool) {
		conn := canned{in: bytes.NewReader(b)}
		to := Target{URI: "ipp://printer/"}
		if document {
			doc := bytes.NewReader(make([]byte, 3000))
			c, err := NewClient(to, once(conn))
			if err != nil {
				t.Fatal(err)
			}
			can := capabilities(ipp.Attributes{ipp.Mime("document-format-supported", "application/pdf")})
			sent, err := c.submit(context.Background(), Order{Name: "x", Format: printjob.PDF, Doc: doc, Size: 3000}, &sending{can: &can})
			if (err == nil) != (sent.Remote > 0) || sent.Remote > 0 && sent.Unsure || err != nil && sent.Why == "" {
				t.Fatalf("%+v, %v", sent, err)
			}
			return
		}
		c, err := NewClient(to, once(conn))
		if err != nil {
			t.Fatal(err)
		}
		if j, err := c.Job(context.Background(), 3, "x"); err == nil && (j.ID != 3 || j.State < 3) {
			t.Fatalf("%+v", j)
		}
	})
}
