package seal_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"borne/controller/seal"
)

func keypair(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sealed(t testing.TB, s seal.Seal, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := s.Writer(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(k seal.Keys, b []byte) ([]byte, bool, error) {
	r, was, err := k.Open(bytes.NewReader(b))
	if err != nil {
		return nil, was, err
	}
	out, err := io.ReadAll(r)
	return out, was, err
}

func TestOnlyTheKeyOpens(t *testing.T) {
	mine, other := keypair(t), keypair(t)
	text := bytes.Repeat([]byte("secret "), 40_000) // several of age's chunks
	s, err := seal.To([]string{mine.Recipient().String(), keypair(t).Recipient().String()}, "")
	if err != nil || !s.Set() {
		t.Fatal(err)
	}
	b := sealed(t, s, text)
	if bytes.Contains(b, []byte("secret")) {
		t.Error("it is legible")
	}
	k, err := seal.With([]byte("# a comment\n"+mine.String()+"\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, was, err := read(k, b); err != nil || !was || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, encrypted %v, %v", len(got), was, err)
	}
	wrong, err := seal.With([]byte(other.String()), "a passphrase of some length")
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]seal.Keys{"another": wrong, "none": {}} {
		if _, was, err := read(k, b); !errors.Is(err, seal.ErrKey) || !was {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that broke off, or that somebody changed, is never whole.
	for name, bad := range map[string][]byte{"cut in the text": b[:len(b)/2], "cut at its end": b[:len(b)-1], "more": append(bytes.Clone(b), 'x'),
		"changed": append(append(bytes.Clone(b[:len(b)-9]), b[len(b)-9]^1), b[len(b)-8:]...)} {
		if _, _, err := read(k, bad); err == nil {
			t.Errorf("%s: it opens", name)
		}
	}
	if got, was, err := read(seal.Keys{}, []byte("plain")); err != nil || was || string(got) != "plain" {
		t.Errorf("what is not encrypted: %q %v %v", got, was, err)
	}
}

func TestPassphrase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(file, []byte("quatre mots au hasard\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := seal.Passphrase(file)
	if err != nil || p != "quatre mots au hasard" {
		t.Fatalf("%q %v", p, err)
	}
	s, err := seal.To(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	b := sealed(t, s, []byte("text"))
	k, _ := seal.With(nil, p)
	if got, _, err := read(k, b); err != nil || string(got) != "text" {
		t.Errorf("%q %v", got, err)
	}
	wrong, _ := seal.With(nil, p+"!")
	if _, _, err := read(wrong, b); !errors.Is(err, seal.ErrKey) {
		t.Errorf("another passphrase: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Passphrase(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a passphrase that all may read: %v", err)
	}
}

func TestKeysAreRefusedInWords(t *testing.T) {
	mine := keypair(t)
	for name, c := range map[string]struct {
		to         []string
		passphrase string
	}{
		"a private key": {[]string{mine.String()}, ""}, "no key": {[]string{"x"}, ""}, "two in one": {[]string{mine.Recipient().String() + "\n" + mine.Recipient().String()}, ""},
		"short": {nil, "secret"}, "both": {[]string{mine.Recipient().String()}, "quatre mots au hasard"},
	} {
		_, err := seal.To(c.to, c.passphrase)
		if err == nil || strings.Contains(err.Error(), mine.String()[:24]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := seal.With([]byte(mine.Recipient().String()), ""); err == nil {
		t.Error("a public key is taken for a private one")
	}
	if s, err := seal.To(nil, ""); err != nil || s.Set() {
		t.Errorf("to nobody: %v", err)
	} else if _, err := s.Writer(io.Discard); err == nil {
		t.Error("it writes to nobody")
	}
}

func FuzzOpen(f *testing.F) {
	id := keypair(f)
	s, err := seal.To([]string{id.Recipient().String()}, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed(f, s, []byte("text")))
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\n"))
	f.Add([]byte("age"))
	k, err := seal.With([]byte(id.String()), "quatre mots au hasard")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, _, err := k.Open(bytes.NewReader(b)); err == nil {
			io.Copy(io.Discard, r)
		}
	})
}
