package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"borne/controller/store"
)

const childDir = "BORNE_STORETEST_DIR"

// Child does nothing in an ordinary test run. In the process that the crash
// test starts, it writes until it is killed.
func Child(open Open) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	if err := write(dir, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

func write(dir string, open Open) error {
	s, err := open(dir, Apply)
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for i := range 3 {
		terminal := fmt.Sprintf("t%d", i)
		var c store.Cursor
		if err := s.Decide(context.Background(), func(tx store.Tx) (err error) {
			if c, err = tx.Cursor(terminal); err == nil && c.Epoch == 0 {
				c.Epoch = 1
				err = tx.SetCursor(terminal, c)
			}
			return err
		}); err != nil {
			return err
		}
		go func() {
			for {
				// The first two come again, as after a lost acknowledgement.
				c, err = s.Ingest(context.Background(), terminal, batch(1, max(c.Seq, 2)-1, c.Seq+3))
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(terminal, c.Seq)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func testCrash(t *testing.T, open Open) {
	dir := t.TempDir()
	acked := map[string]uint64{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		kill(t, dir, 1+rng.IntN(60), acked)
	}
	s := start(t, open, dir)
	for terminal, n := range acked {
		var c store.Cursor
		decide(t, s, func(tx store.Tx) (err error) { c, err = tx.Cursor(terminal); return err })
		if c.Seq < n {
			t.Errorf("%s: %d was acknowledged, the cursor is at %d", terminal, n, c.Seq)
		}
		expectRecords(t, s, terminal, 1, c.Seq, 0)
	}
	if len(acked) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// kill starts a writer and kills it after it has said some lines.
func kill(t *testing.T, dir string, lines int, acked map[string]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	in := bufio.NewScanner(out)
	for n := 0; in.Scan(); n++ {
		var terminal string
		var seq uint64
		if _, err := fmt.Sscan(in.Text(), &terminal, &seq); err != nil {
			t.Fatalf("the writer says %q", in.Text())
		}
		acked[terminal] = max(acked[terminal], seq)
		if n == lines {
			must(t, cmd.Process.Kill())
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the writer ended by itself: %v %s", err, stderr.String())
	}
}
