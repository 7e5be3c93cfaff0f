package kills

import (
	"context"
	"fmt"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/scripts/stand"
)

// TestWithoutABrowser starts the real terminal on a machine where Chromium is
// missing: the screen says that it is out of order, staff are told why, and
// neither the agent's death nor the warden's changes that.
func TestWithoutABrowser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a terminal's sandboxes need root")
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("/var/tmp", "borne-browserless-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &post{t: t, ctx: ctx, log: stand.NewLogbook(), dir: dir, http: &http.Client{Timeout: 10 * time.Second}}
	p.stand, err = stand.Up(ctx, stand.Options{Dir: dir, Bin: bin, Display: "xvfb", UIDBase: uidBase, Net: "10.213.62.0/24",
		Chromium: filepath.Join(dir, "chromium"), Log: p.log})
	t.Cleanup(p.stand.Down)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log.Tail(40))
	}
	p.login()
	p.eventually("the console says that the browser is missing", 60*time.Second, func() error {
		var v struct {
			Terminal struct{ State, Reason string }
		}
		if err := p.ask("GET", "/api/terminals/"+terminal, nil, &v); err != nil {
			return err
		}
		if v.Terminal.State != "out" || v.Terminal.Reason != "no-browser" {
			return fmt.Errorf("it is %q for %q", v.Terminal.State, v.Terminal.Reason)
		}
		return nil
	})
	f, err := os.Open(p.picture())
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	ink, all := 0, 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			all++
			if r, g, b, _ := img.At(x, y).RGBA(); r+g+b < 3*0x6000 {
				ink++
			}
		}
	}
	if ink < 3000 || ink > all/4 {
		t.Errorf("the screen has %d dark pixels of %d: no sentence stands there", ink, all)
	}
	for _, v := range []victim{theAgent, theWarden} {
		from := p.log.Mark()
		p.strike(v)
		at, died, ok := p.log.Boot(from, 60*time.Second)
		if !ok || died != "broken" {
			t.Fatalf("%s was killed in broken: back %t, it died in %q\n%s", v, ok, died, p.log.Tail(40))
		}
		if _, ok := p.log.Phase(stand.Mark{Phase: at}, 60*time.Second, "broken"); !ok {
			t.Fatalf("after %s was killed in broken the terminal stands as %q\n%s", v, p.log.Now(), p.log.Tail(40))
		}
	}
}
