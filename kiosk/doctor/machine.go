package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"borne/controller/wire"
	"borne/hw"
)

// RunFunc runs a program and returns what it writes.
type RunFunc func(ctx context.Context, name string, args ...string) ([]byte, error)

// Chromium checks that the browser is there and starts.
func Chromium(ctx context.Context, run RunFunc, path string) Finding {
	out, err := run(ctx, path, "--version")
	version := strings.TrimSpace(string(out[:min(len(out), 120)]))
	if err != nil || version == "" {
		return amiss("Installez-le (apt install chromium), ou corrigez la ligne chromium de la configuration.", "%s ne démarre pas", path)
	}
	return well("%s", version)
}

// Display checks that what the display of kind needs is installed.
func Display(find func(string) (string, error), kind string) Finding {
	need := []string{"Xephyr", "openbox", "setxkbmap", "numlockx"}
	switch kind {
	case "xorg":
		need = append(need, "Xorg")
	case "auto", "xvfb":
		need = append(need, "Xvfb")
	}
	var missing []string
	for _, n := range need {
		if _, err := find(n); err != nil {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return amiss("Installez : apt install xserver-xephyr xvfb xserver-xorg-core openbox x11-xkb-utils numlockx", "il manque %s", strings.Join(missing, ", "))
	}
	return well("%s", strings.Join(need, ", "))
}

// Memory tells whether the next person's browser can wait beside a session. A
// machine without that much works all the same: nothing is to be mended.
func Memory(mb int, err error, floor int) Finding {
	switch {
	case err != nil:
		return amiss("Vérifiez que /proc est monté.", "la mémoire du poste n'est pas connue")
	case mb < floor:
		return well("%d Mo, moins que %d : la personne suivante attend le démarrage du navigateur ; l'effacement est prouvé de la même façon", mb, floor)
	}
	return well("%d Mo : le navigateur de la personne suivante est prêt d'avance", mb)
}

// Device checks that a configured device is there, and that the agent, whose uid
// this is and who is in no group, may read and write it.
func Device(stat func(string) (fs.FileInfo, error), d hw.Device, uid int) Finding {
	if d.Sim {
		return well("%s (simulé)", d)
	}
	st, err := stat(d.Path)
	switch {
	case err != nil:
		return amiss("Branchez-le, ou activez son bus (sur un Pi : dtparam=spi=on dans /boot/firmware/config.txt), puis redémarrez.", "%s n'existe pas", d.Path)
	case st.Mode()&fs.ModeCharDevice == 0:
		return amiss("Corrigez cette ligne sous [devices] de la configuration.", "%s n'est pas un périphérique", d.Path)
	}
	if own, ok := st.Sys().(*syscall.Stat_t); ok && (int(own.Uid) != uid || st.Mode().Perm()&0o600 != 0o600) && st.Mode().Perm()&0o006 != 0o006 {
		return amiss(fmt.Sprintf("Donnez-le à l'utilisateur %d par une règle udev (voir le guide du correspondant, lecteur de badges), puis redémarrez.", uid),
			"l'agent (utilisateur %d) n'a pas le droit d'ouvrir %s", uid, d.Path)
	}
	return well("%s", d)
}

// Keys checks that the part that makes sessions knows whose rules it may obey.
// It is root's: anybody else cannot tell.
func Keys(root, enrolled bool, err error) Finding {
	switch {
	case !root:
		return well("seul root peut le dire")
	case !enrolled:
		return well("le poste n'est pas encore enrôlé")
	case err != nil:
		return amiss("Enrôlez le poste de nouveau : « Remplacer ce poste » dans la console, puis borne-kiosk enrol CODE.", "les règles ne peuvent pas être vérifiées : %v", err)
	}
	return well("les règles du contrôleur peuvent être vérifiées")
}

// Printer tells whether the printer of the configuration answers, and what it
// lacks. A nil look: none is configured.
func Printer(ctx context.Context, look func(context.Context) (wire.Printer, error)) Finding {
	if look == nil {
		return well("aucune dans la configuration : rien ne s'imprime depuis ce poste")
	}
	p, err := look(ctx)
	switch {
	case err != nil:
		return amiss("Vérifiez qu'elle est allumée et branchée au réseau, et l'adresse printer de la configuration.", "elle ne répond pas : %v", err)
	case p.State == wire.PrinterStopped:
		return amiss("Regardez ce que dit son écran : papier, bourrage, capot, encre.", "%s ne peut pas imprimer (%s)", model(p), strings.Join(p.Reasons, ", "))
	}
	var low []string
	for _, s := range p.Supplies {
		if s.Low {
			low = append(low, s.Name)
		}
	}
	if len(low) > 0 {
		return amiss("Préparez ou commandez de quoi la recharger.", "%s répond ; presque vide : %s", model(p), strings.Join(low, ", "))
	}
	return well("%s répond", model(p))
}

func model(p wire.Printer) string {
	if p.Model == "" {
		return "l'imprimante"
	}
	return p.Model
}
