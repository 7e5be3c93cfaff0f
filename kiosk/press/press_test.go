package press

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ipp "github.com/OpenPrinting/goipp"
)

func request(op ipp.Op) *ipp.Message {
	m := ipp.NewRequest(ipp.MakeVersion(2, 0), op, 7)
	m.Operation.Add(ipp.MakeAttribute("attributes-charset", ipp.TagCharset, ipp.String("utf-8")))
	m.Operation.Add(ipp.MakeAttribute("attributes-natural-language", ipp.TagLanguage, ipp.String("fr")))
	m.Operation.Add(ipp.MakeAttribute("printer-uri", ipp.TagURI, ipp.String("ipp://localhost/printers/borne")))
	return m
}

func encode(t testing.TB, m *ipp.Message) []byte {
	t.Helper()
	b, err := m.EncodeBytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serve starts the printer on a socket and returns a client of it.
func serve(t *testing.T, allowed UIDs) *http.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "print.sock")
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, allowed, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func post(t *testing.T, c *http.Client, m *ipp.Message, document []byte) *ipp.Message {
	t.Helper()
	resp, err := c.Post("http://localhost/printers/borne", ipp.ContentType, bytes.NewReader(append(encode(t, m), document...)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	var out ipp.Message
	if err := out.DecodeBytes(b); err != nil {
		t.Fatal(err)
	}
	if out.RequestID != m.RequestID {
		t.Errorf("answers request %d, asked %d", out.RequestID, m.RequestID)
	}
	return &out
}

func find(a ipp.Attributes, name string) string {
	for _, x := range a {
		if x.Name == name {
			return x.Values.String()
		}
	}
	return ""
}

func TestPrinterOnItsSocket(t *testing.T) {
	c := serve(t, UIDs{os.Getuid(), os.Getuid()})
	for _, op := range []ipp.Op{ipp.OpGetPrinterAttributes, ipp.OpCupsGetDefault, ipp.OpCupsGetPrinters} {
		m := post(t, c, request(op), nil)
		if ipp.Status(m.Code) != ipp.StatusOk || find(m.Printer, "printer-name") != "borne" || find(m.Printer, "printer-is-accepting-jobs") != "false" {
			t.Errorf("%v: %v, %v", op, ipp.Status(m.Code), m.Printer)
		}
	}
	document := bytes.Repeat([]byte("%PDF"), 1<<10)
	for _, op := range []ipp.Op{ipp.OpValidateJob, ipp.OpPrintJob, ipp.OpCreateJob} {
		m := post(t, c, request(op), document)
		if ipp.Status(m.Code) != ipp.StatusErrorNotAcceptingJobs || find(m.Operation, "status-message") != Refusal {
			t.Errorf("%v: %v, %v", op, ipp.Status(m.Code), m.Operation)
		}
	}
	if len(Refusal) > 255 {
		t.Error("a status-message has at most 255 bytes (RFC 8011 §4.1.6.2)")
	}
}

func TestOtherUsersAreNotAnswered(t *testing.T) {
	c := serve(t, UIDs{os.Getuid() + 1, os.Getuid() + 20})
	resp, err := c.Post("http://localhost/", ipp.ContentType, bytes.NewReader(encode(t, request(ipp.OpGetPrinterAttributes))))
	if err == nil {
		resp.Body.Close()
		t.Errorf("answered %s", resp.Status)
	}
}

func TestConnectionsGiveTheirPlaceBack(t *testing.T) {
	c := serve(t, UIDs{os.Getuid(), os.Getuid()})
	for range 4 * maxConns {
		post(t, c, request(ipp.OpGetPrinterAttributes), nil)
	}
}

func TestRefusesWhatIsNoRequest(t *testing.T) {
	long := request(ipp.OpGetPrinterAttributes)
	for range 80 {
		long.Operation.Add(ipp.MakeAttribute("requested-attributes", ipp.TagKeyword, ipp.String(strings.Repeat("x", 1000))))
	}
	bare := ipp.NewRequest(ipp.MakeVersion(2, 0), ipp.OpPrintJob, 7)
	old := request(ipp.OpPrintJob)
	old.Version = ipp.MakeVersion(9, 0)
	for name, c := range map[string]struct {
		method, kind string
		body         []byte
		http         int
		ipp          ipp.Status
	}{
		"get":            {http.MethodGet, ipp.ContentType, nil, 400, 0},
		"other type":     {http.MethodPost, "text/html", encode(t, request(ipp.OpPrintJob)), 400, 0},
		"truncated":      {http.MethodPost, ipp.ContentType, encode(t, request(ipp.OpPrintJob))[:20], 400, 0},
		"empty":          {http.MethodPost, ipp.ContentType, nil, 400, 0},
		"too long":       {http.MethodPost, ipp.ContentType, encode(t, long), 413, 0},
		"no charset":     {http.MethodPost, ipp.ContentType, encode(t, bare), 200, ipp.StatusErrorBadRequest},
		"future version": {http.MethodPost, ipp.ContentType, encode(t, old), 200, ipp.StatusErrorVersionNotSupported},
		"other op":       {http.MethodPost, ipp.ContentType, encode(t, request(ipp.OpCupsDeletePrinter)), 200, ipp.StatusErrorOperationNotSupported},
	} {
		r := httptest.NewRequest(c.method, "/", bytes.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, r)
		if w.Code != c.http {
			t.Errorf("%s: %d, want %d", name, w.Code, c.http)
			continue
		}
		if c.http == 200 {
			var m ipp.Message
			if err := m.DecodeBytes(w.Body.Bytes()); err != nil || ipp.Status(m.Code) != c.ipp {
				t.Errorf("%s: %v, %v, want %v", name, ipp.Status(m.Code), err, c.ipp)
			}
		}
	}
}

func FuzzHandler(f *testing.F) {
	for _, op := range []ipp.Op{ipp.OpGetPrinterAttributes, ipp.OpPrintJob, ipp.OpCupsGetDefault} {
		f.Add(encode(f, request(op)))
	}
	// Collections within collections, as deep as the cap lets them be.
	nested := append([]byte{2, 0, 0, 11, 0, 0, 0, 1, 1}, bytes.Repeat([]byte{0x34, 0, 1, 'x', 0, 0, 0x4a, 0, 0, 0, 1, 'y'}, MaxAttributes/12)...)
	f.Add(nested)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(b))
		r.Header.Set("Content-Type", ipp.ContentType)
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			var m ipp.Message
			if err := m.DecodeBytes(w.Body.Bytes()); err != nil {
				t.Fatalf("the answer cannot be read: %v", err)
			}
		}
	})
}
