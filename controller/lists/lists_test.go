package lists

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
)

// archive packs files as name, text, name, text…
func archive(t testing.TB, zip bool, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.Writer = &b
	if zip {
		z := gzip.NewWriter(&b)
		defer z.Close()
		w = z
	}
	a := tar.NewWriter(w)
	for i := 0; i < len(files); i += 2 {
		must(t, a.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg}))
		_, err := a.Write([]byte(files[i+1]))
		must(t, err)
	}
	must(t, a.Close())
	if z, ok := w.(*gzip.Writer); ok {
		must(t, z.Close())
	}
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	for _, zip := range []bool{true, false} {
		got, err := Read(bytes.NewReader(archive(t, zip,
			"blacklists/adult/domains", "sex.example\nWWW.Upper.Example\n.dotted.example.\nmünchen.example\n10.2.3.4\n\n# remark\nnodot\nbad name.example\nsex.example\n",
			"blacklists/adult/urls", "site.example/page\nother.example/x\n", "blacklists/adult/usage", "black\n",
			"blacklists/README", "hello", "agressif/domains", "hate.example\r\n", "onlyurls/urls", "a.example/b\n")))
		must(t, err)
		if len(got) != 2 || got[0].Name != "adult" || got[1].Name != "agressif" {
			t.Fatalf("%+v", got)
		}
		a := got[0]
		if a.Names != 4 || a.URLs != 2 || a.Addresses != 1 || a.Unread != 2 || a.Digest != wire.ListDigest(a.File) {
			t.Errorf("%+v", a)
		}
		l, err := wire.OpenList(a.File)
		must(t, err)
		for _, name := range []string{"sex.example", "m.sex.example", "www.upper.example", "dotted.example", "xn--mnchen-3ya.example"} {
			if !l.Has(name) {
				t.Errorf("%s is not on the list", name)
			}
		}
		if l.Has("upper.example") || l.Has("hate.example") {
			t.Error("the list holds what is not on it")
		}
	}
}

func TestHostileArchives(t *testing.T) {
	bomb := func() []byte { // 1 MB that unpacks to a line without an end
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		a := tar.NewWriter(z)
		must(t, a.WriteHeader(&tar.Header{Name: "adult/domains", Size: 64 << 20, Typeflag: tar.TypeReg}))
		_, err := a.Write(make([]byte, 64<<20))
		must(t, err)
		must(t, errors.Join(a.Close(), z.Close()))
		return b.Bytes()
	}
	many := func() []byte {
		var files []string
		for i := range maxCategories + 1 {
			files = append(files, fmt.Sprintf("c%d/domains", i), "a.example\n")
		}
		return archive(t, false, files...)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("sex.example\n"), "half": archive(t, true, "adult/domains", strings.Repeat("a.example\n", 9999))[:40],
		"up":     archive(t, false, "../../etc/domains", "a.example\n"),
		"up in":  archive(t, false, "a/../../b/domains", "a.example\n"),
		"root":   archive(t, false, "/adult/domains", "a.example\n"),
		"name":   archive(t, false, "Adult Sites/domains", "a.example\n"),
		"own":    archive(t, false, Own+"/domains", "a.example\n"),
		"no dir": archive(t, false, "domains", "a.example\n"),
		"twice":  archive(t, false, "a/adult/domains", "a.example\n", "b/adult/domains", "b.example\n"),
		"none":   archive(t, false, "adult/domains", "\n# nothing\n"),
		"long":   archive(t, false, "adult/domains", strings.Repeat("a", maxLine+1)),
		"bomb":   bomb(), "many": many(),
	} {
		if got, err := Read(bytes.NewReader(b)); !errors.Is(err, ErrArchive) || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %d categories, %v", name, len(got), err)
		}
	}
	// A link that bears a list's name is not read.
	var b bytes.Buffer
	a := tar.NewWriter(&b)
	must(t, a.WriteHeader(&tar.Header{Name: "adult/domains", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}))
	must(t, a.Close())
	if _, err := Read(&b); !errors.Is(err, ErrArchive) {
		t.Errorf("a link: %v", err)
	}
}

func TestFolder(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "lists"))
	got, err := Read(bytes.NewReader(archive(t, true, "adult/domains", "a.example\n", "drogue/domains", "b.example\n")))
	must(t, err)
	for _, c := range got {
		must(t, f.Put(c))
		must(t, f.Put(c))
	}
	r, err := f.Open(got[0].Digest)
	must(t, err)
	b, err := io.ReadAll(r)
	r.Close()
	if err != nil || !bytes.Equal(b, got[0].File) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	must(t, f.Keep(map[string]bool{got[1].Digest: true}))
	if _, err := f.Open(got[0].Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a list that nobody wants: %v", err)
	}
	for _, digest := range []string{"", "../" + got[1].Digest, "x"} {
		if _, err := f.Open(digest); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", digest, err)
		}
	}
	left, err := os.ReadDir(string(f))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestPack(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/adult", 0o755))
	must(t, os.WriteFile(dir+"/adult/domains", []byte("a.example\n"), 0o600))
	must(t, os.WriteFile(dir+"/domains", []byte("top.example\n"), 0o600))
	must(t, os.MkdirAll(dir+"/linked", 0o755))
	must(t, os.Symlink("/etc/hostname", dir+"/linked/domains"))
	must(t, os.Symlink("adult", dir+"/porn"))
	var b bytes.Buffer
	must(t, Pack(dir, &b))
	got, err := Read(&b)
	if err != nil || len(got) != 1 || got[0].Name != "adult" || got[0].Names != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := Pack(dir+"/none", io.Discard); err == nil {
		t.Error("a folder that is not there")
	}
}

// TestMillion reads a list as large as they come, and tells what that takes.
func TestMillion(t *testing.T) {
	const n = 1_000_000
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "site-%d.category-%d.example\n", i, i%977)
	}
	b := archive(t, true, "blacklists/adult/domains", text.String())
	text = bytes.Buffer{}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	got, err := Read(bytes.NewReader(b))
	must(t, err)
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	t.Logf("%d names: archive %d bytes, file %d bytes, %s, %d MB allocated", got[0].Names, len(b), len(got[0].File), took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
	l, err := wire.OpenList(got[0].File)
	must(t, err)
	for i := 0; i < n; i += 1000 {
		if !l.Has(fmt.Sprintf("www.site-%d.category-%d.example", i, i%977)) {
			t.Fatalf("name %d is not found", i)
		}
	}
	if got[0].Names != n || len(got[0].File) > 5*n {
		t.Errorf("%d names in %d bytes", got[0].Names, len(got[0].File))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(archive(f, false, "adult/domains", "a.example\n10.0.0.1\n"))
	f.Add(archive(f, true, "blacklists/adult/urls", "a.example/b\n", "x/domains", "é.example\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrArchive) {
				t.Fatal(err)
			}
			return
		}
		for _, c := range got {
			if _, err := wire.OpenList(c.File); err != nil || !wire.ValidCategory(c.Name) {
				t.Fatal(c.Name, err)
			}
		}
	})
}
