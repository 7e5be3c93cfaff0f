package press

import "borne/kiosk/printjob"

// What a person reads in the print dialogue of a program: at most 255 bytes each
// (RFC 8011 §4.1.6.2).
const (
	saysNobody  = "L'impression n'est pas possible sur cet ordinateur en ce moment. Demandez à l'accueil, on vous aidera volontiers."
	saysAsked   = "Regardez l'écran : une question vous y attend avant l'impression."
	saysSending = "Votre document part à l'imprimante."
	saysPrints  = "Votre document s'imprime."
	saysDone    = "Votre document est imprimé."
	saysStopped = "L'imprimante s'est arrêtée. Regardez l'écran, ou demandez à l'accueil."
	saysGone    = "L'impression est annulée."
	saysFailed  = "Votre document n'a pas pu être imprimé. Demandez à l'accueil, on vous aidera volontiers."
	saysLate    = "Votre document n'est pas arrivé. Essayez d'imprimer encore une fois."
)

// sentence is why a document is refused, for the person.
func sentence(why printjob.Why) string {
	switch why {
	case "":
		return ""
	case printjob.WhyUnreadable:
		return "Ce document ne peut pas être lu. Essayez de l'ouvrir à nouveau puis de l'imprimer, ou demandez à l'accueil."
	case printjob.WhyEncrypted:
		return "Ce document est protégé par un mot de passe : il ne peut pas être imprimé ainsi. Demandez à l'accueil, on vous aidera volontiers."
	case printjob.WhyTooBig:
		return "Ce document est trop lourd pour cette imprimante. Essayez d'imprimer moins de pages à la fois."
	case printjob.WhyTooMany:
		return "Ce document a trop de pages. Choisissez seulement les pages dont vous avez besoin."
	case printjob.WhyFormat:
		return "Ce genre de document ne s'imprime pas ici. Enregistrez-le en PDF si vous le pouvez, ou demandez à l'accueil."
	case printjob.WhyFull:
		return "Plusieurs documents attendent déjà. Répondez d'abord à la question à l'écran, puis recommencez."
	case printjob.WhyNoPrinter:
		return "L'imprimante ne répond pas. Vérifiez qu'elle est allumée, ou demandez à l'accueil."
	case printjob.WhyRejected:
		return "L'imprimante n'a pas pris ce document. Demandez à l'accueil, on vous aidera volontiers."
	case printjob.WhyCut:
		return "La liaison avec l'imprimante s'est coupée. Regardez si vos pages sortent avant de recommencer."
	case printjob.WhyUntrusted:
		return "L'imprimante n'est pas celle que l'on attendait. Par sécurité, rien ne lui est envoyé. Prévenez l'accueil."
	case printjob.WhyNotHere:
		return "On n'imprime pas depuis cet ordinateur. Demandez à l'accueil, on vous aidera volontiers."
	}
	return saysFailed
}
