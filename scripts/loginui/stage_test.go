package loginui

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/oidc/oidctest"
	"borne/controller/server"
	"borne/scripts/consoletest"
)

func must(t *testing.T, err error) { t.Helper(); consoletest.Must(t, err) }

// stage is a real controller with the console as it is now, a real OpenID
// provider, and a browser.
type stage struct {
	*consoletest.Player
	t    *testing.T
	srv  *server.Server
	post *post
}

// port is one that was free a moment ago: provider and controller have to know
// each other's address before either listens.
func port(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func newStage(t *testing.T, people map[string]oidctest.Claims) *stage {
	t.Helper()
	console, p := consoletest.Build(t), port(t)
	address := fmt.Sprintf("http://localhost:%d", p)
	issuer := oidctest.Start(t, console.Root, people, address+"/api/login/oidc/return", address+"/api/logout/return")
	dir := consoletest.Folder(t)
	state, key := filepath.Join(dir, "state"), filepath.Join(dir, "secret")
	must(t, os.WriteFile(key, []byte(oidctest.Secret+"\n"), 0o600))
	must(t, server.Init(context.Background(), state, "Haute-Savoie", time.Now()))
	box, relay := openPost(t)
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:%d\"\nurl = %q\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n"+
		"[oidc]\nissuer = %q\nclient_id = %q\nclient_secret_file = %q\n[mail]\nserver = %q\nfrom = \"bornes@example.fr\"\ntls = \"none\"\n", state, p, address, issuer, oidctest.Client, key, relay))
	must(t, err)
	srv := consoletest.Serve(t, server.Config{Config: cfg, Version: "loginui", Files: os.DirFS(console.Dist)})
	return &stage{t: t, srv: srv, post: box, Player: console.Open(t, "scripts/loginui/player.mjs", "CONSOLE="+address)}
}

// link is a one-time login link; args are those of the command line.
func (s *stage) link(args map[string]string) string {
	s.t.Helper()
	return consoletest.Link(s.t, s.srv, args)
}
