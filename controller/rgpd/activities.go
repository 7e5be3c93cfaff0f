package rgpd

// Activity is one processing of the register. Whom it is about and who reads it
// follows from the roles of the console (controller/api/access.go); what it keeps is
// the inventory's.
type Activity struct {
	Name    string
	Goal    string
	People  []string
	Readers []string
	Not     string // what is not kept, where that matters
	Tables  []string
}

// Activities are those of the software. Each table with something about people is in
// one of them: a test fails on one that is not.
func Activities() []Activity {
	team := []string{"Équipe du Département", "Correspondant informatique du lieu", "Protection des données"}
	front := append([]string{"Accueil du lieu"}, team...)
	return []Activity{
		{Name: "Sessions sur les postes publics, et preuve de leur effacement",
			Goal:    "Mettre un ordinateur à disposition du public, partager le temps entre les personnes, et prouver qu’il ne reste rien d’une personne pour la suivante.",
			People:  []string{"Personnes qui utilisent un poste (sans identité : un numéro de session tiré au hasard)"},
			Readers: team,
			Not:     "Ni nom, ni adresse visitée, ni titre de page, ni nom de fichier, ni contenu, ni frappe.",
			Tables:  []string{"session", "receipt", "permit", "record", "record begun", "record ended", "record receipt", "record refused"}},
		{Name: "Impressions",
			Goal:    "Compter les pages imprimées, les partager selon les quotas, et rendre les pages qui ne sont pas sorties.",
			People:  []string{"Personnes qui impriment (par le numéro de session, ou le compte d’un badge tant que des pages sont mises de côté)", "Agents qui libèrent une impression ou ajoutent des pages"},
			Readers: front,
			Not:     "Ni titre, ni contenu d’un document.",
			Tables:  []string{"print-job", "print-grant", "account", "record print"}},
		{Name: "Badges et codes du jour",
			Goal:    "Ouvrir une session avec un badge ou un code, selon des droits et des quotas, sans connaître la personne.",
			People:  []string{"Porteurs de badge, par un identifiant tiré au hasard"},
			Readers: front,
			Not:     "Ni nom, ni date de naissance, ni numéro de carte en clair. La clé d’un mois est détruite après lui : deux mois ne peuvent plus être reliés.",
			Tables:  []string{"holder", "badge-window", "day-code", "month-key", "presence"}},
		{Name: "Comptes de la console",
			Goal:    "Laisser entrer les personnes qui s’occupent des postes, chacune avec son rôle et ses lieux, et les prévenir de ce qui est à traiter.",
			People:  []string{"Agents qui ont un compte", "Chef d’établissement ou personne qui reçoit un lien pour donner son accord"},
			Readers: []string{"Équipe du Département", "La personne elle-même", "Correspondant informatique, pour le courriel de la direction de ses lieux"},
			Tables:  []string{"user", "login", "passkey", "identity", "staff-badge", "api-token", "watch", "told", "consent", "mail", "hook", "site"}},
		{Name: "Journal de ce qui a été fait",
			Goal:    "Savoir qui a changé quoi, et le prouver : règles, horaires, ordres aux postes, badges, comptes. Chaque ligne est scellée par la suivante.",
			People:  []string{"Agents qui ont un compte", "Personnes nommées dans l’accord d’une ouverture (qui l’a donné, qui tient la clé)"},
			Readers: []string{"Équipe du Département", "Protection des données (pour ses lieux)", "Correspondant et gardien, pour les horaires et les règles de leurs lieux"},
			Tables:  []string{"audit", "command", "hours-change", "policy", "policy-change", "calendar", "energy-figures", "enrol-code", "matter", "space", "record staff", "bulk", "notice", "help-file"}},
		{Name: "Données de trafic et réquisitions",
			Goal:    "Répondre à une réquisition nommée : faire attendre ce qui existe déjà, et, seulement après une décision datée du délégué à la protection des données, conserver les données de trafic.",
			People:  []string{"Personnes qui utilisent un poste, par leur session", "Agents qui demandent, confirment ou lèvent une conservation"},
			Readers: []string{"Équipe du Département et protection des données, quand leur rôle porte sur tous les lieux"},
			Not:     "Sans décision, aucune donnée de trafic n’est conservée.",
			Tables:  []string{"hold", "traffic", "traffic-decision", "record traffic"}},
	}
}
