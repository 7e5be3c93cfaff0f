package server

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"borne/controller/requisition"
	"borne/controller/rgpd"
	"borne/controller/store"
	"borne/controller/wire"
)

// Exports of the RGPD's documents.
const (
	ExportRegister   Export = "rgpd-registre"
	ExportAssessment Export = "rgpd-aipd"
	ExportInventory  Export = "rgpd-inventaire"
	ExportFields     Export = "rgpd-inventaire-csv"
)

// RGPDFiles are the documents by the names that export rgpd gives them.
func RGPDFiles() map[string]Export {
	return map[string]Export{"registre.html": ExportRegister, "aipd-annexe.html": ExportAssessment, "inventaire.html": ExportInventory, "inventaire.csv": ExportFields}
}

// facts are what the running configuration and the store say, about the sites that
// somebody sees.
func (c *core) facts(ctx context.Context, sees func(site string) bool) (rgpd.Facts, error) {
	inv, err := store.Inventory()
	if err != nil {
		return rgpd.Facts{}, err
	}
	f := rgpd.Facts{At: c.now(), Zone: c.zone, Version: c.version, URL: c.cfg.Console.URL, Demo: c.cfg.Demo, Inventory: inv, Rules: kept(c.cfg), Measures: c.measures()}
	err = c.st.View(ctx, func(tx store.Tx) error {
		f.Sites, f.Terminals, f.Outside = nil, rgpd.Terminals{}, c.outside()
		set, err := store.Get[store.Setting](tx, store.SettingController)
		if err != nil {
			return err
		}
		f.Service = set.Row.Name
		traffic, err := requisition.Traffic(tx)
		if err != nil {
			return err
		}
		if f.Traffic = ""; traffic.On {
			f.Traffic = "décision du " + traffic.Day + ", référence " + traffic.Reference
		}
		held, err := requisition.Now(tx, c.now())
		if err != nil {
			return err
		}
		f.Held = 0
		for _, h := range held {
			if slices.ContainsFunc(h.Row.Sites, sees) {
				f.Held++
			}
		}
		for s, err := range store.List[store.Site](tx, "", "", false) {
			if err != nil {
				return err
			}
			if sees(s.ID) {
				f.Sites = append(f.Sites, rgpd.Site{ID: s.ID, Name: s.Row.Name, Commune: s.Row.Commune})
			}
		}
		slices.SortFunc(f.Sites, func(x, y rgpd.Site) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if sees(t.Site) {
				count(&f.Terminals, t.Row)
			}
		}
		for h, err := range store.List[store.Hook](tx, "", "", false) {
			if err != nil {
				return err
			}
			if h.Row.On && (len(h.Row.Sites) == 0 || slices.ContainsFunc(h.Row.Sites, sees)) {
				f.Outside = append(f.Outside, rgpd.Outside{Who: "Système prévenu : " + h.Row.Name, What: "ce qui est à traiter : le poste, quoi, depuis quand", Address: host(h.Row.Address)})
			}
		}
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("cannot read the facts: %w", err)
	}
	return f, nil
}

func count(all *rgpd.Terminals, t store.Terminal) {
	all.All++
	switch t.Level {
	case wire.LevelFull:
		all.Full++
	case wire.LevelReduced:
		all.Reduced++
	default:
		all.Unknown++
	}
	if t.Sim {
		all.Simulated++
	}
	if t.State == store.StateQuarantined {
		all.Blocked++
	}
}

// host is an address without its path: that may hold a secret.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "(illisible)"
	}
	return u.Scheme + "://" + u.Host
}

// outside are the systems that the configuration names.
func (c *core) outside() []rgpd.Outside {
	var all []rgpd.Outside
	for _, o := range []rgpd.Outside{
		{Who: "Serveur de messagerie", What: "courriels aux agents et à qui tient une clé : adresse, lieu, ce qui se passe", Address: c.cfg.Mail.Server},
		{Who: "Fournisseur d’identité (" + c.cfg.OIDC.Name + ")", What: "connexion des agents : leur identifiant chez lui, leur adresse", Address: c.cfg.OIDC.Issuer},
		{Who: "Collecteur de journaux (syslog)", What: "journal de l’équipe, demandes refusées et leur adresse d’origine", Address: c.cfg.Syslog.Address},
		{Who: "Autorité de certification (ACME)", What: "nom de la console, courriel de contact", Address: c.cfg.ACME.Directory},
	} {
		if o.Address != "" {
			all = append(all, o)
		}
	}
	return all
}

// measures are protections, those that the configuration leaves off as well.
func (c *core) measures() []rgpd.Measure {
	k := c.cfg
	return []rgpd.Measure{
		{Text: "Effacement de chaque session, vérifié du dehors et attesté par une signature ; sans preuve, le poste n’ouvre plus", On: true},
		{Text: "Liaison des postes chiffrée et authentifiée des deux côtés (TLS 1.3 mutuel, autorité propre)", On: true},
		{Text: "Console chiffrée (TLS), par le contrôleur ou par le serveur mandataire devant lui", On: k.Console.Secure()},
		{Text: "Aucun mot de passe : lien à usage unique, clé d’accès" + map[bool]string{true: ", fournisseur d’identité"}[k.OIDC.Issuer != ""], On: true},
		{Text: "Rôles limités à des lieux, vérifiés à chaque demande", On: true},
		{Text: fmt.Sprintf("Déconnexion après %d minutes sans usage, et %d heures au plus", int(k.Idle.Minutes()), int(k.Absolute.Hours())), On: true},
		{Text: "Journal scellé ligne à ligne, vérifiable hors du contrôleur", On: true},
		{Text: "Journal envoyé à un collecteur, par TLS", On: k.Syslog.Address != ""},
		{Text: "Sauvegardes chiffrées : clés ou phrase nommées dans la configuration", On: len(k.Backup.Recipients) > 0 || k.Backup.Passphrase != ""},
		{Text: "Suppression automatique par classe, chaque heure, avec un relevé des suppressions", On: true},
		{Text: "Les petits nombres (moins de 5) sont tus dans les exports", On: true},
		{Text: "Contact de sécurité publié (security.txt)", On: len(k.Security.Contact) > 0},
	}
}

// document is what all pages are made of.
func (c *core) document(ctx context.Context) (rgpd.Document, error) {
	f, err := c.facts(ctx, func(string) bool { return true })
	if err != nil {
		return rgpd.Document{}, err
	}
	return rgpd.Build(f), nil
}

// exportRGPD writes one of the documents; ok is false for another export.
func (c *core) exportRGPD(ctx context.Context, what Export, w io.Writer) (ok bool, err error) {
	page := map[Export]rgpd.Page{ExportRegister: rgpd.Register, ExportAssessment: rgpd.Assessment, ExportInventory: rgpd.Data}[what]
	if page == "" && what != ExportFields {
		return false, nil
	}
	d, err := c.document(ctx)
	if err != nil {
		return true, err
	}
	var b []byte
	if page != "" {
		b, err = d.HTML(page)
	} else {
		b, err = d.CSV()
	}
	if err != nil {
		return true, err
	}
	if _, err := w.Write(b); err != nil {
		return true, fmt.Errorf("cannot write the document: %w", err)
	}
	return true, nil
}
