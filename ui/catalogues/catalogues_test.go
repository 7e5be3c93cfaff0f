package catalogues

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// public are the namespaces of keys that the public reads: each language has
// them. The rest is for staff, in French and English.
var public = []string{"terminal.", "reason.", "check.", "lang.", "lists.", "print."}

func isPublic(key string) bool {
	return slices.ContainsFunc(public, func(p string) bool { return strings.HasPrefix(key, p) })
}

// staff tells whether the console speaks a language.
func staff(lang string) bool { return lang == French || lang == Eng }

func catalogues(t *testing.T) map[string]map[string]string {
	t.Helper()
	all, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryLanguageHasEveryKey(t *testing.T) {
	all := catalogues(t)
	for lang, have := range all {
		for key := range all[French] {
			if _, ok := have[key]; !ok && (staff(lang) || isPublic(key)) {
				t.Errorf("%s.json lacks %q", lang, key)
			}
		}
		for key, text := range have {
			if _, ok := all[French][key]; !ok {
				t.Errorf("%s.json has %q, which fr.json lacks", lang, key)
			}
			if !staff(lang) && !isPublic(key) {
				t.Errorf("%s.json has %q, which only staff read", lang, key)
			}
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s.json: %q is empty", lang, key)
			}
		}
	}
}

// placeholders lists "name" or "name plural" for each argument of a message.
func placeholders(msg string) []string {
	set := map[string]bool{}
	p := &scanner{s: msg, lang: French, args: Args{}, seen: func(argument string) { set[argument] = true }}
	_, _ = p.message(0, "", false) // what cannot be read is told by whoever formats it
	return slices.Sorted(maps.Keys(set))
}

func TestPlaceholdersMatch(t *testing.T) {
	all := catalogues(t)
	for lang, have := range all {
		for key, text := range have {
			if got, want := placeholders(text), placeholders(all[French][key]); !slices.Equal(got, want) {
				t.Errorf("%s.json: %q has placeholders %v, fr.json has %v", lang, key, got, want)
			}
			if _, err := format(text, lang, Args{}); err != nil {
				t.Errorf("%s.json: %q: %v", lang, key, err)
			}
		}
	}
}

// constants reads the values of the string constants of a Go package whose
// type is typ, or whose name begins with prefix when typ is empty.
func constants(t *testing.T, dir, typ, prefix string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("cannot find Go files in %s: %v", dir, err)
	}
	var out []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				id, _ := v.Type.(*ast.Ident)
				if (typ != "") != (id != nil && id.Name == typ) {
					continue
				}
				for i, name := range v.Names {
					if i >= len(v.Values) || !strings.HasPrefix(name.Name, prefix) {
						continue
					}
					if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						s, _ := strconv.Unquote(lit.Value)
						out = append(out, s)
					}
				}
			}
		}
	}
	return out
}

// TestCodesHaveSentences reads the codes from the protocol's own source: a new
// reason, check or property without a sentence fails here.
func TestCodesHaveSentences(t *testing.T) {
	const wire = "../../controller/wire"
	for _, c := range []struct {
		key, typ, prefix string
		least            int
	}{
		{"reason.", "Reason", "", 40},
		{"check.", "", "Check", 6},
		{"prop.", "", "Prop", 16},
		{"fix.", "", "Prop", 16},
		{"console.receipt.check.", "", "Check", 6},
		{"console.check.", "", "Check", 6},
		{"console.command.", "CommandKind", "Cmd", 8},
		{"result.", "CheckResult", "", 4},
		{"level.", "Level", "", 2},
	} {
		codes := constants(t, wire, c.typ, c.prefix)
		if len(codes) < c.least {
			t.Errorf("found only %d codes for %q in %s: %v", len(codes), c.key, wire, codes)
		}
		for _, code := range codes {
			if !Has(c.key + code) {
				t.Errorf("no sentence for %q: add %q to every catalogue", code, c.key+code)
			}
		}
	}
}

