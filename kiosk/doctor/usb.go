package doctor

import (
	"fmt"

	"borne/hw/usb"
)

// USB tells whether the ports below root (usb.Sys) are guarded: whether the
// kernel lets in nothing by itself.
func USB(root string, guard, sim, running bool) Finding {
	tree, ok := usb.Open(root)
	switch {
	case !ok:
		return well("cette machine n'a pas de prise USB visible du système")
	case sim:
		return well("laissés ouverts : le poste est simulé")
	case !guard:
		return amiss("Écrivez guard = true sous [usb] dans la configuration, puis redémarrez le poste.", "ouverts : la configuration dit de ne pas les garder")
	}
	all, closed, err := tree.Closed()
	switch {
	case err != nil:
		return amiss("Lancez cette commande en root ; si cela ne change rien, le noyau ne permet pas de garder les prises.", "impossible de savoir s'ils sont gardés (%v)", err)
	case closed == all && running:
		return well("%s : rien n'entre sans l'accord du poste", controllers(all))
	case !running:
		return well("%s : gardés dès que le poste démarre", controllers(all))
	}
	return amiss("Redémarrez le poste (systemctl restart borne-kiosk), et regardez son journal s'il ne les garde toujours pas.",
		"%s, dont %d ouverts", controllers(all), all-closed)
}

func controllers(n int) string {
	if n == 1 {
		return "1 contrôleur"
	}
	return fmt.Sprintf("%d contrôleurs", n)
}
