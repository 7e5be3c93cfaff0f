package forensics

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

//go:embed page.html
var pageHTML []byte

// web is the site that the person visits: its page keeps a canary in each place
// that a browser offers, and tells which of them gave it back. Bodies travel
// uncompressed, so that they lie on the disk as they are.
type web struct {
	mu    sync.Mutex
	plan  map[string]string // by sink
	said  map[string]any    // by what happened
	grown chan struct{}
}

func newWeb() *web { return &web{grown: make(chan struct{})} }

// begin gives the page of the next session its canaries.
func (w *web) begin(plan map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan, w.said = plan, map[string]any{}
}

func (w *web) say(what string, v any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said[what] = v
	close(w.grown)
	w.grown = make(chan struct{})
}

// hear waits until something was said.
func (w *web) hear(what string, within time.Duration) (any, bool) {
	end := time.NewTimer(within)
	defer end.Stop()
	for {
		w.mu.Lock()
		v, ok := w.said[what]
		grown := w.grown
		w.mu.Unlock()
		if ok {
			return v, true
		}
		select {
		case <-grown:
		case <-end.C:
			return nil, false
		}
	}
}

// own are the canaries that the page itself plants: it must not bring those of
// programs into the browser.
func (w *web) own() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := map[string]string{"clipboard": w.plan["clipboard"]}
	for _, s := range sinks() {
		if m := w.plan[s.name]; s.by == byPage && m != "" {
			own[s.name] = m
		}
	}
	return own
}

func (w *web) canary(sink string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plan[sink]
}

func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(out, r.Body, 1<<20)
	text := func(kind, cache, body string) {
		out.Header().Set("Content-Type", kind)
		out.Header().Set("Cache-Control", cache)
		io.WriteString(out, body)
	}
	const page, script, plain, never = "text/html; charset=utf-8", "text/javascript", "text/plain; charset=utf-8", "no-store"
	host, _, _ := strings.Cut(r.Host, ".")
	switch {
	case host != "www":
		out.Header().Set("Access-Control-Allow-Origin", "*")
		text(plain, never, "ok")
		if name := w.canary("name-asked"); name != "" && host == name {
			w.say("named", true)
		}
	case strings.HasSuffix(r.Host, "autre.test"):
		text(page, never, fmt.Sprintf("<!doctype html><p>%s</p><script>const kept = %q</script>", html.EscapeString(w.canary("crash-dump")), w.canary("crash-dump")))
	case r.URL.Path == "/":
		out.Header().Set("Content-Type", page)
		out.Header().Set("Cache-Control", never)
		out.Write(pageHTML)
		w.say("page", true)
	case r.URL.Path == "/plan":
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Cache-Control", never)
		json.NewEncoder(out).Encode(w.own())
	case r.URL.Path == "/sw.js":
		text(script, never, "/* "+w.canary("service-worker")+" */ self.addEventListener('install', () => self.skipWaiting())")
	case r.URL.Path == "/kept":
		text(plain, "public, max-age=86400", w.canary("http-cache"))
	case r.URL.Path == "/attestation.txt":
		out.Header().Set("Content-Disposition", `attachment; filename="attestation.txt"`)
		text(plain, never, w.canary("download"))
	case r.URL.Path == "/document.pdf":
		text("application/pdf", never, pdf(w.canary("pdf-viewer")))
		w.say("pdf", true)
	case r.URL.Path == "/piece":
		b, err := io.ReadAll(r.Body)
		text(plain, never, map[bool]string{true: "ok"}[err == nil && strings.Contains(string(b), w.canary("upload"))])
	case r.URL.Path == "/form":
		text(page, never, "<!doctype html><title>Merci</title>")
		w.say("form", r.PostFormValue("nom") == w.canary("form"))
	case r.URL.Path == "/say":
		var v any
		if err := json.NewDecoder(r.Body).Decode(&v); err == nil {
			w.say(r.URL.Query().Get("what"), v)
		}
		text(plain, never, "ok")
	default:
		http.NotFound(out, r)
	}
}

// pdf is a document of one page that shows a line.
func pdf(line string) string {
	var b strings.Builder
	var at []int
	b.WriteString("%PDF-1.4\n")
	show := "BT /F1 18 Tf 40 700 Td (" + line + ") Tj ET"
	for i, o := range []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(show), show), "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj%sendobj\n", i+1, o)
	}
	from := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>startxref\n%d\n%%%%EOF\n", len(at)+1, from)
	return b.String()
}
