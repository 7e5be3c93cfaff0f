package scan

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestFindsWhatIsThere plants the marker in each form, across a chunk's edge
// too, and in another process's memory; and finds nothing once it is gone.
func TestFindsWhatIsThere(t *testing.T) {
	dir, since, marker := t.TempDir(), time.Now().Add(-time.Second), "MARQUE-"+rand.Text()
	wide := forms(marker)[1].bytes
	for name, b := range map[string][]byte{
		"plain": []byte("x" + marker), "wide": wide,
		"edge": append(bytes.Repeat([]byte{'a'}, chunk-5), marker...),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	res, err := Files(context.Background(), marker, since, dir)
	if err != nil || len(res.Hits) != 3 || res.Looked != 3 {
		t.Fatalf("got %+v, %v; want 3 hits in 3 files", res, err)
	}
	if res, _ := Files(context.Background(), marker, time.Now().Add(time.Hour), dir); res.Looked != 0 {
		t.Errorf("looked at %d files that did not change since", res.Looked)
	}

	if os.Geteuid() != 0 {
		t.Skip("SKIP: reading other processes' memory needs root")
	}
	c := exec.Command("sh", "-c", "read m; echo ready; read end; :")
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in.Write([]byte(marker + "\n"))
	out.Read(make([]byte, 6))
	res, err = Memory(context.Background(), marker)
	if err != nil || len(res.Hits) == 0 {
		t.Errorf("memory of another process: got %+v, %v; want a hit", res, err)
	}
	in.Close()
	c.Wait()
	res, err = Memory(context.Background(), marker)
	if err != nil || len(res.Hits) != 0 || res.Looked == 0 {
		t.Errorf("after its end: got %+v, %v; want no hit", res, err)
	}
}
