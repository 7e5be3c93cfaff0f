package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// Surveys tells how isolation is known here.
type Surveys struct {
	Root    bool                                            // whether this process may measure
	Running func() bool                                     // whether the terminal runs: measuring would end its session
	Last    func() (sandbox.Surveyed, error)                // what the running terminal measured; fs.ErrNotExist: nothing yet
	Measure func(context.Context) (sandbox.Surveyed, error) // builds a probe sandbox
}

// Isolation tells each property of full isolation, and how to mend those that
// do not hold.
func Isolation(ctx context.Context, s Surveys) Finding {
	if s.Running() {
		last, err := s.Last()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return well("le poste démarre et la mesure ; relancez dans une minute")
		case err != nil:
			return amiss("Redémarrez le poste, puis relancez.", "la dernière mesure du poste ne se lit pas : %v", err)
		}
		return judged(last, "mesurée par le poste qui tourne")
	}
	if !s.Root {
		return amiss("Relancez avec sudo.", "l'isolation ne se vérifie qu'en root")
	}
	now, err := s.Measure(ctx)
	if err != nil {
		return amiss("Corrigez ce que dit l'erreur, puis relancez.", "elle ne peut pas être mesurée : %v", err)
	}
	return judged(now, "mesurée à l'instant")
}

func judged(s sandbox.Surveyed, how string) Finding {
	said := map[string]wire.Property{}
	for _, p := range s.Props {
		said[p.Name] = p
	}
	var f Finding
	held := 0
	for _, name := range wire.Properties() {
		label, fix := property(name)
		p, ok := said[name]
		switch {
		case ok && p.Held:
			held++
			f.Parts = append(f.Parts, Part{Name: label, Found: p.Detail})
		case ok:
			f.Parts = append(f.Parts, Part{Name: label, Found: p.Detail, Fix: fix})
		default:
			f.Parts = append(f.Parts, Part{Name: label, Found: "pas mesuré", Fix: fix})
		}
	}
	if all := len(wire.Properties()); held < all {
		f.Found = fmt.Sprintf("réduite, %d propriétés sur %d tiennent (%s)", held, all, how)
		f.Fix = "Corrigez les lignes marquées « - » ; le poste marche, mais ses attestations disent « réduite »."
		return f
	}
	f.Found = fmt.Sprintf("complète, %d propriétés sur %d tiennent (%s)", held, held, how)
	return f
}

// property names a property in French, and tells what gives it.
func property(name string) (label, fix string) {
	const (
		kernel = "Prenez le noyau de la distribution : il lui faut les espaces de noms (CONFIG_NAMESPACES) ; dans un conteneur, ils doivent être permis."
		groups = "Activez ce contrôleur de cgroups ; sur un Pi, ajoutez cgroup_enable=memory à la ligne de /boot/firmware/cmdline.txt, puis redémarrez."
		bug    = "Redémarrez le poste ; si cela reste, signalez-le avec cette ligne : c'est à corriger dans Borne."
	)
	switch name {
	case wire.PropUID:
		return "compte à elle seule", bug
	case wire.PropPID:
		return "processus à part", kernel
	case wire.PropMount:
		return "fichiers à part", kernel
	case wire.PropIPC:
		return "mémoire partagée à part", kernel
	case wire.PropNet:
		return "réseau à part", kernel
	case wire.PropFirewall:
		return "pare-feu fermé d'office", "Installez nftables (apt install nftables), et retirez ce qui vide les tables des autres (flush ruleset)."
	case wire.PropTmpfs:
		return "écrit en mémoire seulement", bug
	case wire.PropMemory:
		return "mémoire limitée", groups
	case wire.PropPids:
		return "nombre de processus limité", groups
	case wire.PropCPU:
		return "processeur limité", groups
	case wire.PropCore:
		return "pas de copie après un plantage", bug
	case wire.PropSwap:
		return "pas d'échange sur le disque", "Coupez-le (swapoff -a, et sa ligne dans /etc/fstab), ou n'utilisez que zram."
	case wire.PropNoNewPrivs:
		return "aucun droit à gagner", bug
	case wire.PropCaps:
		return "aucun droit d'administration", bug
	case wire.PropSeccomp:
		return "bac à sable de Chromium", "Permettez les espaces de noms d'utilisateurs : sysctl user.max_user_namespaces=15000, et kernel.apparmor_restrict_unprivileged_userns=0 là où il existe."
	case wire.PropDisplay:
		return "écran à part", "Installez xserver-xephyr (apt install xserver-xephyr), et vérifiez la ligne display de la configuration."
	}
	return name, bug
}
