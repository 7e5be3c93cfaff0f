package uplink

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIdentityVersion reads a file of before there were versions, writes it with one,
// and lets alone what a newer program wrote.
func TestIdentityVersion(t *testing.T) {
	a := newAuthority(t, "root", "Borne")
	dir := t.TempDir()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save(now(t, a, "https://c")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "identity.json")
	read := func() map[string]any {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	write := func(m map[string]any) {
		t.Helper()
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := read()
	if m["version"] != float64(identityVersion) {
		t.Errorf("it is written with version %v", m["version"])
	}
	delete(m, "version")
	write(m)
	old, err := f.Load()
	if err != nil {
		t.Fatalf("a file of before: %v", err)
	}
	if err := f.Save(old); err != nil || read()["version"] != float64(identityVersion) {
		t.Errorf("it stays without a version: %v", err)
	}
	for _, v := range []int{-1, identityVersion + 1} {
		m["version"] = v
		write(m)
		if _, err := f.Load(); err == nil || !strings.Contains(err.Error(), "install the newer") {
			t.Errorf("version %d: %v", v, err)
		}
	}
}
