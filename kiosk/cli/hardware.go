package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/health"
)

// hardware lists the devices, or tries them out.
func hardware(ctx context.Context, c *call) error {
	switch {
	case len(c.rest) == 1 && c.rest[0] == "list":
		return listDevices(c)
	case len(c.rest) == 1 && c.rest[0] == "test":
		return testDevices(ctx, c, slices.Sorted(maps.Keys(c.cfg.Devices)))
	case len(c.rest) == 2 && c.rest[0] == "test":
		if _, ok := c.cfg.Devices[c.rest[1]]; !ok {
			return usageError{fmt.Errorf("cannot test %.40q: the configuration has no device of that role", c.rest[1])}
		}
		return testDevices(ctx, c, c.rest[1:])
	}
	return usageError{errors.New("cannot run hw: write hw list, hw test, or hw test ROLE")}
}

// listDevices tells what is there, what is missing and how to get it, without
// disturbing a terminal at work.
func listDevices(c *call) error {
	roles := slices.Sorted(maps.Keys(c.cfg.Devices))
	used := map[string]bool{}
	t := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range roles {
		d := c.cfg.Devices[r]
		used[d.Driver+":"+d.Path] = true
		say := "là"
		if d.Sim {
			say = "simulé"
		}
		err := devices.Check(d)
		if err == nil {
			err = devices.Present(d)
		}
		switch {
		case errors.Is(err, hw.ErrAbsent):
			say = "absent : " + remedy(d)
		case err != nil:
			say = err.Error()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", roleName(r), d, say)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(roles) == 0 {
		fmt.Fprintln(c.Stdout, "Aucun périphérique : ajoutez-les sous [devices] dans la configuration.")
	}
	if err := devices.Conflicts(c.cfg.Devices); err != nil {
		fmt.Fprintln(c.Stdout, err)
	}
	if c.cfg.Sim {
		return nil
	}
	var free []string
	for _, name := range devices.Found() {
		if !used[name] {
			free = append(free, "  "+name)
		}
	}
	if len(free) > 0 {
		fmt.Fprintf(c.Stdout, "\nSur cette machine, sans rôle :\n%s\n", strings.Join(free, "\n"))
	}
	return listAlarms(c)
}

// listAlarms tells what the board suffers from.
func listAlarms(c *call) error {
	all, err := health.Look(health.Options{State: c.cfg.State})
	if err != nil {
		return err
	}
	for _, r := range health.Raised(all) {
		fmt.Fprintf(c.Stdout, "\nÀ régler : %s (%s)\n", alarmName(r.Code), strings.TrimSpace(r.Subject+" "+r.Code.Fix()))
	}
	return nil
}

// roleName is a role in the words of a correspondent.
func roleName(role string) string {
	names := map[string]string{"badge-reader": "lecteur de badges", "case": "contact du boîtier", "call": "bouton d'appel", "alarm": "alarme du bâtiment", "presence": "détecteur de présence", "mains": "relais d'alimentation",
		"light": "voyant", "buzzer": "avertisseur", "clock": "horloge", "watchdog": "chien de garde", "meter": "compteur d'énergie"}
	if n, ok := names[role]; ok {
		return n + " (" + role + ")"
	}
	return "écran (" + role + ")"
}

func alarmName(code health.Code) string {
	return map[health.Code]string{health.PowerLow: "l'alimentation est trop faible", health.TooHot: "la carte est trop chaude",
		health.MemoryLow: "il n'y a presque plus de mémoire", health.ReadOnly: "le disque ne peut plus être écrit",
		health.StorageErrors: "la carte ou le disque a des erreurs", health.StorageWorn: "la mémoire interne est usée",
		health.SensorsStuck: "le système ne répond plus"}[code]
}

// remedy tells how to get a device that is not there.
func remedy(d hw.Device) string {
	for start, say := range map[string]string{
		"/dev/spidev":      "activez SPI (dtparam=spi=on dans config.txt), puis redémarrez",
		"/dev/i2c":         "activez I2C (dtparam=i2c_arm=on dans config.txt), puis redémarrez",
		"/dev/tty":         "activez le port série (enable_uart=1 dans config.txt, sans console), ou branchez l'adaptateur",
		"/dev/serial":      "activez le port série (enable_uart=1 dans config.txt, sans console)",
		"/dev/input/":      "branchez le lecteur ; son nom est dans /dev/input/by-id",
		"/dev/cec":         "cette machine ne pilote pas d'écran par HDMI-CEC ; choisissez un autre moyen",
		"/dev/rtc":         "cette machine n'a pas d'horloge à pile ; ajoutez-en une (dtoverlay=i2c-rtc) ou retirez ce rôle",
		"/dev/watchdog":    "activez le chien de garde (dtparam=watchdog=on dans config.txt), puis redémarrez",
		"/sys/class/backl": "aucun rétroéclairage de ce nom ; voyez /sys/class/backlight",
	} {
		if strings.HasPrefix(d.Path, start) {
			return say
		}
	}
	switch d.Driver {
	case "pcsc":
		return "installez et démarrez pcscd (apt install pcscd), puis branchez le lecteur"
	case "gpio":
		return "aucune puce GPIO de ce nom ; voyez gpiodetect"
	case "backlight":
		return "aucun rétroéclairage de ce nom ; voyez /sys/class/backlight"
	}
	return "vérifiez le branchement et le nom"
}

// testWithin is how long hw test waits for a person to do something.
const testWithin = 30 * time.Second

// testDevices tries devices one after the other; the terminal must not be
// running. It fails when one of them does.
func testDevices(ctx context.Context, c *call, roles []string) error {
	env, err := testEnv(c, clock.NewMonotonic())
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range roles {
		trial := &trial{call: c, role: r, device: c.cfg.Devices[r], env: env}
		if err := trial.run(ctx); err != nil {
			failed++
			fmt.Fprintf(c.Stdout, "  ÉCHEC   %v\n", err)
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("cannot vouch for %d of %d devices: see the steps that failed", failed, len(roles))
	case len(roles) == 0:
		fmt.Fprintln(c.Stdout, "Aucun périphérique : ajoutez-les sous [devices] dans la configuration.")
	}
	return nil
}
