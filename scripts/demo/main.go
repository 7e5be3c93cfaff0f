// Command borne-demo is what `make run` starts: a controller with a small fleet,
// one terminal with simulated hardware, and three addresses to open.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	printer, err := startPrinter()
	if err != nil {
		return err
	}
	defer printer.Close()
	s, err := stand.Up(ctx, stand.Options{Dir: dir, Bin: filepath.Dir(self), Console: 8080, Uplink: 8443, Bench: 8601, Printer: printer.URI(), Log: log,
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
	jams(ctx, s.BenchURL, printer)
	return nil
}

// well is how fast the printer of the demonstration prints.
var well = printertest.Slow(time.Second)

// jams lets paper jam, and takes it out again, as somebody says on the bench.
func jams(ctx context.Context, bench string, p *printertest.Printer) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for jammed := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var now struct{ Printer string }
		if err := get(ctx, bench+"/sim/state", &now); err != nil || now.Printer == "" || (now.Printer == "jammed") == jammed {
			continue
		}
		jammed = now.Printer == "jammed"
		err := p.Fault(well)
		if jammed {
			err = p.Fault(printertest.Jam(2))
		} else if p.Stuck() {
			err = errors.Join(err, p.Go())
		}
		if err != nil {
			fmt.Println("L’imprimante simulée n’obéit pas :", err)
		}
	}
}

func get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	return json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(into)
}

// startPrinter starts the printer of the demonstration: a real IPP printer but
// for its engine, which takes a second a side as a small one does.
func startPrinter() (*printertest.Printer, error) {
	p, err := printertest.Start(printertest.Options{Duplex: true, Colour: true})
	if err != nil {
		return nil, err
	}
	if err := p.Fault(well); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}
