// Command borne-demo is what `make run` starts: a controller with a small fleet,
// one terminal with simulated hardware, and three addresses to open.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"borne/kiosk/printer/printertest"
	"borne/scripts/stand"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "borne-demo:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Where other users may pass: the terminal's roles are not root, and homes are closed to them.
	dir := "/var/tmp/borne-demo"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the demonstration's folder: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the log: %w", err)
	}
	defer log.Close()
	if os.Getenv("DISPLAY") == "" {
		fmt.Println("Pas d’écran ici : le poste s’affiche dans Xvfb ; regardez-le par « l’écran du poste » ci-dessous.")
	} else {
		fmt.Println("Le poste s’ouvre dans une fenêtre de cet écran.")
	}
	printer, uri, err := startPrinter()
	if err != nil {
		return err
	}
	defer printer.Close()
	s, err := stand.Up(ctx, stand.Options{Dir: dir, Bin: filepath.Dir(self), Console: 8080, Uplink: 8443, Bench: 8601, Printer: uri, Log: log,
		Progress: func(p string) { fmt.Println(p) }})
	defer func() {
		fmt.Println("\nArrêt : la session en cours est effacée, puis tout se ferme…")
		s.Down()
	}()
	if err != nil {
		return fmt.Errorf("%w\nThe log is in %s", err, log.Name())
	}
	link, err := s.LoginLink(ctx)
	if err != nil {
		return err
	}
	fmt.Printf(`
  Console (lien à usage unique)   %s
  Écran du poste                  %s/view.html
  Banc du simulateur              %s/bench.html

  Le journal est dans %s. Ctrl-C arrête tout. %s
`, link, s.BenchURL, s.BenchURL, log.Name(), time.Now().Format("15:04:05"))
	<-ctx.Done()
	return nil
}

// startPrinter starts the printer of the demonstration: a real IPP printer but
// for its engine, which takes a second a side as a small one does.
func startPrinter() (io.Closer, string, error) {
	p, err := printertest.Start(printertest.Options{Duplex: true, Colour: true})
	if err != nil {
		return nil, "", err
	}
	if err := p.Fault(printertest.Slow(time.Second)); err != nil {
		p.Close()
		return nil, "", err
	}
	return p, p.URI(), nil
}
