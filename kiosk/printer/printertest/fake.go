package printertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"borne/kiosk/ipp"

	"github.com/OpenPrinting/goipp"
)

// Fake is a printer in Go, for what ippeveprinter cannot do. Its fields may be
// changed between requests, under Lock.
type Fake struct {
	sync.Mutex
	Attributes ipp.Attributes // replace those of the same name, or are added
	NoPrintJob bool           // only Create-Job and Send-Document
	Busy       int            // that many jobs are refused as busy
	BusyStatus goipp.Status   // how; server-error-busy when 0
	// Print is the engine, called once a document is there. Nil: one side, one
	// sheet, completed.
	Print func(j *FakeJob)
	// Hook sees each request first; true: it has answered. It must not lock f.
	Hook func(w http.ResponseWriter, r *http.Request, m *goipp.Message) bool

	jobs  []*FakeJob
	asked map[goipp.Op]int
	ln    net.Listener
	srv   *http.Server
	tls   bool
	done  chan struct{}
}

// FakeJob is one job; its printer's lock guards it.
type FakeJob struct {
	ID          int
	Name        string
	User        string
	Operation   ipp.Attributes // as it was asked for
	Template    ipp.Attributes
	Bytes       int64 // of the document
	Sum         [sha256.Size]byte
	State       int
	Impressions int            // -1: not told
	Sheets      int            // -1: not told
	More        ipp.Attributes // told with the job
	Forgotten   bool
}

// StartFake starts one on a free port; a certificate makes it speak TLS.
func StartFake(cert *tls.Certificate) (*Fake, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start a fake printer: %w", err)
	}
	f := &Fake{ln: ln, tls: cert != nil, asked: map[goipp.Op]int{}, done: make(chan struct{})}
	if cert != nil {
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{*cert}})
	}
	f.srv = &http.Server{Handler: f, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(f.done)
		f.srv.Serve(ln)
	}()
	return f, nil
}

// Certificate makes a fresh key and signs it with itself, as printers do.
func Certificate() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// Long over, and for another name: nobody looks.
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Close stops it.
func (f *Fake) Close() error {
	err := f.srv.Close()
	<-f.done
	return err
}

// URI is its address.
func (f *Fake) URI() string {
	scheme := "ipp://"
	if f.tls {
		scheme = "ipps://"
	}
	return scheme + f.ln.Addr().String() + "/ipp/print"
}

// Job returns a copy of a job.
func (f *Fake) Job(id int) (FakeJob, bool) {
	f.Lock()
	defer f.Unlock()
	if id < 1 || id > len(f.jobs) {
		return FakeJob{}, false
	}
	return *f.jobs[id-1], true
}

// Change changes a job.
func (f *Fake) Change(id int, change func(j *FakeJob)) {
	f.Lock()
	defer f.Unlock()
	change(f.jobs[id-1])
}

// Jobs counts the jobs.
func (f *Fake) Jobs() int {
	f.Lock()
	defer f.Unlock()
	return len(f.jobs)
}

// Asked counts the requests of that kind.
func (f *Fake) Asked(op goipp.Op) int {
	f.Lock()
	defer f.Unlock()
	return f.asked[op]
}

// ServeHTTP answers one request.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m, err := ipp.Decode(r.Body)
	if err != nil {
		http.Error(w, "not IPP", http.StatusBadRequest)
		return
	}
	f.Lock()
	f.asked[goipp.Op(m.Code)]++
	hook := f.Hook
	f.Unlock()
	if hook != nil && hook(w, r, m) {
		return
	}
	Reply(w, f.answer(m, r.Body))
}

// Reply sends an answer.
func Reply(w http.ResponseWriter, m *goipp.Message) {
	b, err := m.EncodeBytes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", goipp.ContentType)
	w.Write(b)
}

func (f *Fake) answer(m *goipp.Message, body io.Reader) *goipp.Message {
	say := func(s goipp.Status) *goipp.Message { return ipp.Answer(m, s, "en", "") }
	switch op := goipp.Op(m.Code); op {
	case goipp.OpGetPrinterAttributes:
		a := say(goipp.StatusOk)
		f.Lock()
		a.Printer = f.attributes()
		f.Unlock()
		return a
	case goipp.OpPrintJob, goipp.OpCreateJob:
		j, status := f.begin(m)
		if j == nil {
			return say(status)
		}
		if op == goipp.OpPrintJob {
			f.take(j, body)
		}
		return f.tell(say(goipp.StatusOk), j)
	case goipp.OpSendDocument, goipp.OpGetJobAttributes, goipp.OpCancelJob:
		id, _ := ipp.Int(m.Operation, "job-id")
		f.Lock()
		if id < 1 || id > len(f.jobs) || f.jobs[id-1].Forgotten {
			f.Unlock()
			return say(goipp.StatusErrorNotFound)
		}
		j := f.jobs[id-1]
		over := j.State >= 7
		if op == goipp.OpCancelJob && !over {
			j.State = 7
		}
		f.Unlock()
		if over && op != goipp.OpGetJobAttributes {
			return say(goipp.StatusErrorNotPossible)
		}
		if op == goipp.OpSendDocument {
			f.take(j, body)
		}
		return f.tell(say(goipp.StatusOk), j)
	case goipp.OpGetJobs:
		a := say(goipp.StatusOk)
		which, _ := ipp.String(m.Operation, "which-jobs")
		a.Groups.Add(goipp.Group{Tag: goipp.TagOperationGroup, Attrs: a.Operation})
		f.Lock()
		defer f.Unlock()
		for _, j := range f.jobs {
			if !j.Forgotten && (j.State >= 7) == (which == "completed") {
				a.Groups.Add(goipp.Group{Tag: goipp.TagJobGroup, Attrs: j.attributes()})
			}
		}
		return a
	}
	return say(goipp.StatusErrorOperationNotSupported)
}

