package doctor

import (
	"context"
	"io/fs"
	"strings"

	"borne/hw"
	"borne/kiosk/sandbox"
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

// Isolation builds a probe sandbox and tells which properties do not hold.
// running tells that the terminal's own warden holds the state folder.
func Isolation(ctx context.Context, root bool, survey func(context.Context) (sandbox.Surveyed, error), running func(error) bool) Finding {
	if !root {
		return amiss("Relancez avec sudo.", "l'isolation ne se vérifie qu'en root")
	}
	s, err := survey(ctx)
	if err != nil && running(err) {
		return well("le poste tourne : il la mesure à chaque démarrage, et la console la montre")
	}
	if err != nil {
		return amiss("Corrigez ce que dit l'erreur, puis relancez.", "elle ne peut pas être mesurée : %v", err)
	}
	var missing []string
	for _, p := range s.Props {
		if !p.Held {
			missing = append(missing, p.Name+" ("+p.Detail+")")
		}
	}
	if len(missing) > 0 {
		return amiss("Voyez le guide d'installation, « Isolation complète » ; le poste marche, mais ses attestations disent « réduite ».",
			"réduite ; il manque %s", strings.Join(missing, ", "))
	}
	return well("complète (%d propriétés vérifiées)", len(s.Props))
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
