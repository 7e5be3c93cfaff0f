package card

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const goodFile = `# badges of the network
borne-badge-keys 1

mutual.key 00112233445566778899AABBCCDDEEFF
mutual.number 1
mutual.system d27600008501
privacy.key 102132435465768798a9babbdcddfe0f
privacy.number 2
sun.url https://badge.example/
sun.meta.key f0e0d0c0b0a090807060504030201000
sun.file.key a1a2a3a4a5a6a7a8a9aaabacadaeafb0
sun.file.diversified no
sun.input enc
`

func TestParseKeys(t *testing.T) {
	k, err := ParseKeys([]byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	m, p, s := k.Mutual, k.Privacy, k.SUN
	if m.Number != 1 || !m.Diversified || len(m.System) != 6 || *m.Key.get() != [16]byte(x(t, master1)) {
		t.Errorf("mutual %+v", m)
	}
	if p.Number != 2 || p.Diversified {
		t.Errorf("privacy %+v", p)
	}
	if s.File.Diversified || s.PICC != "picc_data" || s.MAC != "cmac" || s.Input != "enc" || s.FileID != 0xE104 || s.URL != "https://badge.example/" || *s.Meta.get() != [16]byte(x(t, master3)) {
		t.Errorf("sun %+v", s)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	h := format + "\n"
	k := master1
	for want, file := range map[string]string{
		"first line must be":        "# nothing\n",
		"is not \"borne-badge-keys": "mutual.key " + k,
		"neither mutual.key":        h,
		"mutual.key is missing":     h + "mutual.number 1",
		"30 characters":             h + "mutual.key " + k[:30],
		"not hexadecimal":           h + "mutual.key " + k[:30] + "zz",
		"a second time":             h + "mutual.key " + k + "\nmutual.key " + k,
		"unknown name":              h + "mutual.secret " + k,
		"not a name and a value":    h + k,
		"must be 0 to 4":            h + "mutual.key " + k + "\nmutual.number 5",
		"yes or no":                 h + "mutual.key " + k + "\nmutual.diversified true",
		"must be hexadecimal":       h + "mutual.key " + k + "\nmutual.system xyz",
		"has 25 bytes":              h + "mutual.key " + k + "\nmutual.system " + strings.Repeat("00", 25),
		"diversified is no":         h + "mutual.key " + k + "\nmutual.diversified no\nmutual.system 00",
		"serves mutual.key only":    h + "sun.meta.key " + k + "\nsun.file.key " + k + "\nprivacy.key " + k,
		"are the same":              h + "mutual.key " + k + "\nprivacy.key " + k,
		"sun.meta.key is missing":   h + "sun.file.key " + k,
		"sun.file.key is missing":   h + "sun.meta.key " + k,
		"two different names":       h + "sun.meta.key " + k + "\nsun.file.key " + k + "\nsun.mac picc_data",
		"URL parameter's name":      h + "sun.meta.key " + k + "\nsun.file.key " + k + "\nsun.mac a=b",
		"four hexadecimal digits":   h + "sun.meta.key " + k + "\nsun.file.key " + k + "\nsun.ndef 4",
		"sun.url has":               h + "sun.meta.key " + k + "\nsun.file.key " + k + "\nsun.url " + strings.Repeat("a", 201),
		"more than 4096 bytes":      strings.Repeat("#", 4097),
		"more than 64 lines":        strings.Repeat("\n", 70) + h,
	} {
		_, err := ParseKeys([]byte(file))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), k[:10]) {
			t.Errorf("%q shows a key", want)
		}
	}
}

func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	write := func(mode os.FileMode) {
		t.Helper()
		os.Remove(path)
		if err := os.WriteFile(path, []byte(goodFile), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(path, want string) {
		t.Helper()
		if _, err := ReadKeys(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot use key file "+path) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		write(mode)
		if _, err := ReadKeys(path); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o610, 0o666} {
		write(mode)
		refused(path, "chmod 600")
	}
	write(0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	refused(link, "symbolic links")
	refused(dir, "not a plain file")
	refused(filepath.Join(dir, "none"), "no such file")
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(fifo, "not a plain file")
	if os.Geteuid() != 0 {
		t.Log("SKIP: another owner's file: only root can make one")
		return
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	refused(path, "belongs to user 65534")
}

// FuzzParseKeys: what is accepted can be used, and errors show no value.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte(format + "\nmutual.key " + master1 + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeys(b)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if err := k.check(); err != nil {
			t.Fatal(err)
		}
		for _, m := range []*MasterKey{k.Mutual, k.Privacy} {
			if m == nil {
				continue
			}
			if _, err := m.Of(make([]byte, uidSize)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
