package units

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// installed runs the shipped installer on a root folder and returns what it said.
func installed(t *testing.T, root string) string {
	t.Helper()
	out, err := exec.Command(folder+"install", root).CombinedOutput()
	if err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	return string(out)
}

func TestInstallMayRunAgain(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: to install needs root")
	}
	if _, err := exec.LookPath("systemd-sysusers"); err != nil {
		t.Skip("SKIP: systemd is missing; install Debian's package systemd (scripts/setup does)")
	}
	root := t.TempDir()
	if out, err := exec.Command(folder+"install", root).CombinedOutput(); err == nil {
		t.Errorf("it installs on what is no system: %s", out)
	}
	if err := os.Mkdir(root+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	first := installed(t, root)
	for _, want := range []string{"borne-kiosk.service", "borne-agent.service", "90-borne.conf", "ctrl-alt-del.target is masked", "hibernate.target is masked"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first time it does not say %q:\n%s", want, first)
		}
	}
	if b, err := os.ReadFile(root + "/etc/passwd"); err != nil || !bytes.Contains(b, []byte("borne-agent:x:61000:61000:")) {
		t.Errorf("the agent has no account: %q, %v", b, err)
	}
	if n := strings.Count(installed(t, root), "\n"); n != 1 {
		t.Errorf("the second time it changes something")
	}
	path := root + "/etc/sysctl.d/90-borne.conf"
	if err := os.WriteFile(path, []byte("kernel.sysrq = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := installed(t, root); strings.Count(out, "\n") != 2 || !strings.Contains(out, "90-borne.conf") {
		t.Errorf("after a change by somebody: %s", out)
	}
	shipped, err := os.ReadFile(folder + "sysctl.d/90-borne.conf")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, shipped) {
		t.Errorf("what somebody changed stays: %v", err)
	}
	for _, u := range []string{"ctrl-alt-del", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"} {
		if to, err := os.Readlink(root + "/etc/systemd/system/" + u + ".target"); err != nil || to != os.DevNull {
			t.Errorf("%s is not masked: %q, %v", u, to, err)
		}
	}
}

// TestSettingsAreKnown checks each shipped setting's name: a wrong one would
// be passed over in silence, on the terminal.
func TestSettingsAreKnown(t *testing.T) {
	for file, program := range map[string]string{"logind.conf.d/borne.conf": "/lib/systemd/systemd-logind", "system.conf.d/borne.conf": "/lib/systemd/systemd"} {
		code, err := os.ReadFile(program)
		if err != nil {
			t.Skipf("SKIP: systemd is missing; install Debian's package systemd (scripts/setup does): %v", err)
		}
		keys := assignments(t, file, `^([A-Za-z]+)=\S+$`)
		if len(keys) < 3 {
			t.Errorf("%s: %d settings", file, len(keys))
		}
		for _, k := range keys {
			if !bytes.Contains(code, append([]byte(k), 0)) {
				t.Errorf("%s: %s knows no %s", file, filepath.Base(program), k)
			}
		}
	}
	// What stands without "-" is there in every kernel of Debian's; the rest depends on how a kernel was built.
	for _, k := range assignments(t, "sysctl.d/90-borne.conf", `^(-?[a-z0-9._-]+) = \S+$`) {
		name := strings.ReplaceAll(strings.TrimPrefix(k, "-"), ".", "/")
		_, err := os.Stat("/proc/sys/" + name)
		if err != nil && !strings.HasPrefix(k, "-") && k != "kernel.sysrq" { // which a small kernel may lack
			t.Errorf("this kernel has no %s", k)
		}
	}
}

// assignments lists the names set in a shipped file; each line is one, a
// section or a comment.
func assignments(t *testing.T, file, form string) (names []string) {
	t.Helper()
	b, err := os.ReadFile(folder + file)
	if err != nil {
		t.Fatal(err)
	}
	re := regexp.MustCompile(form)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		m := re.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("%s: %q sets nothing", file, line)
			continue
		}
		names = append(names, m[1])
	}
	return names
}
