package policy

import (
	"encoding/hex"
	"net/url"
	"strings"
)

// NamedPrinter is the printer of the terminals that these rules are for. Its zero value
// leaves it to the terminal's own file. What prints without IPP is named there
// only: it needs a driver, which is a file of the terminal.
type NamedPrinter struct {
	URI  string `json:"uri"`  // ipp://host[:port]/path or ipps://…
	Name string `json:"name"` // for people: « Imprimante du hall »
	// Key is the SHA-256 of the printer's public key in small hex; with none, the
	// first one seen at this address is the one to come.
	Key string `json:"key"`
}

// Same tells whether two are one printer, whatever it is called.
func (d NamedPrinter) Same(o NamedPrinter) bool { return d.URI == o.URI && d.Key == o.Key }

// Pin is Key as bytes; nil for none.
func (d NamedPrinter) Pin() []byte {
	pin, err := hex.DecodeString(d.Key)
	if err != nil || len(pin) == 0 {
		return nil
	}
	return pin
}

// Limits on a printer.
const (
	maxDevice     = 200 // bytes of its address
	maxDeviceName = 60  // bytes
)

func (d NamedPrinter) check(c *checker) {
	const at = "printer"
	if d.URI == "" {
		if d.Name != "" || d.Key != "" {
			c.add(at+".uri", "Donnez l’adresse de l’imprimante, ou videz aussi son nom et sa clé.")
		}
		return
	}
	u, err := url.Parse(d.URI)
	switch {
	case len(d.URI) > maxDevice:
		c.add(at+".uri", "L’adresse de l’imprimante est trop longue (%d caractères au plus).", maxDevice)
	case err != nil || !plain(d.URI) || u.Opaque != "":
		c.add(at+".uri", "« %s » n’est pas une adresse (exemple : ipps://10.1.2.3/ipp/print).", clip(d.URI))
	case u.Scheme != "ipp" && u.Scheme != "ipps":
		c.add(at+".uri", "L’adresse de l’imprimante commence par ipp:// ou ipps:// (exemple : ipps://10.1.2.3/ipp/print). Une imprimante sans IPP se règle dans le fichier du poste.")
	case u.User != nil:
		c.add(at+".uri", "L’adresse de l’imprimante ne contient ni nom d’utilisateur ni mot de passe : retirez ce qui précède « @ ».")
	case !host(u.Hostname()) || u.Hostname() == "localhost":
		c.add(at+".uri", "« %s » n’est pas une imprimante du réseau : donnez son nom ou son adresse IPv4 (exemple : ipps://10.1.2.3/ipp/print).", clip(u.Hostname()))
	case u.Port() == "0" || len(u.Port()) > 5 || len(u.Port()) == 5 && u.Port() > "65535" || strings.HasSuffix(u.Host, ":"):
		c.add(at+".uri", "Le port de l’imprimante est entre 1 et 65535 (sans port : 631).")
	case !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.ForceQuery || strings.Contains(d.URI, "#"):
		c.add(at+".uri", "Après le nom, il faut le chemin de l’imprimante et rien d’autre, le plus souvent /ipp/print (exemple : ipps://10.1.2.3/ipp/print).")
	}
	if len(d.Name) > maxDeviceName || !plain(d.Name) || d.Name != strings.TrimSpace(d.Name) {
		c.add(at+".name", "Le nom de l’imprimante a %d caractères au plus, sans espace au début ni à la fin.", maxDeviceName)
	}
	switch pin, err := hex.DecodeString(d.Key); {
	case d.Key == "":
	case u != nil && u.Scheme == "ipp":
		c.add(at+".key", "Une imprimante en ipp:// ne montre pas de clé : écrivez ipps://, ou videz ce champ.")
	case err != nil || len(pin) != 32 || strings.ToLower(d.Key) != d.Key:
		c.add(at+".key", "La clé est le SHA-256 de la clé publique de l’imprimante : 64 chiffres et lettres de a à f, en minuscules. Videz ce champ pour retenir la première clé vue.")
	}
}
