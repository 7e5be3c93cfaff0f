package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// install is what mends most of it.
const install = "Lancez sudo scripts/package/install (dossier du logiciel), puis redémarrez la machine."

// Lockdown tells whether keys, dumps and sleep are as the terminal's package
// sets them, on the system below root ("/"). display is the configuration's.
func Lockdown(root, display string) Finding {
	s := system{root}
	list := []Part{
		s.setting("SysRq", "proc/sys/kernel/sysrq", "ce noyau n'a pas ces touches", func(v string) bool { return v == "0" }),
		s.ctrlAltDel(),
		s.burst(),
		s.consoles(display),
		s.setting("copies mémoire (core)", "proc/sys/kernel/core_pattern", "ce noyau n'en fait pas", func(v string) bool { return v == "" || v == "|/bin/false" }),
		s.setting("copies de root", "proc/sys/fs/suid_dumpable", "ce noyau n'en fait pas", func(v string) bool { return v == "0" }),
		s.setting("mémoire des autres", "proc/sys/kernel/yama/ptrace_scope", "non vérifiable ici : ce noyau n'a pas ce réglage (yama)", func(v string) bool { return v >= "1" }),
		s.sleep(),
		s.there("montage automatique", "etc/udev/rules.d/90-borne-storage.rules", "jamais"),
	}
	wrong := 0
	for _, p := range list {
		if p.Fix != "" {
			wrong++
		}
	}
	f := well("clavier, copies mémoire et veille")
	if wrong > 0 {
		f = amiss("Voyez chaque ligne ci-dessous.", "portes ouvertes : %d sur %d", wrong, len(list))
	}
	f.Parts = list
	return f
}

// system is a machine's files.
type system struct{ root string }

func (s system) read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(s.root, path))
	if len(b) > 4096 {
		b = b[:4096]
	}
	return strings.TrimSpace(string(b)), err
}

// setting looks at one of the kernel's; absent is said of a kernel without it.
func (s system) setting(name, path, absent string, good func(string) bool) Part {
	v, err := s.read(path)
	switch {
	case os.IsNotExist(err):
		return Part{Name: name, Found: absent}
	case err != nil:
		return Part{Name: name, Found: "non vérifiable ici : lancez cette commande en root"}
	case good(v):
		return Part{Name: name, Found: "fermé (" + v + ")"}
	}
	return Part{Name: name, Found: "ouvert (" + v + ")", Fix: install}
}

// systemd tells whether it runs this machine: what it is told to do counts only then.
func (s system) systemd() bool { return s.exists("run/systemd/system") }

func (s system) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(s.root, path))
	return err == nil
}

// masked tells whether nothing starts unit.
func (s system) masked(unit string) bool {
	for _, dir := range []string{"etc/systemd/system", "run/systemd/system"} {
		if to, err := os.Readlink(filepath.Join(s.root, dir, unit)); err == nil && to == os.DevNull {
			return true
		}
	}
	return false
}

const noSystemd = "non vérifiable ici : systemd ne fait pas tourner cette machine"

func (s system) ctrlAltDel() Part {
	p := Part{Name: "Ctrl+Alt+Suppr"}
	switch v, err := s.read("proc/sys/kernel/ctrl-alt-del"); {
	case err == nil && v != "0":
		p.Found, p.Fix = "redémarre tout de suite (kernel.ctrl-alt-del = "+v+")", install
	case !s.systemd():
		p.Found = noSystemd
	case !s.masked("ctrl-alt-del.target"):
		p.Found, p.Fix = "redémarre le poste", install
	default:
		p.Found = "sans effet"
	}
	return p
}

// burst looks for the shipped file, and for one that comes after it and says otherwise.
func (s system) burst() Part {
	p := Part{Name: "… sept fois de suite"}
	if !s.systemd() {
		p.Found = noSystemd
		return p
	}
	value := ""
	files := []string{"etc/systemd/system.conf"}
	for _, dir := range []string{"usr/lib/systemd/system.conf.d", "etc/systemd/system.conf.d"} {
		more, _ := fs.Glob(os.DirFS(s.root), dir+"/*.conf")
		files = append(files, more...)
	}
	for _, f := range files {
		text, _ := s.read(f)
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "CtrlAltDelBurstAction="); ok {
				value = strings.TrimSpace(v)
			}
		}
	}
	if value != "none" {
		p.Found, p.Fix = "redémarre tout de suite", install
		return p
	}
	p.Found = "sans effet"
	return p
}

// consoles tells of Ctrl+Alt+F1 and the like.
func (s system) consoles(display string) Part {
	p := Part{Name: "consoles (Ctrl+Alt+F1)"}
	active, err := s.read("sys/class/tty/tty0/active")
	switch {
	case err != nil || active == "":
		p.Found = "cette machine n'en a pas"
	case display == "xorg" && s.exists("etc/systemd/logind.conf.d/borne.conf"):
		p.Found = "fermées : le poste donne à Xorg DontVTSwitch et DontZap"
	case display == "xorg":
		p.Found, p.Fix = "une invite peut y apparaître", install
	default:
		p.Found = `non vérifiable ici : l'écran n'est pas celui du poste (display = "` + display + `")`
	}
	return p
}

func (s system) sleep() Part {
	p := Part{Name: "veille"}
	if !s.systemd() {
		p.Found = noSystemd
		return p
	}
	for _, t := range []string{"suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"} {
		if !s.masked(t + ".target") {
			p.Found, p.Fix = t+" est possible : la mémoire d'une personne y survit", install
			return p
		}
	}
	p.Found = "impossible"
	return p
}

func (s system) there(name, path, found string) Part {
	switch {
	case s.exists(path):
		return Part{Name: name, Found: found}
	case !s.exists("usr/lib/udev") && !s.exists("lib/udev/rules.d"):
		return Part{Name: name, Found: "non vérifiable ici : udev n'est pas installé"}
	}
	return Part{Name: name, Found: "possible si udisks2 est installé", Fix: install}
}
