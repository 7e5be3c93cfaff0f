package hoursui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/api"
	"borne/controller/config"
	"borne/controller/demo"
	"borne/controller/policy"
	"borne/controller/server"
	"borne/scripts/consoletest"
)

// begun is when the play begins: an ordinary Wednesday, whose next Friday is no
// public holiday, so that « next Friday » means the same in each year's run.
var begun = time.Date(2027, time.March, 10, 9, 0, 0, 0, policy.Location())

// stage is a real controller with the console as it is now, and a browser.
type stage struct {
	*consoletest.Player
	t      *testing.T
	srv    *server.Server
	admin  *http.Client
	origin string
}

func must(t *testing.T, err error) { t.Helper(); consoletest.Must(t, err) }

// newStage builds the console, starts the controller, seeds the demonstration,
// and opens the browser.
func newStage(t *testing.T) *stage {
	t.Helper()
	console := consoletest.Build(t)
	state := filepath.Join(consoletest.Folder(t), "state")
	must(t, server.Init(context.Background(), state, "Haute-Savoie", begun))
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", state))
	must(t, err)
	// The clock of the play goes as ours does.
	start := time.Now()
	s := &stage{t: t, srv: consoletest.Serve(t, server.Config{Config: cfg, Version: "hoursui", Files: os.DirFS(console.Dist), Now: func() time.Time { return begun.Add(time.Since(start)) }})}
	s.login()
	s.Player = console.Open(t, "scripts/hoursui/player.mjs", fmt.Sprintf("NOW=%d", begun.UnixMilli()))
	return s
}

// link is a one-time login link; args are those of the command line.
func (s *stage) link(args map[string]string) string {
	s.t.Helper()
	return consoletest.Link(s.t, s.srv, args)
}

// staff is a link of the building's staff: of one site, and no other.
func (s *stage) staff() string {
	return s.link(map[string]string{"name": "Camille Perrollaz", "role": "building", "sites": demo.Site})
}

func (s *stage) login() {
	s.t.Helper()
	origin, token, _ := strings.Cut(s.link(nil), "/#login=")
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	s.origin, s.admin = origin, &http.Client{Jar: jar, Timeout: consoletest.Soon}
	s.call("POST", "/api/login/link", map[string]string{"token": token}, nil)
}

// call asks the API as the administrator; in is a file when it is bytes.
func (s *stage) call(method, path string, in, out any, header ...string) {
	s.t.Helper()
	b, raw := in.([]byte)
	if !raw {
		var err error
		b, err = json.Marshal(in)
		must(s.t, err)
	}
	req, err := http.NewRequest(method, s.origin+path, bytes.NewReader(b))
	must(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Origin", s.origin)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if raw {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	r, err := s.admin.Do(req)
	must(s.t, err)
	defer r.Body.Close()
	b, err = io.ReadAll(io.LimitReader(r.Body, 4<<20))
	must(s.t, err)
	if r.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, path, r.Status, b)
	}
	if out != nil {
		must(s.t, json.Unmarshal(b, out))
	}
}

// hours are those of the site, as the API has them.
func (s *stage) hours() api.HoursView { s.t.Helper(); return s.hoursOf(demo.Site) }

func (s *stage) hoursOf(site string) (v api.HoursView) {
	s.t.Helper()
	s.call("GET", "/api/sites/"+site+"/hours", nil, &v)
	return v
}

// set lets the site have these hours.
func (s *stage) set(change func(h *policy.Hours)) { s.t.Helper(); s.setOf(demo.Site, change) }

func (s *stage) setOf(site string, change func(h *policy.Hours)) {
	s.t.Helper()
	v := s.hoursOf(site)
	change(&v.Hours)
	b, err := json.Marshal(v.Hours)
	must(s.t, err)
	// The API takes empty lists, and no null: what is nil here is one of them.
	hours := json.RawMessage(bytes.ReplaceAll(b, []byte("null"), []byte("[]")))
	s.call("PUT", "/api/sites/"+site+"/hours", map[string]any{"hours": hours}, nil, "If-Match", fmt.Sprintf("%q", fmt.Sprint(v.Rev)))
}