// begin makes a job, or says why not.
func (f *Fake) begin(m *goipp.Message) (*FakeJob, goipp.Status) {
	f.Lock()
	defer f.Unlock()
	if f.NoPrintJob && goipp.Op(m.Code) == goipp.OpPrintJob {
		return nil, goipp.StatusErrorOperationNotSupported
	}
	if f.Busy > 0 {
		f.Busy--
		if f.BusyStatus != 0 {
			return nil, f.BusyStatus
		}
		return nil, goipp.StatusErrorBusy
	}
	j := &FakeJob{ID: len(f.jobs) + 1, State: 5, Impressions: 0, Sheets: 0, Operation: m.Operation, Template: m.Job}
	j.Name, _ = ipp.String(m.Operation, "job-name")
	j.User, _ = ipp.String(m.Operation, "requesting-user-name")
	f.jobs = append(f.jobs, j)
	return j, goipp.StatusOk
}

// take reads the document and prints it.
func (f *Fake) take(j *FakeJob, body io.Reader) {
	h := sha256.New()
	n, err := io.Copy(h, body)
	f.Lock()
	defer f.Unlock()
	j.Bytes, j.Sum = n, [sha256.Size]byte(h.Sum(nil))
	switch {
	case err != nil: // the connection broke
		j.State = 8
	case f.Print != nil:
		f.Print(j)
	default:
		j.State, j.Impressions, j.Sheets = 9, 1, 1
	}
}

func (f *Fake) tell(a *goipp.Message, j *FakeJob) *goipp.Message {
	f.Lock()
	defer f.Unlock()
	a.Job = j.attributes()
	return a
}

func (j *FakeJob) attributes() ipp.Attributes {
	a := ipp.Attributes{ipp.Integer("job-id", j.ID), ipp.Name("job-name", j.Name), ipp.Enum("job-state", j.State)}
	if _, ok := ipp.Find(j.More, "job-state-reasons"); !ok {
		a.Add(ipp.Keyword("job-state-reasons", "none"))
	}
	if j.Impressions >= 0 {
		a.Add(ipp.Integer("job-impressions-completed", j.Impressions))
	}
	if j.Sheets >= 0 {
		a.Add(ipp.Integer("job-media-sheets-completed", j.Sheets))
	}
	return append(a, j.More...)
}

func (f *Fake) attributes() ipp.Attributes {
	ops := []int{int(goipp.OpCreateJob), int(goipp.OpSendDocument), int(goipp.OpCancelJob), int(goipp.OpGetJobAttributes), int(goipp.OpGetJobs)}
	if !f.NoPrintJob {
		ops = append(ops, int(goipp.OpPrintJob))
	}
	all := ipp.Attributes{
		ipp.Enum("operations-supported", int(goipp.OpGetPrinterAttributes), ops...),
		ipp.Enum("printer-state", 3), ipp.Keyword("printer-state-reasons", "none"),
		ipp.Text("printer-make-and-model", "Fake Printer"),
		ipp.Mime("document-format-supported", "application/pdf", "image/jpeg", "image/urf"),
		ipp.Boolean("color-supported", true), ipp.Keyword("print-color-mode-supported", "color", "monochrome"),
		ipp.Keyword("sides-supported", "one-sided", "two-sided-long-edge", "two-sided-short-edge"),
		ipp.RangeOf("copies-supported", 1, 99), ipp.Boolean("page-ranges-supported", true), ipp.Integer("number-up-supported", 1, 2, 4),
		ipp.Keyword("media-supported", "iso_a4_210x297mm"),
	}
	for _, a := range f.Attributes {
		replaced := false
		for i := range all {
			if all[i].Name == a.Name {
				all[i], replaced = a, true
			}
		}
		if !replaced {
			all.Add(a)
		}
	}
	return all
}
