package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"borne/controller/cli"
)

type shell struct {
	t      *testing.T
	config string
}

// start writes a configuration into a short path: sockets need one.
func start(t *testing.T) *shell {
	t.Helper()
	dir, err := os.MkdirTemp("", "borne")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &shell{t, filepath.Join(dir, "c.toml")}
	text := fmt.Sprintf("state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", filepath.Join(dir, "s"))
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func run(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = cli.Run(context.Background(), args, cli.IO{Out: &o, Err: &e, Env: func(string) string { return "" }, Version: "v1"})
	return code, o.String(), e.String()
}

// ok runs a command on the configuration and wants it to succeed.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	code, out, err := run(append(args, "-config", s.config)...)
	if code != cli.ExitOK {
		s.t.Fatalf("%v: code %d, %s%s", args, code, out, err)
	}
	return out
}

// fails runs a command and wants this code and these words.
func (s *shell) fails(code int, words string, args ...string) {
	s.t.Helper()
	got, out, err := run(append(args, "-config", s.config)...)
	if got != code || !strings.Contains(out+err, words) {
		s.t.Errorf("%v: code %d, %q %q; want %d with %q", args, got, out, err, code, words)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, cli.ExitUsage, "usage"}, {[]string{"fly"}, cli.ExitUsage, "usage"}, {[]string{"userx"}, cli.ExitUsage, "usage"},
		{[]string{"version"}, cli.ExitOK, "v1"}, {[]string{"version", "now"}, cli.ExitUsage, "too many"},
		{[]string{"serve", "-h"}, cli.ExitOK, "-config"}, {[]string{"serve", "-port", "1"}, cli.ExitUsage, "-port"},
		{[]string{"serve", "-config", "/nowhere.toml"}, cli.ExitError, "borne-controller init"},
		{[]string{"config"}, cli.ExitOK, "[terminals]"},
	} {
		code, out, err := run(c.args...)
		if code != c.code || !strings.Contains(out+err, c.want) {
			t.Errorf("%v: code %d, %q %q", c.args, code, out, err)
		}
	}
	_, doc, _ := run("openapi")
	var d struct{ Paths map[string]any }
	if err := json.Unmarshal([]byte(doc), &d); err != nil || d.Paths["/api/fleet"] == nil {
		t.Errorf("openapi: %v, %.100s", err, doc)
	}
}

