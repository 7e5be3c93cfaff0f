package escape

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// trap is the hostile site: it serves the pages of the attempts and keeps what
// they report. A page can only tell its own server.
type trap struct {
	mu    sync.Mutex
	pages map[string]string            // id → script
	said  map[string]map[string]string // id → key → value
	grown chan struct{}
}

func newTrap() *trap {
	return &trap{pages: map[string]string{}, said: map[string]map[string]string{}, grown: make(chan struct{})}
}

// letters returns n random letters that AZERTY and QWERTY have at one place.
func letters(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = 'b' + b[i]%10
	}
	return string(b)
}

// page registers a page and returns its id, always of one length: what is
// typed must not be completed to another's address.
func (t *trap) page(script string) string {
	id := letters(9)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pages[id] = script
	return id
}

// heard gives what the page of that id said under a key.
func (t *trap) heard(id, key string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.said[id][key]
	return v, ok
}

// wait waits until the page has said something under a key.
func (t *trap) wait(id, key string, within time.Duration) (string, bool) {
	return t.until(within, func() (string, bool) { return t.heard(id, key) })
}

func (t *trap) until(within time.Duration, ok func() (string, bool)) (string, bool) {
	end := time.After(within)
	for {
		t.mu.Lock()
		grown := t.grown
		t.mu.Unlock()
		if v, yes := ok(); yes {
			return v, true
		}
		select {
		case <-grown:
		case <-end:
			return ok()
		}
	}
}

func (t *trap) say(id, key, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said[id] == nil {
		t.said[id] = map[string]string{}
	}
	t.said[id][key] = value
	close(t.grown)
	t.grown = make(chan struct{})
}

// common is in each page: it reports, answers keys, and fills its window with a
// colour that nothing of the terminal has.
const common = `
let pressed = 0;
const say = (k, v = "") => fetch("https://piege.test/say/" + id + "/" + k, {method: "POST", body: String(v), keepalive: true, mode: "no-cors"}).catch(() => {});
const tell = (k, p) => Promise.resolve().then(p).then((v) => say(k, "yes " + v), (e) => say(k, "no " + e));
const press = (f) => addEventListener("keydown", (e) => { if (e.key === "Enter") f(e); });
addEventListener("resize", () => say("size", innerWidth + "x" + innerHeight));
addEventListener("keydown", (e) => { if (e.key === "x") say("x", ++pressed); });
const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => say("ready", innerWidth + "x" + innerHeight)));
if (document.hasFocus()) painted(); else addEventListener("focus", painted, {once: true});
`

func (t *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	switch {
	case len(parts) == 3 && parts[0] == "say":
		body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		value := string(body)
		if r.Method == http.MethodGet {
			value = "asked"
		}
		t.say(parts[1], parts[2], value)
		w.WriteHeader(http.StatusNoContent)
	case len(parts) == 2 && parts[0] == "to": // an open redirect: /to/base64 would hide it, plain is enough
		http.Redirect(w, r, "http://"+parts[1]+r.URL.RawQuery, http.StatusFound)
	case len(parts) == 2 && parts[0] == "file":
		w.Header().Set("Content-Disposition", `attachment; filename="`+r.URL.Query().Get("as")+`"`)
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		fmt.Fprintf(w, "#!/bin/sh\n# %s\nexit 0\n", parts[1])
	case len(parts) == 2 && parts[0] == "film": // a worker or another script by name
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, "self.addEventListener('fetch', (e) => { if (e.request.url.includes('jamais')) e.respondWith(new Response('vu')); });")
	case len(parts) == 1 && parts[0] == "pwa.webmanifest":
		w.Header().Set("Content-Type", "application/manifest+json")
		fmt.Fprint(w, `{"name":"Piège","start_url":"/","display":"standalone"}`)
	case len(parts) == 1 && parts[0] == "secret":
		w.Header().Set("WWW-Authenticate", `Basic realm="Borne"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		t.mu.Lock()
		script, ok := t.pages[parts[0]]
		t.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="fr"><meta charset="utf-8"><title>piege</title><body style="margin:0;background:#f0f;color:#fff"><p>piège</p>
<script>const id = %q;%s</script><script>%s</script>`, parts[0], common, script)
	}
}
