// Package sitesui has the first administrator of a new controller set it up in a real
// browser, and a terminal enrol with the code that the page shows.
package sitesui

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/server"
	"borne/controller/store"
	"borne/kiosk/uplink"
	"borne/scripts/consoletest"
)

func must(t *testing.T, err error) { t.Helper(); consoletest.Must(t, err) }

// terminal enrols as the command borne-kiosk enrol does, and keeps its keys in dir.
func terminal(t *testing.T, dir, address, code string) error {
	t.Helper()
	folder, err := uplink.OpenFolder(dir)
	must(t, err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	_, err = uplink.Enrol(context.Background(), uplink.EnrolConfig{Folder: folder, Controller: "https://" + address, Code: code, Machine: "Raspberry Pi 4", Build: "test", Sim: true,
		ReceiptCSR: func(context.Context) ([]byte, error) {
			return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		}})
	return err
}

// TestFromNothingToATerminal: no command line but the first link. The page leads from
// site to space, hours and terminal; the code that it shows enrols one, and the page
// says so; then names, moves, a replacement, a file, and the end of a place.
func TestFromNothingToATerminal(t *testing.T) {
	console := consoletest.Build(t)
	dir := consoletest.Folder(t)
	state := filepath.Join(dir, "state")
	must(t, server.Init(context.Background(), state, "Haute-Savoie", time.Now()))
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", state))
	must(t, err)
	srv := consoletest.Run(t, server.Config{Config: cfg, Version: "sitesui", Files: os.DirFS(console.Dist)})
	p := console.Open(t, "scripts/sitesui/player.mjs", "SHOTS="+os.Getenv("BORNE_SHOTS"))

	p.Play("begin", "url", consoletest.Link(t, srv, nil))
	p.Play("site", "name", "Collège Les Aravis", "commune", "Thônes", "uai", "0750654D")
	p.Play("space", "name", "Hall")
	p.Play("steps", "next", "hours")
	p.Play("hours")
	p.Play("steps", "next", "terminal")
	cancelled := p.Play("code", "name", "Poste 1").Said
	p.Play("cancel")
	if err := terminal(t, filepath.Join(dir, "none"), srv.TerminalsAddr(), cancelled); err == nil {
		t.Error("a code that was cancelled enrols a terminal")
	}
	code := p.Play("code", "name", "Poste 1").Said
	must(t, terminal(t, filepath.Join(dir, "one"), srv.TerminalsAddr(), code))
	p.Play("enrolled", "name", "Poste 1")
	if err := terminal(t, filepath.Join(dir, "two"), srv.TerminalsAddr(), code); err == nil {
		t.Error("a code enrols two terminals")
	}
	p.Play("noSteps")
	p.Play("move", "from", "Poste 1", "name", "Poste du CDI", "space", "CDI")
	replace := p.Play("replace", "name", "Poste du CDI").Said
	must(t, terminal(t, filepath.Join(dir, "three"), srv.TerminalsAddr(), replace))
	p.Play("enrolled", "name", "Poste du CDI")
	p.Play("wrongFile")
	p.Play("file")
	p.Play("keepsPlace", "says", "Poste du CDI")
	p.Play("revoke", "name", "Poste du CDI")
	p.Play("close", "name", "Collège Les Aravis")
	p.Play("reopen", "name", "Collège Les Aravis")
	p.Play("keyboard", "name", "PMS Clavier", "commune", "Sallanches")

	have := map[string]int{}
	must(t, srv.Store().View(context.Background(), func(tx store.Tx) error {
		for e, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			have[e.Row.Action]++
		}
		n := 0
		for x, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if n++; x.Row.State != store.StateRevoked || x.Row.Name != "Poste du CDI" || len(x.Row.PastKeys) != 1 {
				t.Errorf("%+v", x.Row)
			}
		}
		if n != 1 {
			t.Errorf("there are %d terminals", n)
		}
		return nil
	}))
	for action, n := range map[string]int{"site.created": 4, "space.created": 5, "enrol.code": 3, "enrol.cancelled": 1, "terminal.enrolled": 1, "terminal.replaced": 1, "terminal.moved": 1, "terminal.revoked": 1, "sites.imported": 1, "site.closed": 1, "site.opened": 1} {
		if have[action] != n {
			t.Errorf("the audit has %s %d times, want %d", action, have[action], n)
		}
	}
}