func TestOperations(t *testing.T) {
	s := start(t)
	s.fails(cli.ExitError, "borne-controller init", "check")
	s.ok("init", "-name", "Test")
	s.fails(cli.ExitError, "there is one already", "init")
	s.fails(cli.ExitFound, "user link", "check")
	if out := s.ok("user", "link"); !strings.Contains(out, "/#login=") {
		t.Errorf("the link: %s", out)
	}
	s.ok("check")
	s.ok("seed-demo")
	if out := s.ok("enrol-code", "-terminal", "demo-blanchard-hall-1"); len(strings.TrimSpace(out)) != 19 {
		t.Errorf("the code: %q", out)
	}
	s.fails(cli.ExitUsage, "give -terminal", "enrol-code")
	s.fails(cli.ExitError, "cannot make an installation code", "enrol-code", "-terminal", "none")
	s.fails(cli.ExitUsage, "give -name", "user", "disable")
	s.fails(cli.ExitError, "no open one of the name", "user", "disable", "-name", "Personne")
	s.fails(cli.ExitError, "last administrator", "user", "disable", "-name", "Administrateur")
	s.ok("user", "link", "-name", "Camille", "-role", "observer", "-all")
	s.ok("user", "disable", "-name", "Camille")
	s.fails(cli.ExitError, "no open one of the name", "user", "disable", "-name", "Camille")
	s.fails(cli.ExitUsage, "give -terminal", "terminal", "revoke")
	s.fails(cli.ExitError, "cannot revoke the terminal", "terminal", "revoke", "-terminal", "none")
	s.ok("terminal", "revoke", "-terminal", "demo-blanchard-hall-2")
	head := s.ok("audit", "verify")
	_, head, _ = strings.Cut(strings.TrimSpace(head), "head ")
	s.ok("audit", "verify", "-head", head)
	out := filepath.Join(filepath.Dir(s.config), "audit.jsonl")
	s.fails(cli.ExitUsage, "json or csv", "audit", "export", "-format", "xml")
	s.ok("audit", "export", "-out", out)
	s.fails(cli.ExitError, "exists", "audit", "export", "-out", out)
	s.ok("audit", "verify", "-file", out, "-head", head)
	if b, err := os.ReadFile(out); err != nil || os.WriteFile(out, bytes.Replace(b, []byte("demo.seeded"), []byte("demo.reaped"), 1), 0o600) != nil {
		t.Error(err)
	}
	s.fails(cli.ExitFound, "its content was changed", "audit", "verify", "-file", out)
	if text := s.ok("audit", "export", "-format", "csv"); !strings.Contains(text, "audit.exported") {
		t.Errorf("%.300s", text)
	}
	s.fails(cli.ExitFound, "does not hold", "audit", "verify", "-head", "99"+head[strings.Index(head, ":"):])

	paper := filepath.Join(filepath.Dir(s.config), "c.json")
	s.fails(cli.ExitUsage, "give -file or -digest", "certificate", "verify")
	s.fails(cli.ExitError, "cannot read the certificate", "certificate", "verify", "-file", paper)
	if err := os.WriteFile(paper, []byte(`{"kid":"x","domain":"borne/certificate/1","payload":"e30=","sig":""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails(cli.ExitFound, "no entry of the audit", "certificate", "verify", "-file", paper)
	if err := os.WriteFile(paper, []byte(`%PDF-1.7`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails(cli.ExitFound, "no certificate of this controller", "certificate", "verify", "-file", paper)
	s.fails(cli.ExitError, "cannot read the digest", "certificate", "verify", "-digest", "abc")
	s.fails(cli.ExitFound, "no entry of the audit", "certificate", "verify", "-digest", strings.Repeat("ab ", 32))

	file := filepath.Join(filepath.Dir(s.config), "b.tar")
	s.fails(cli.ExitUsage, "give -out", "backup")
	s.fails(cli.ExitUsage, "who may open", "backup", "-out", file)
	if out := s.ok("backup", "-out", file, "-unencrypted"); !strings.Contains(out, "private keys") {
		t.Errorf("nobody is told what a backup holds: %q", out)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode: %v, %v", fi.Mode(), err)
	}
	s.fails(cli.ExitError, "exists", "backup", "-out", file, "-unencrypted")
	s.fails(cli.ExitError, "-replace", "restore", "-in", file)
	s.fails(cli.ExitUsage, "-without-deletions", "restore", "-in", file, "-replace", "-deletions", file, "-without-deletions")
	out = s.ok("restore", "-in", file, "-replace")
	for _, want := range []string{"erased on request since: 0", "borne.db.before-", "keys.before-", "delete it as soon as", "itself deletes it on 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
	s.ok("audit", "verify", "-head", head) // the restored chain goes on from the one noted
}

// TestEncryptedBackups: with the key it is whole, and without it is nothing.
func TestEncryptedBackups(t *testing.T) {
	s := start(t)
	s.ok("init")
	dir := filepath.Dir(s.config)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key, word, file, phrased := filepath.Join(dir, "key"), filepath.Join(dir, "word"), filepath.Join(dir, "b.age"), filepath.Join(dir, "p.age")
	for name, text := range map[string]string{key: id.String() + "\n", word: "quatre mots au hasard\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.fails(cli.ExitError, "cannot encrypt", "backup", "-out", file, "-recipient", "age1x")
	if _, err := os.Stat(file); err == nil {
		t.Error("a backup that was refused is there")
	}
	s.ok("backup", "-out", file, "-recipient", id.Recipient().String())
	s.ok("backup", "-out", phrased, "-passphrase-file", word)
	s.fails(cli.ExitError, "it is encrypted", "restore", "-in", file, "-look")
	s.fails(cli.ExitError, "no key that was given", "restore", "-in", file, "-look", "-passphrase-file", word)
	for _, args := range [][]string{{"-in", file, "-identity", key}, {"-in", phrased, "-passphrase-file", word}} {
		if out := s.ok(append([]string{"restore", "-look"}, args...)...); !strings.Contains(out, "is whole") || !strings.Contains(out, "nothing was changed") || !strings.Contains(out, "since: not known") {
			t.Errorf("%v: %s", args, out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil || bytes.Contains(b, []byte("manifest.json")) {
		t.Errorf("it is legible: %v", err)
	}
	if err := os.WriteFile(file, b[:len(b)-200], 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails(cli.ExitError, "cannot", "restore", "-in", file, "-identity", key, "-replace")
	s.ok("audit", "verify") // what was there is untouched
	s.ok("restore", "-in", phrased, "-passphrase-file", word, "-replace")
	s.ok("audit", "verify")
}

// TestServe starts the controller as people do, asks it over its socket, and
// stops it as a signal would.
func TestServe(t *testing.T) {
	s := start(t)
	s.ok("init")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	var log bytes.Buffer
	go func() {
		done <- cli.Run(ctx, []string{"serve", "-config", s.config}, cli.IO{Out: &log, Err: &log, Env: func(string) string { return "" }})
	}()
	sock := filepath.Join(filepath.Dir(s.config), "s", "control.sock")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", sock); err == nil { // the name is there a moment before somebody listens
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not serve")
		}
	}
	s.ok("seed-demo")
	if out := s.ok("user", "link"); strings.Contains(out, ":0/") {
		t.Errorf("the link names no real port: %s", out)
	}
	s.ok("backup", "-out", filepath.Join(filepath.Dir(s.config), "b.tar"), "-unencrypted")
	s.ok("export", "deletions")
	s.fails(cli.ExitError, "another borne-controller", "serve")
	cancel()
	select {
	case code := <-done:
		if code != cli.ExitOK {
			t.Errorf("code %d: %s", code, log.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not stop")
	}
}

// TestPlaces makes a place from the command line, and finds it, its people and its
// terminals again.
func TestPlaces(t *testing.T) {
	s := start(t)
	s.ok("init")
	site := strings.TrimSpace(s.ok("site", "add", "-name", "Collège du Lac", "-kind", "college", "-commune", "Annecy"))
	space := strings.TrimSpace(s.ok("site", "space", "-site", site, "-name", "Hall"))
	s.ok("enrol-code", "-space", space, "-name", "Poste 1")
	s.ok("user", "link", "-name", "Dominique", "-role", "correspondant", "-sites", site)
	for command, want := range map[string][]string{"site": {site, "Collège du Lac", space, "Hall"}, "user": {"Dominique", "correspondant", site, "open"}, "terminal": {"there is no terminal"}} {
		out := s.ok(command)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s lacks %q: %s", command, w, out)
			}
		}
	}
	for _, wrong := range [][]string{{"site", "add", "-name", "x", "-kind", "college", "-commune", "Annecy"}, {"site", "add", "-name", "Ecole", "-kind", "school", "-commune", "Annecy"},
		{"site", "add", "-name", "Ecole\nB", "-kind", "pms", "-commune", "Annecy"}, {"site", "space", "-site", "none", "-name", "Hall"}, {"site", "space", "-site", site, "-name", ""}} {
		if code, out, err := run(append(wrong, "-config", s.config)...); code != cli.ExitError || out != "" || !strings.Contains(err, "cannot") {
			t.Errorf("%q: %d %s %s", wrong, code, out, err)
		}
	}
	s.ok("seed-demo")
	if out := s.ok("terminal", "-site", "demo-mie"); !strings.Contains(out, "demo-mie-libre-1") || strings.Contains(out, "demo-blanchard") {
		t.Errorf("one site's terminals: %s", out)
	}
}

// TestRGPD writes the documents while nobody serves, into a new folder alone.
func TestRGPD(t *testing.T) {
	s := start(t)
	s.ok("init", "-name", "Haute-Savoie")
	dir := filepath.Join(filepath.Dir(s.config), "rgpd")
	out := s.ok("export", "rgpd", dir)
	for name, want := range map[string]string{"registre.html": "Haute-Savoie", "aipd-annexe.html": "Annexe à l’analyse d’impact", "inventaire.html": "receiptKey", "inventaire.csv": "receiptKey"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(b), want) || !strings.Contains(out, name) {
			t.Errorf("%s: %v, %d bytes, without %q", name, err, len(b), want)
		}
	}
	s.fails(cli.ExitError, "exists", "export", "rgpd", dir)
	s.fails(cli.ExitUsage, "folder", "export", "rgpd")
}
