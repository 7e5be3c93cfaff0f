package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine writes files and links ("-> target") below a root.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		p := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, link := strings.CutPrefix(text, "-> "); link {
			err = os.Symlink(to, p)
		} else {
			err = os.WriteFile(p, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// locked is a machine on which scripts/package/install ran.
func locked() map[string]string {
	m := map[string]string{
		"proc/sys/kernel/sysrq": "0\n", "proc/sys/kernel/ctrl-alt-del": "0\n", "proc/sys/kernel/core_pattern": "|/bin/false\n",
		"proc/sys/fs/suid_dumpable": "0\n", "proc/sys/kernel/yama/ptrace_scope": "2\n", "sys/class/tty/tty0/active": "tty7\n",
		"run/systemd/system/x": "", "etc/systemd/system.conf.d/borne.conf": "[Manager]\nCtrlAltDelBurstAction=none\n",
		"etc/systemd/logind.conf.d/borne.conf": "", "usr/lib/udev/x": "", "etc/udev/rules.d/90-borne-storage.rules": "",
	}
	for _, u := range []string{"ctrl-alt-del", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"} {
		m["etc/systemd/system/"+u+".target"] = "-> /dev/null"
	}
	return m
}

func wrongParts(f Finding) (names []string) {
	for _, p := range f.Parts {
		if p.Fix != "" {
			names = append(names, p.Name)
		}
	}
	return names
}

func TestLockdown(t *testing.T) {
	if f := Lockdown(machine(t, locked()), "xorg"); f.Fix != "" || strings.Contains(f.Found+strings.Join(wrongParts(f), ""), "non vérifiable") {
		t.Errorf("a machine that is locked: %+v", f)
	}
	for name, c := range map[string]struct {
		path, text string // empty text: removed
		wrong      string
	}{
		"sysrq":             {"proc/sys/kernel/sysrq", "438\n", "SysRq"},
		"ctrl-alt-del":      {"etc/systemd/system/ctrl-alt-del.target", "", "Ctrl+Alt+Suppr"},
		"another target":    {"etc/systemd/system/ctrl-alt-del.target", "-> /lib/systemd/system/reboot.target", "Ctrl+Alt+Suppr"},
		"hard ctrl-alt-del": {"proc/sys/kernel/ctrl-alt-del", "1\n", "Ctrl+Alt+Suppr"},
		"burst":             {"etc/systemd/system.conf.d/borne.conf", "", "… sept fois de suite"},
		"burst, overridden": {"etc/systemd/system.conf.d/zz.conf", "[Manager]\nCtrlAltDelBurstAction=reboot-force\n", "… sept fois de suite"},
		"consoles":          {"etc/systemd/logind.conf.d/borne.conf", "", "consoles (Ctrl+Alt+F1)"},
		"core":              {"proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n", "copies mémoire (core)"},
		"core in a file":    {"proc/sys/kernel/core_pattern", "core\n", "copies mémoire (core)"},
		"suid":              {"proc/sys/fs/suid_dumpable", "2\n", "copies de root"},
		"ptrace":            {"proc/sys/kernel/yama/ptrace_scope", "0\n", "mémoire des autres"},
		"hibernation":       {"etc/systemd/system/hibernate.target", "", "veille"},
		"udisks":            {"etc/udev/rules.d/90-borne-storage.rules", "", "montage automatique"},
	} {
		m := locked()
		if m[c.path] = c.text; c.text == "" {
			delete(m, c.path)
		}
		f := Lockdown(machine(t, m), "xorg")
		if got := wrongParts(f); f.Fix == "" || len(got) != 1 || got[0] != c.wrong {
			t.Errorf("%s: %q is to be mended, want %q", name, got, c.wrong)
		}
	}
	// Where there is nothing to look at, nothing is claimed.
	f := Lockdown(machine(t, map[string]string{"sys/class/tty/tty0/active": "tty1\n"}), "xvfb")
	unknown := 0
	for _, p := range f.Parts {
		if strings.HasPrefix(p.Found, "non vérifiable ici") {
			unknown++
		}
	}
	if f.Fix != "" || unknown != 6 {
		t.Errorf("%d parts are not to be verified, want 6: %+v", unknown, f)
	}
}
