package doctor

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	"borne/kiosk/uplink"
)

// Clock checks the wall time and whether something keeps it right.
func Clock(now func() (time.Time, bool), built time.Time) Finding {
	t, sure := now()
	switch {
	case t.Before(built):
		return amiss("Réglez l'heure (timedatectl set-time …), puis laissez passer le NTP (port UDP 123) ou ajoutez une horloge à pile.",
			"l'horloge dit %s, avant la date de ce logiciel", t.Format("02/01/2006 15:04"))
	case !sure:
		return amiss("Activez la synchronisation (timedatectl set-ntp true) et laissez passer le NTP (port UDP 123).",
			"%s, mais rien ne garantit cette heure", t.Format("02/01/2006 15:04"))
	}
	return well("%s, synchronisée", t.Format("02/01/2006 15:04"))
}

// DNS checks that the host's name resolves; with a proxy it need not.
func DNS(ctx context.Context, lookup func(context.Context, string) ([]string, error), host string, proxied bool) Finding {
	if host == "" {
		return well("aucun nom à résoudre tant que le contrôleur n'est pas connu")
	}
	if net.ParseIP(host) != nil {
		return well("inutile : le contrôleur est donné par son adresse %s", host)
	}
	addrs, err := lookup(ctx, host)
	switch {
	case err == nil && len(addrs) > 0:
		return well("%s → %s", host, addrs[0])
	case proxied:
		return well("%s n'est pas résolu ici ; le proxy s'en charge", host)
	}
	return amiss("Vérifiez le câble et le serveur DNS du poste (/etc/resolv.conf), ou demandez que ce nom soit résolu sur ce réseau.",
		"%s ne se résout pas", host)
}

// Proxy checks that the proxy answers at all.
func Proxy(ctx context.Context, dial uplink.DialFunc, proxy *url.URL) Finding {
	if proxy == nil {
		return well("aucun proxy configuré")
	}
	c, err := dial(ctx, "tcp", proxy.Host)
	if err != nil {
		return amiss("Vérifiez la ligne proxy de la configuration auprès du responsable du réseau.", "%s ne répond pas", proxy.Host)
	}
	c.Close()
	return well("%s répond", proxy.Host)
}

// Target is the controller as far as it is known.
type Target struct {
	Enrolled   bool
	Controller string                                           // https://host:port; empty: not known
	Probe      func(context.Context) error                      // when enrolled
	Reach      func(context.Context) (issuer string, err error) // else
}

// Controller checks the way to the controller up to TLS, and tells a filtering
// proxy from a network that is down.
func Controller(ctx context.Context, t Target) Finding {
	if t.Controller == "" {
		return amiss("Faites un code dans la console, puis : sudo borne-kiosk enrol CODE -controller https://…", "ce poste n'est pas enrôlé")
	}
	if !t.Enrolled {
		by, err := t.Reach(ctx)
		if err != nil {
			return unreachable(err, t.Controller)
		}
		return amiss("Faites un code dans la console, puis : sudo borne-kiosk enrol CODE", "joignable (certificat de « %s »), mais ce poste n'est pas enrôlé", by)
	}
	if err := t.Probe(ctx); err != nil {
		return unreachable(err, t.Controller)
	}
	return well("%s joignable, certificat vérifié, TLS non intercepté", t.Controller)
}

func unreachable(err error, controller string) Finding {
	var caught *uplink.InterceptedError
	switch {
	case errors.As(err, &caught):
		return amiss("Demandez au responsable du réseau d'exempter "+caught.Host+" de l'inspection TLS.",
			"un proxy filtrant ouvre le TLS : le certificat vient de « %s »", caught.Issuer)
	case errors.Is(err, uplink.ErrProxyAuth):
		return amiss("Écrivez-les dans la configuration : proxy = \"http://utilisateur:mot-de-passe@hôte:port\".", "le proxy demande un nom et un mot de passe")
	case errors.Is(err, uplink.ErrProxy):
		return amiss("Demandez au responsable du réseau d'autoriser CONNECT vers "+controller+".", "le proxy refuse le passage")
	case errors.Is(err, uplink.ErrRefused):
		return amiss("Regardez ce poste dans la console ; au besoin, enrôlez-le de nouveau.", "le contrôleur refuse le certificat de ce poste")
	}
	return amiss("Vérifiez le réseau, l'adresse, l'heure du poste, et que le port est ouvert en sortie.", "%s n'est pas joignable : %v", controller, err)
}
