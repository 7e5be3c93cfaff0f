package units

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const folder = "../package/"

// most is how exposed a unit may be, as systemd-analyze(1) counts: 0 is nothing, 10 is all.
var most = map[string]float64{
	"borne-agent.service":      2.0, // speaks to the network
	"borne-controller.service": 2.0, // speaks to the network
	"borne-kiosk.service":      7.0, // root, because it makes and examines sandboxes; no network
}

func analyze(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIP: systemd-analyze is missing; install Debian's package systemd (scripts/setup does)")
	}
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

func TestExposureOfEachUnitAndAnExplanationForEachPart(t *testing.T) {
	shipped, err := filepath.Glob(folder + "*.service")
	if err != nil || len(shipped) != len(most) {
		t.Fatalf("%d units are shipped, %d have a limit (%v)", len(shipped), len(most), err)
	}
	overall := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
	for name, limit := range most {
		out := analyze(t, "security", "--offline=true", "--no-pager", folder+name)
		m := overall.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("%s: no figure in\n%s", name, out)
		}
		got, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: exposure %.1f", name, got)
		if got > limit {
			t.Errorf("%s: exposure %.1f, at most %.1f allowed\n%s", name, got, limit, out)
		}
		text, err := os.ReadFile(folder + name)
		if err != nil {
			t.Fatal(err)
		}
		said := comments(text)
		for _, part := range exposed(out) {
			if !explained(said, part) {
				t.Errorf("%s: nothing says why it does without %s", name, part)
			}
		}
	}
}

// exposed lists what systemd-analyze counts, such as "PrivateTmp=" and
// "CapabilityBoundingSet=~CAP_SYS_ADMIN".
func exposed(out string) []string {
	var list []string
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) > 1 && f[0] == "✗" {
			list = append(list, f[1])
		}
	}
	return list
}

func comments(text []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("#")) {
			b.Write(line)
		}
	}
	return b.String()
}

// explained looks for any of the words of part: of "SystemCallFilter=~@mount"
// the group, of "CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)" a capability.
func explained(said, part string) bool {
	option, value, _ := strings.Cut(part, "=")
	words := []string{option}
	if value = strings.TrimPrefix(value, "~"); value != "" && !strings.HasPrefix(value, "/") && option != "User" && option != "RestrictNamespaces" {
		head, list, several := strings.Cut(strings.TrimPrefix(value, "CAP_"), "(")
		words = []string{head}
		if several {
			words = nil
			for _, w := range strings.Split(strings.TrimSuffix(list, ")"), "|") {
				words = append(words, strings.TrimSuffix(head+w, "*"))
			}
		}
	}
	for _, w := range words {
		if regexp.MustCompile(`(^|[^A-Za-z])` + regexp.QuoteMeta(w)).MatchString(said) {
			return true
		}
	}
	return false
}

func TestUnitsAreValid(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for name := range most {
		text, err := os.ReadFile(folder + name)
		if err != nil {
			t.Fatal(err)
		}
		// The programs are not installed where tests run: any will do.
		text = regexp.MustCompile(`/usr/local/bin/borne-\S+`).ReplaceAll(text, []byte("/bin/true"))
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if out := analyze(t, append([]string{"verify", "--no-pager"}, paths...)...); out != "" {
		t.Errorf("systemd-analyze verify says:\n%s", out)
	}
	bad := filepath.Join(dir, "borne-kiosk.service")
	text, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, append(text, "\n[Service]\nNoNewPrivilegs=yes\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := analyze(t, "verify", "--no-pager", bad); !strings.Contains(out, "NoNewPrivilegs") {
		t.Errorf("an unknown option passes: %q", out)
	}
}
