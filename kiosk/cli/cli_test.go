package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said runs a command line and returns its exit code and what it wrote.
func said(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(Env{Args: append([]string{"borne-kiosk"}, args...), Stdin: strings.NewReader(""), Stdout: &o, Stderr: &e, Version: "v1.2.3"})
	return code, o.String(), e.String()
}

// file writes a configuration and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kiosk.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	good := file(t, "state = \""+filepath.Join(t.TempDir(), "s")+"\"\n")
	metered := file(t, "state = \""+filepath.Join(t.TempDir(), "s")+"\"\n[devices]\nmeter = \"sim:meter?dialect=tasmota\"\n")
	bad := file(t, "displya = \"auto\"\n")
	for name, c := range map[string]struct {
		args []string
		code int
		out  string
		errs string
	}{
		"nothing":                {nil, 2, "", "give a command"},
		"unknown":                {[]string{"fly"}, 2, "", `cannot do "fly"`},
		"help":                   {[]string{"help"}, 0, "enrol CODE", ""},
		"version":                {[]string{"version"}, 0, "borne-kiosk v1.2.3", ""},
		"config":                 {[]string{"config"}, 0, "sim_listen", ""},
		"unknown flag":           {[]string{"run", "-fast"}, 2, "", "-fast"},
		"missing file":           {[]string{"run", "-config", "/nonexistent/kiosk.toml"}, 1, "", "borne-kiosk config >"},
		"unknown key":            {[]string{"run", "-config", bad}, 1, "", `did you mean "display"?`},
		"enrol without a code":   {[]string{"enrol", "-config", good}, 2, "", "give the code"},
		"enrol without an url":   {[]string{"enrol", "ABCD", "-config", good}, 2, "", "-controller https://host"},
		"enrol, bad url":         {[]string{"enrol", "-config", good, "-controller", "http://c", "ABCD"}, 2, "", "https://host"},
		"hw without a word":      {[]string{"hw", "-config", good}, 2, "", "hw list"},
		"hw list, simulated":     {[]string{"hw", "list", "-sim", "-config", good}, 0, "sim:mfrc522", ""},
		"hw list, none":          {[]string{"hw", "list", "-config", good}, 0, "Aucun périphérique", ""},
		"hw test, simulated":     {[]string{"hw", "test", "badge-reader", "-sim", "-config", good}, 0, "lu de nouveau, identique", ""},
		"hw test, contact":       {[]string{"hw", "test", "case", "-sim", "-config", good}, 0, "au repos", ""},
		"hw test, all of them":   {[]string{"hw", "test", "-sim", "-config", good}, 0, "alarme du bâtiment (alarm), sim:alarm\n  bon     lu : au repos", ""},
		"hw test, meter":         {[]string{"hw", "test", "meter", "-sim", "-config", metered}, 0, "; 23.1 W en ce moment", ""},
		"hw test, unknown role":  {[]string{"hw", "test", "door", "-config", good}, 2, "", "no device of that role"},
		"badge, not enrolled":    {[]string{"badge", "-sim", "-config", good}, 1, "", "enrol"},
		"badge, no reader":       {[]string{"badge", "-config", good}, 1, "", "badge-reader"},
		"badge, a word":          {[]string{"badge", "x", "-config", good}, 2, "", "no word"},
		"counter, no users":      {[]string{"counter", "-socket", "/tmp/x"}, 2, "", "-uids FROM-TO"},
		"preview, no display":    {[]string{"preview", "-socket", "/tmp/x", "-uids", "1-1"}, 2, "", "-display :N"},
		"press without a socket": {[]string{"press"}, 2, "", "-socket PATH"},
		"press, odd channel":     {[]string{"press", "-socket", "/tmp/x", "-uids", "1-1", "-channel", "stdin"}, 2, "", "-channel N"},
		"press, a test alone":    {[]string{"press", "-auto", "-tcp", "127.0.0.1:0"}, 2, "", "-printer URI"},
		"press, a test's yes":    {[]string{"press", "-auto", "-socket", "/tmp/x", "-uids", "1-1", "-printer", "ipp://p/"}, 2, "", "nothing of a session's printer"},
		"press, both":            {[]string{"press", "-auto", "-socket", "/tmp/x", "-tcp", "127.0.0.1:0", "-printer", "ipp://p/"}, 2, "", "nothing of a session's printer"},
		"press, for all to see":  {[]string{"press", "-auto", "-tcp", "0.0.0.0:0", "-printer", "ipp://p/"}, 2, "", "loopback"},
		"press, odd users":       {[]string{"press", "-socket", "/tmp/x", "-uids", "9-1"}, 2, "", "-uids FROM-TO"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := said(c.args...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
				t.Errorf("code %d, want %d\nout: %s\nerr: %s", code, c.code, out, errs)
			}
			if strings.Contains(out, "enrol-agent") || strings.Contains(errs, "enrol-agent") {
				t.Error("a hidden role is told of")
			}
		})
	}
}

func TestClaimKeepsSimulationApart(t *testing.T) {
	real, sim, old := t.TempDir(), t.TempDir(), t.TempDir()
	for range 2 { // the first time marks, the second reads the mark
		if err := claim(real, false); err != nil {
			t.Fatal(err)
		}
		if err := claim(sim, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := claim(real, true); err == nil || !strings.Contains(err.Error(), "real terminal") {
		t.Errorf("a simulation on a real terminal's state: %v", err)
	}
	if err := claim(sim, false); err == nil || !strings.Contains(err.Error(), "simulated") {
		t.Errorf("a real terminal on a simulation's state: %v", err)
	}
	if err := os.Mkdir(filepath.Join(old, "warden"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := claim(old, true); err == nil {
		t.Error("a simulation on a folder that was used without a mark")
	}
	if err := os.WriteFile(filepath.Join(sim, "kind"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := claim(sim, true); err == nil || !strings.Contains(err.Error(), "want real or sim") {
		t.Errorf("an odd mark: %v", err)
	}
}

func TestOwnFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	for range 2 {
		if err := ownFolder(dir, os.Getuid()); err != nil {
			t.Fatal(err)
		}
	}
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("mode %o", st.Mode().Perm())
	}
	if err := ownFolder(dir, os.Getuid()+1); err == nil {
		t.Error("a folder of somebody else is taken")
	}
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := ownFolder(link, os.Getuid()); err == nil {
		t.Error("a link is followed")
	}
}

func TestBusySeesProcesses(t *testing.T) {
	uid := os.Getuid()
	if !busy("/proc", uid, uid) {
		t.Error("this very process is not seen")
	}
	if busy("/proc", 1_999_999_000, 1_999_999_001) {
		t.Error("a user without processes is seen")
	}
	if !busy(filepath.Join(t.TempDir(), "none"), 0, 0) {
		t.Error("not knowing counts as free")
	}
}

func TestMachine(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	if err := os.WriteFile(model, []byte("Raspberry Pi 4 Model B Rev 1.4\x00"), fs.FileMode(0o600)); err != nil {
		t.Fatal(err)
	}
	if got := machine(filepath.Join(dir, "none"), model); got != "Raspberry Pi 4 Model B Rev 1.4" {
		t.Errorf("%q", got)
	}
	if got := machine(filepath.Join(dir, "none")); got != "unknown" {
		t.Errorf("%q", got)
	}
}
