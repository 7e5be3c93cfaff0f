package doctor

import (
	"context"
	"io/fs"
	"strings"

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
	need := []string{"Xephyr", "openbox", "setxkbmap"}
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
		return amiss("Installez : apt install xserver-xephyr xvfb xserver-xorg-core openbox x11-xkb-utils", "il manque %s", strings.Join(missing, ", "))
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

// Device checks that a configured device is there.
func Device(stat func(string) (fs.FileInfo, error), d hw.Device) Finding {
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
	return well("%s", d)
}

// Printer tells what a session can print on: this build turns every job down,
// so that a policy that promises printing would disappoint.
func Printer(enabled bool) Finding {
	if enabled {
		return amiss("Retirez printing.enabled des règles du site jusqu'à la mise à jour qui l'apporte.", "les règles permettent d'imprimer, mais cette version refuse les impressions")
	}
	return well("cette version n'imprime pas : les sessions reçoivent un refus poli")
}
