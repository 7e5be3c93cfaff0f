package scan

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const mark, after = "jkbcdefghkijbcde", "kbcdef"

// written gives the marker with what follows in each form that a program may
// hold it in, behind n bytes.
func written(n int) map[string][]byte {
	text := mark + after
	pad := strings.Repeat("a", n)
	var wide, wider []byte
	for _, c := range []byte(text) {
		wide, wider = append(wide, c, 0), append(wider, c, 0, 0, 0)
	}
	var percent, upper string
	for _, c := range []byte(text) {
		percent, upper = percent+fmt.Sprintf("%%%02x", c), upper+fmt.Sprintf("%%%02X", c)
	}
	return map[string][]byte{
		"utf-8": []byte(pad + text), "utf-16": append([]byte(pad), wide...), "utf-32": append([]byte(pad), wider...),
		"hex": []byte(pad + hex.EncodeToString([]byte(text))), "HEX": []byte(pad + strings.ToUpper(hex.EncodeToString([]byte(text)))),
		"percent": []byte(pad + percent), "PERCENT": []byte(pad + upper),
		fmt.Sprintf("base64/%d", n%3): []byte(base64.StdEncoding.EncodeToString([]byte(pad + text + "..."))),
	}
}

// TestEachFormAtEachPlace finds every form wherever it begins, over the edge of
// a chunk too, with what follows.
func TestEachFormAtEachPlace(t *testing.T) {
	f := New(mark)
	buf := make([]byte, overlap+chunk)
	seen := map[string]bool{}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, chunk - 30, chunk - 5, chunk, chunk + overlap - 20, chunk + overlap - 3, 2*chunk + overlap - 7} {
		for form, b := range written(n) {
			all, read, err := f.stream(bytes.NewReader(append(b, "!?"...)), buf)
			if err != nil || read != int64(len(b)+2) || len(all) != 1 || all[0].as != form || all[0].rest != after {
				t.Errorf("%s behind %d bytes: got %+v, %d of %d bytes, %v", form, n, all, read, len(b)+2, err)
			}
			seen[form] = true
		}
	}
	for _, name := range f.Forms() {
		if !seen[name] {
			t.Errorf("the form %s was not tried", name)
		}
	}
	if all, _, _ := f.stream(strings.NewReader(mark[:len(mark)-1]+"x"), buf); len(all) != 0 {
		t.Errorf("found %+v in something else", all)
	}
}

// TestFindsWhatIsThere plants the marker in files, in names, in a file without
// a name, in a segment and in another process's memory; and finds nothing once
// it is gone.
func TestFindsWhatIsThere(t *testing.T) {
	ctx := context.Background()
	dir, since, marker := t.TempDir(), time.Now().Add(-time.Second), "MARQUE"+rand.Text()
	for name, b := range map[string][]byte{"plain": []byte("x" + marker), "edge": append(bytes.Repeat([]byte{'a'}, chunk+overlap-5), marker...)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"+marker), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere/"+marker, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	res, err := Files(ctx, marker, since, dir)
	if err != nil || len(res.Hits) != 4 || res.Looked != 2 {
		t.Fatalf("got %+v, %v; want 4 hits, 2 files", res, err)
	}
	if res, _ := Files(ctx, marker, time.Now().Add(time.Hour), dir); res.Looked != 0 {
		t.Errorf("looked into %d files that did not change since", res.Looked)
	}
	if res := New(marker).Raw(ctx, filepath.Join(dir, "edge")); len(res.Hits) != 1 {
		t.Errorf("raw: got %+v", res)
	}
	if got := Swaps(strings.NewReader("Filename Type Size Used Priority\n/swap\\040file file 1 0 -2\n/dev/sda2 partition 1 0 -3\n")); !slices.Equal(got, []string{"/swap file", "/dev/sda2"}) {
		t.Errorf("swaps: %q", got)
	}

	if os.Geteuid() != 0 {
		t.Skip("SKIP: reading other processes' memory needs root")
	}
	c := exec.Command("sh", "-c", `exec 9>"$0"; echo x >&9; cat >&9; rm "$0"; echo ready; read m <&3; echo ready; read end <&3; :`, filepath.Join(dir, "unnamed"))
	c.Stdin = strings.NewReader(marker)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.ExtraFiles = []*os.File{r}
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	out.Read(make([]byte, 6))
	f := New(marker)
	if res := f.Unnamed(ctx); len(res.Hits) != 1 {
		t.Errorf("a file without a name: got %+v", res)
	}
	w.Write([]byte(marker + "\n"))
	out.Read(make([]byte, 6))
	res, err = Memory(ctx, marker)
	if err != nil || len(res.Hits) == 0 {
		t.Errorf("memory of another process: got %+v, %v; want a hit", res, err)
	}
	w.Close()
	c.Wait()
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	res, err = Memory(ctx, marker)
	if err != nil || len(res.Hits) != 0 || res.Looked == 0 {
		t.Errorf("after its end: got %+v, %v; want no hit", res, err)
	}
}

func BenchmarkFind(b *testing.B) {
	f, text := New(mark), make([]byte, 64<<20)
	rand.Read(text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f.find(text, func(int, int) { b.Error("found in noise") })
	}
}
