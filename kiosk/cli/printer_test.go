package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/config"
	"borne/kiosk/printer"
	"borne/kiosk/printer/printertest"
)

// callFor is a call whose configuration names a printer.
func callFor(t *testing.T, uri string) *call {
	t.Helper()
	state := t.TempDir()
	if err := os.MkdirAll(filepath.Join(state, "agent"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &call{cfg: config.Config{Printer: uri, State: state}, log: slog.New(slog.DiscardHandler)}
}

// TestPrinterIsTheOneOfBefore: the key of the first certificate is kept, and a printer
// with another one is not believed, by the terminal or the doctor.
func TestPrinterIsTheOneOfBefore(t *testing.T) {
	cert, err := printertest.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	f, err := printertest.StartFake(cert)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := callFor(t, f.URI())
	look := func() (agent.PrinterLook, error) {
		p, err := printerOf(ctx, c, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return p.Look(ctx)
	}
	if l, err := look(); err != nil || l.Status.State != wire.PrinterReady || len(l.Formats) == 0 {
		t.Fatalf("%+v, %v", l, err)
	}
	path := filepath.Join(c.cfg.State, "agent", pinFile)
	kept, err := os.ReadFile(path)
	if err != nil || len(bytes.TrimSpace(kept)) != 64 {
		t.Fatalf("%q, %v", kept, err)
	}
	if _, err := look(); err != nil {
		t.Errorf("the same printer again: %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := look(); !errors.Is(err, printer.ErrUntrusted) || !errors.Is(err, agent.ErrStranger) {
		t.Errorf("another printer: %v", err)
	}
	if _, err := lookAtPrinter(c)(ctx); !errors.Is(err, printer.ErrUntrusted) || !strings.Contains(err.Error(), "delete "+path) {
		t.Errorf("the doctor says %v", err)
	}
	if now, _ := os.ReadFile(path); string(now) != strings.Repeat("ab", 32)+"\n" {
		t.Error("another printer's key takes the place of the first")
	}
	if err := os.WriteFile(path, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := printerOf(ctx, c, t.TempDir()); err == nil || !strings.Contains(err.Error(), "delete the file") {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestConnectionIsGivenAway: what Dial gives is a descriptor that reaches the printer.
func TestConnectionIsGivenAway(t *testing.T) {
	f, err := printertest.StartFake(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := printerOf(t.Context(), callFor(t, f.URI()), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	file, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := file.Read(b); err != nil || string(b) != "HTTP/" {
		t.Errorf("%q, %v", b, err)
	}
	if none, err := printerOf(t.Context(), callFor(t, ""), t.TempDir()); none != nil || err != nil {
		t.Errorf("without a printer: %v, %v", none, err)
	}
	if lookAtPrinter(callFor(t, "")) != nil {
		t.Error("the doctor asks a printer that there is not")
	}
}

// TestAPrinterOfTheRulesHasAKeyOfItsOwn: each address has its file, that of the
// terminal's file keeps the one it has, and a key that the rules give needs none.
func TestAPrinterOfTheRulesHasAKeyOfItsOwn(t *testing.T) {
	cert, err := printertest.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	f, err := printertest.StartFake(cert)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := func(folder, file, key string) error {
		p, err := Printers(folder, file, printer.Dial)(policy.NamedPrinter{URI: f.URI(), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_, err = p.Look(ctx)
		return err
	}
	files := func(folder string) string {
		all, _ := filepath.Glob(filepath.Join(folder, "*"))
		for i := range all {
			all[i] = filepath.Base(all[i])
		}
		return strings.Join(all, " ")
	}
	a, b, c := t.TempDir(), t.TempDir(), t.TempDir()
	for range 2 {
		if err := look(a, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	name := files(a)
	if ok, _ := filepath.Match("printer-*.pin", name); !ok {
		t.Errorf("the key is in %q", name)
	}
	if err := look(b, f.URI(), ""); err != nil || files(b) != pinFile {
		t.Errorf("that of the terminal's file: %v in %q", err, files(b))
	}
	kept, err := os.ReadFile(filepath.Join(a, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := look(c, "", strings.TrimSpace(string(kept))); err != nil || files(c) != "" {
		t.Errorf("the key of the rules: %v, with files %q", err, files(c))
	}
	for folder, key := range map[string]string{c: strings.Repeat("ab", 32), a: ""} {
		if key == "" && os.WriteFile(filepath.Join(a, name), []byte(strings.Repeat("ab", 32)+"\n"), 0o600) != nil {
			t.Fatal("cannot write the key")
		}
		if err := look(folder, "", key); !errors.Is(err, agent.ErrStranger) {
			t.Errorf("another key: %v", err)
		}
	}
}
