package policy

import (
	"strings"
	"testing"
)

func TestAPrinterIsCheckedStrictly(t *testing.T) {
	key := strings.Repeat("0a", 32)
	for _, c := range []struct {
		p    NamedPrinter
		want string // field, and a word of the sentence; empty: sound
	}{
		{NamedPrinter{}, ""},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print", Name: "Imprimante du hall"}, ""},
		{NamedPrinter{URI: "ipps://imprimante.college.lan:8631/printers/1", Key: key}, ""},
		{NamedPrinter{Name: "Hall"}, "printer.uri Donnez l’adresse"},
		{NamedPrinter{URI: "10.1.2.3"}, "printer.uri ipp://"},
		{NamedPrinter{URI: "http://10.1.2.3/ipp/print"}, "printer.uri ipp://"},
		{NamedPrinter{URI: "cups+socket://10.1.2.3:9100"}, "printer.uri fichier du poste"},
		{NamedPrinter{URI: "ipps://admin:secret@10.1.2.3/ipp/print"}, "printer.uri mot de passe"},
		{NamedPrinter{URI: "ipps://admin@10.1.2.3/ipp/print"}, "printer.uri mot de passe"},
		{NamedPrinter{URI: "ipp:///ipp/print"}, "printer.uri adresse IPv4"},
		{NamedPrinter{URI: "ipp://127.0.0.1/ipp/print"}, "printer.uri adresse IPv4"},
		{NamedPrinter{URI: "ipp://localhost/ipp/print"}, "printer.uri adresse IPv4"},
		{NamedPrinter{URI: "ipp://169.254.169.254/ipp/print"}, "printer.uri adresse IPv4"},
		{NamedPrinter{URI: "ipp://[::1]/ipp/print"}, "printer.uri adresse IPv4"},
		{NamedPrinter{URI: "ipp://10.1.2.3:0/ipp/print"}, "printer.uri port"},
		{NamedPrinter{URI: "ipp://10.1.2.3:70000/ipp/print"}, "printer.uri port"},
		{NamedPrinter{URI: "ipp://10.1.2.3:/ipp/print"}, "printer.uri port"},
		{NamedPrinter{URI: "ipp://10.1.2.3"}, "printer.uri chemin"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print?x=1"}, "printer.uri chemin"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print?"}, "printer.uri chemin"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print#x"}, "printer.uri chemin"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp\r\nHost: x"}, "printer.uri n’est pas une adresse"},
		{NamedPrinter{URI: "ipp://10.1.2.3/" + strings.Repeat("a", 200)}, "printer.uri trop longue"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print", Name: strings.Repeat("a", 61)}, "printer.name 60"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print", Name: "a\nb"}, "printer.name 60"},
		{NamedPrinter{URI: "ipp://10.1.2.3/ipp/print", Key: key}, "printer.key ipps://"},
		{NamedPrinter{URI: "ipps://10.1.2.3/ipp/print", Key: strings.ToUpper(key)}, "printer.key 64"},
		{NamedPrinter{URI: "ipps://10.1.2.3/ipp/print", Key: key[2:]}, "printer.key 64"},
	} {
		p := Default()
		p.Printer = c.p
		var said []string
		for _, f := range p.Check() {
			said = append(said, f.Field+" "+f.Sentence)
		}
		field, word, _ := strings.Cut(c.want, " ")
		switch {
		case c.want == "" && len(said) > 0:
			t.Errorf("%+v: %q", c.p, said)
		case c.want != "" && (len(said) != 1 || !strings.HasPrefix(said[0], field+" ") || !strings.Contains(said[0], word)):
			t.Errorf("%+v: %q, want one about %s that says %q", c.p, said, field, word)
		}
	}
}

// TestAPrinterIsOneOfTheLayers: the nearest layer that names one counts, and the
// origin says which.
func TestAPrinterIsOneOfTheLayers(t *testing.T) {
	p, from, err := Merge(Default(), Layer{"global", []byte(`{"printer":{"uri":"ipp://10.0.0.1/ipp/print","name":"Département","key":""}}`)},
		Layer{"site", []byte(`{"session":{"minutes":30}}`)}, Layer{"terminal", []byte(`{"printer":{"uri":"ipp://10.0.0.2/ipp/print","name":"Couloir","key":""}}`)})
	if err != nil || p.Printer.URI != "ipp://10.0.0.2/ipp/print" || p.Printer.Name != "Couloir" || from["printer.uri"] != "terminal" || from["session.minutes"] != "site" {
		t.Errorf("%+v from %q, %v", p.Printer, from["printer.uri"], err)
	}
}
