package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
	"borne/ui/catalogues"
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

// property names a property in French, and tells what gives it, as the console does.
func property(name string) (label, fix string) {
	label, ok := map[string]string{
		wire.PropUID:        "compte à elle seule",
		wire.PropPID:        "processus à part",
		wire.PropMount:      "fichiers à part",
		wire.PropIPC:        "mémoire partagée à part",
		wire.PropNet:        "réseau à part",
		wire.PropFirewall:   "pare-feu fermé d'office",
		wire.PropTmpfs:      "écrit en mémoire seulement",
		wire.PropMemory:     "mémoire limitée",
		wire.PropPids:       "nombre de processus limité",
		wire.PropCPU:        "processeur limité",
		wire.PropCore:       "pas de copie après un plantage",
		wire.PropSwap:       "pas d'échange sur le disque",
		wire.PropNoNewPrivs: "aucun droit à gagner",
		wire.PropCaps:       "aucun droit d'administration",
		wire.PropSeccomp:    "bac à sable de Chromium",
		wire.PropDisplay:    "écran à part",
	}[name]
	if !ok {
		label = name
	}
	return label, catalogues.Text(catalogues.French, "fix."+name, nil)
}
