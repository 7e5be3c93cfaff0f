package sitefile_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"borne/controller/sitefile"
)

// Public numbers of known establishments: Henri-IV, Louis-le-Grand.
func TestUAI(t *testing.T) {
	for s, want := range map[string]bool{"0750654D": true, "0750655E": true, "0750654E": false, "0750655D": false, "750654D": false, "07506540": false, "+750654D": false, "0750654d": false, "": false} {
		if sitefile.UAI(s) != want {
			t.Errorf("%q is a number: %v", s, !want)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	all := []sitefile.Site{
		{Name: "Collège « Les Aravis »", Kind: "college", Commune: "Thônes", Territoire: "Bassin annécien", UAI: "0750654D", Address: "1, rue du Lac ; 74230 Thônes",
			Phone: "+33 4 50 00 00 00", HeadMail: "ce.0750654d@ac-grenoble.fr", Lat: 45.8811, Lon: -6.32, Placed: true, Spaces: []string{"Hall", "CDI"}},
		{Name: "=SUM(A1)", Kind: "other", Commune: "'s Gravenhage"},
	}
	got, wrong := sitefile.Read([]byte("\ufeff" + sitefile.Write(all)))
	if len(wrong) > 0 || len(got) != 2 {
		t.Fatalf("%+v %+v", got, wrong)
	}
	if strings.Contains(sitefile.Write(all), ";=SUM") || strings.Contains(sitefile.Write(all), "\n=SUM") {
		t.Error("a spreadsheet would reckon a name")
	}
	for i, s := range got {
		if s.Line != i+2 {
			t.Errorf("line %d is told as %d", i+2, s.Line)
		}
		s.Line = 0
		if !reflect.DeepEqual(s, all[i]) {
			t.Errorf("\n%+v\n%+v", s, all[i])
		}
	}
}

func TestLinesThatAreWrong(t *testing.T) {
	head := "Nom;Type;Commune;Latitude;Longitude;Espaces;UAI\n"
	for file, want := range map[string]string{
		"":                                       "1 Le fichier est vide.",
		"nom;type\n":                             "1 La première ligne doit nommer les colonnes : il manque « commune ».",
		"nom;type;commune;prix\n":                "1 La colonne « prix » est inconnue.",
		"nom;nom;type;commune\n":                 "1 La colonne « nom » est deux fois",
		head:                                     "1 Le fichier n’a aucun lieu",
		head + ";college;Annecy\n":               "2 Il manque « nom ».",
		head + "A;école;Annecy\n":                "2 Le type « école » est inconnu",
		head + "A;pms;Annecy;45,9\n":             "2 Il faut la latitude et la longitude",
		head + "A;pms;Annecy;45,9;nord\n":        "2 « 45,9 ; nord » n’est pas une position",
		head + "A;pms;Annecy;NaN;6\n":            "2 « NaN ; 6 » n’est pas une position",
		head + "A;pms;Annecy;91;6\n":             "2 « 91 ; 6 » n’est pas une position",
		head + "A;pms;Annecy;;;Hall|hall\n":      "2 L’espace « hall » est deux fois",
		head + "A;pms;Annecy;;;;;x\n":            "2 La ligne a 8 cases",
		head + "A;pms;Annecy\n\na;pms;annecy\n":  "4 Ce lieu est déjà à la ligne 2.",
		head + "A;pms;X;;;;1\nB;pms;Y;;;;1\n":    "3 Le numéro UAI 1 est déjà à la ligne 2.",
		head + "\"A;pms;Annecy\n":                "La ligne ne se lit pas",
		head + "A;pms;\xff\n":                    "1 Le fichier n’est pas en UTF-8",
		strings.Repeat("x", sitefile.MaxBytes+1): "1 Le fichier est trop gros",
		head + strings.Repeat("A;pms;X\n", 1001): "1002 Le fichier a trop de lignes",
		head + "A;pms;X;;;" + strings.Repeat("|a", 1) + strings.Repeat("|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v", 1) + "\n": "2 Il y a trop d’espaces",
	} {
		_, wrong := sitefile.Read([]byte(file))
		if len(wrong) == 0 {
			t.Errorf("%.60q passes", file)
			continue
		}
		if got := strings.TrimSpace(strings.Join([]string{itoa(wrong[0].Line), wrong[0].Sentence}, " ")); !strings.Contains(got, want) {
			t.Errorf("%.60q: %s, want %s", file, got, want)
		}
	}
}

// TestEachMistakeIsTold: somebody mends a whole file at once.
func TestEachMistakeIsTold(t *testing.T) {
	_, wrong := sitefile.Read([]byte("nom,type,commune\n,pms,Annecy\nA,x,Annecy\nB,pms,\n"))
	lines := []int{}
	for _, w := range wrong {
		lines = append(lines, w.Line)
	}
	if !reflect.DeepEqual(lines, []int{2, 3, 4}) {
		t.Errorf("%+v", wrong)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// FuzzRead: what is read without a mistake is written and read again the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(sitefile.Write([]sitefile.Site{{Name: "A", Kind: "pms", Commune: "B", Spaces: []string{"Hall"}, Lat: 1, Lon: 2, Placed: true}})))
	f.Add([]byte("nom\ttype\tcommune\n'=x\tmie\t\"a\nb\"\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, wrong := sitefile.Read(file)
		if len(wrong) > 0 {
			return
		}
		again, wrong := sitefile.Read([]byte(sitefile.Write(all)))
		if len(wrong) > 0 || len(again) != len(all) {
			t.Fatalf("%q: %+v", sitefile.Write(all), wrong)
		}
		for i := range all {
			all[i].Line, again[i].Line = 0, 0
			if !reflect.DeepEqual(all[i], again[i]) {
				t.Fatalf("\n%+v\n%+v", all[i], again[i])
			}
		}
	})
}
