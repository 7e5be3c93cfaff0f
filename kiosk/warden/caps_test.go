package warden

import (
	"os"
	"os/exec"
	"testing"
)

// TestCapabilitiesOfOneThatIsGone: what has ended since it was read holds nothing; what
// lives is judged.
func TestCapabilitiesOfOneThatIsGone(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"CapInh": "0000000000000000", "CapAmb": "0000000000000000", "CapPrm": "000001ffffffffff", "CapEff": "000001ffffffffff", "CapBnd": "000001ffffffffff"}
	if bad := noCaps(process{pid: cmd.Process.Pid, fields: all}); bad != "" {
		t.Errorf("a process that is gone is told of: %s", bad)
	}
	if bad := noCaps(process{pid: os.Getpid(), fields: all}); bad == "" {
		t.Error("a process with every capability passes")
	}
}