// TestPrintCodesHaveSentences does the same for documents that are refused, and
// for what the pages show of a job and of the bar.
func TestPrintCodesHaveSentences(t *testing.T) {
	why := constants(t, "../../kiosk/printjob", "Why", "")
	if len(why) < 11 {
		t.Errorf("found only %d codes: %v", len(why), why)
	}
	for _, code := range why {
		if !Has("print." + code) {
			t.Errorf("no sentence for %q: add %q to every catalogue", code, "print."+code)
		}
	}
}

// TestUSBCodesHaveSentences does the same for what is told of the USB ports.
func TestUSBCodesHaveSentences(t *testing.T) {
	n := 0
	for _, code := range constants(t, "../../hw/usb", "Reason", "") {
		if !strings.HasPrefix(code, "usb-") {
			continue // nobody is told that all is well
		}
		if n++; !Has("reason." + code) {
			t.Errorf("no sentence for %q", code)
		}
	}
	if n < 6 {
		t.Errorf("found only %d codes", n)
	}
}

// source yields the text of every Go file below dir, tests apart.
func source(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestStaffSentences reads what the controller and the warden write down: each
// audited action, stored field's purpose and canary is shown as a sentence.
func TestStaffSentences(t *testing.T) {
	controller, kiosk := source(t, "../../controller"), source(t, "../../kiosk/session")+source(t, "../../kiosk/agent")
	for _, c := range []struct {
		key, in string
		re      *regexp.Regexp
		least   int
	}{
		{"console.audit.", controller, regexp.MustCompile(`Action:\s*"([a-z.-]+)"`), 8},
		{"console.audit.", controller, regexp.MustCompile(`\baction[A-Z]\w+\s*=\s*"([a-z.-]+)"`), 2},
		{"purpose.", controller, regexp.MustCompile(`inventory:"([^";]+);[a-z -]+;[a-z]+"`), 100},
		{"console.basis.", controller, regexp.MustCompile(`inventory:"[^";]+;([a-z-]+);`), 2},
		{"console.table.", source(t, "../../controller/store"), regexp.MustCompile(`\bKind\w+\s+Kind = "([a-z-]+)"`), 40},
		{"console.requisitions.state.", source(t, "../../controller/requisition"), regexp.MustCompile(`State = "([a-z]+)"`), 7},
		{"console.retention.", controller, regexp.MustCompile(`inventory:"[^";]+;[a-z-]+;([a-z]+)"`), 6},
		{"reason.", controller, regexp.MustCompile(`Row\.Answer.*= store\.Command\w+, "([^"]+)"`), 1},
		{"reason.", kiosk, regexp.MustCompile(`wire\.Alert\{Code:\s*"([^"]+)"`), 5},
		{"reason.", kiosk, regexp.MustCompile(`wire\.CommandDone\{[^}]*Reason:\s*"([^"]+)"`), 3},
		{"reason.", kiosk, regexp.MustCompile(`refused = "([^"]+)"`), 3},
		{"check.", source(t, "../../kiosk/warden"), regexp.MustCompile(`checkCanary\w+\s*=\s*"([a-z-]+)"`), 3},
		{"console.check.", source(t, "../../kiosk/warden"), regexp.MustCompile(`checkCanary\w+\s*=\s*"([a-z-]+)"`), 3},
		{"console.receipt.check.", source(t, "../../kiosk/warden"), regexp.MustCompile(`checkCanary\w+\s*=\s*"([a-z-]+)"`), 3},
		{"console.cert.found.", controller, regexp.MustCompile(`Found\w+\s+Code\s*=\s*"([a-z]+)"`), 7},
		{"console.cert.end.", controller, regexp.MustCompile(`End\w+\s+End\s*=\s*"([a-z]+)"`), 4},
		{"console.cert.chain.", controller, regexp.MustCompile(`Chain\w+\s+ChainResult\s*=\s*"([a-z]+)"`), 4},
	} {
		found := c.re.FindAllStringSubmatch(c.in, -1)
		if len(found) < c.least {
			t.Errorf("found only %d codes for %q", len(found), c.key)
		}
		for _, m := range found {
			if !Has(c.key + m[1]) {
				t.Errorf("no sentence for %q: add %q to every catalogue", m[1], c.key+m[1])
			}
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		lang, key string
		args      Args
		want      string
	}{
		{"fr", "terminal.begin", nil, "Commencer"},
		{"en", "terminal.begin", nil, "Begin"},
		{"fr-x-facile", "terminal.broken.title", nil, "L’ordinateur ne marche pas"},
		{"fr-x-facile", "prop.own-uid", nil, Text("fr", "prop.own-uid", nil)},
		{"fr-FR", "terminal.begin", nil, "Commencer"},
		{"tlh", "terminal.begin", nil, "Commencer"},
		{"fr", "no.such.key", nil, "no.such.key"},
		{"fr", "terminal.bar.left", Args{"minutes": 0}, "Moins d’une minute"},
		{"fr", "terminal.bar.left", Args{"minutes": 1}, "Encore 1 minute"},
		{"en", "terminal.bar.left", Args{"minutes": 12}, "12 minutes left"},
		{"fr", "terminal.help.ask", Args{"help": "Loge du gardien"}, "Besoin d’aide\u00a0? On vous aide ici\u00a0: Loge du gardien"},
		{"fr-x-facile", "terminal.help.desk", nil, "Besoin d’aide\u00a0? Demandez à l’accueil."},
		{"fr", "console.command.release", nil, "Rendre au public"},
	} {
		if got := Text(c.lang, c.key, c.args); got != c.want {
			t.Errorf("Text(%q, %q, %v) = %q, want %q", c.lang, c.key, c.args, got, c.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ msg, lang, want string }{
		{"{n, plural, one {# page} other {# pages}}", "fr", "0 page"},
		{"{n, plural, one {# page} other {# pages}}", "en", "0 pages"},
		{"{n, plural, =0 {none} other {#}} of {who}", "en", "none of Zoé"},
		{"{s, select, a {A} other {B}}", "fr", "A"},
		{"l'eau, '{brut}' et ''", "fr", "l'eau, {brut} et '"},
		{"{absent}", "fr", "{absent}"},
		{"# outside", "fr", "# outside"},
	} {
		got, err := format(c.msg, c.lang, Args{"n": 0, "who": "Zoé", "s": "a"})
		if err != nil || got != c.want {
			t.Errorf("format(%q, %s) = %q, %v, want %q", c.msg, c.lang, got, err, c.want)
		}
	}
	for _, bad := range []string{"{", "}", "{n", "{n,", "{n, date}", "{n, plural, one {x}}", "{n, plural, other {x", strings.Repeat("{n, plural, other {", 40)} {
		if got, err := format(bad, "fr", Args{"n": 3}); err == nil {
			t.Errorf("format(%q) = %q without an error", bad, got)
		}
	}
}

func FuzzFormat(f *testing.F) {
	all, err := read()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range all[French] {
		f.Add(m)
	}
	f.Add("{n, plural, other {{n, plural, other {'{#}'}}}}")
	f.Fuzz(func(t *testing.T, msg string) {
		if len(msg) > 1<<12 {
			t.Skip()
		}
		if out, err := format(msg, French, Args{"n": 2}); err == nil && len(out) > 64*(len(msg)+1) {
			t.Errorf("format grew %d bytes to %d", len(msg), len(out))
		}
	})
}

// TestEachPluralHasItsForms: a language's own forms of whole numbers, each said once
// by name, so that « 3 хвилин » is not read.
func TestEachPluralHasItsForms(t *testing.T) {
	for lang, have := range catalogues(t) {
		forms := map[string]bool{}
		for n := range 201 {
			forms[category(lang, n)] = true
		}
		if lang == "ar" && len(forms) != 6 || lang == "uk" && len(forms) != 3 || lang == Eng && len(forms) != 2 {
			t.Errorf("%s counts by %v", lang, forms)
		}
		for key, text := range have {
			if !isPublic(key) || !strings.Contains(text, ", plural,") || strings.HasPrefix(lang, French) { // « mois » has one form
				continue
			}
			for form := range forms {
				if !strings.Contains(text, form+" {") {
					t.Errorf("%s.json: %q has no form %q", lang, key, form)
				}
			}
		}
	}
}
