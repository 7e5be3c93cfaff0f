package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestASecondTerminalOnTheSameStateIsRefused(t *testing.T) {
	state := t.TempDir()
	if err := alone(state); err != nil {
		t.Fatalf("a fresh folder: %v", err)
	}
	if err := os.Mkdir(filepath.Join(state, "warden"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(state, "warden", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := alone(state); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("beside another: %v", err)
	}
	f.Close()
	if err := alone(state); err != nil {
		t.Errorf("after it ended: %v", err)
	}
}
