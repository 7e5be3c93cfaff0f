package directory_test

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"borne/controller/directory"
	"borne/controller/policy"
	"borne/controller/store"
)

func paris(t testing.TB) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestBadgesGoOutAndComeBack(t *testing.T) {
	w, zone := start(t).terminals(), paris(t)
	for i := range byte(4) {
		n := w.enrol(i+1, store.BadgeWindow{Kind: store.HolderPermanent, Group: "Famille"})
		w.change(n, func(r *directory.Rights) {
			switch i {
			case 1:
				r.Lost, r.Sites = true, []string{"a", "b"}
			case 2:
				r.Disabled, r.Expires = true, directory.EndOf(time.Date(2027, 6, 30, 0, 0, 0, 0, zone))
			}
		})
	}
	w.decide(func(tx store.Tx) error {
		all, err := directory.Badges(tx, "")
		if err != nil {
			return err
		}
		text := directory.WriteCSV(all, zone)
		if !strings.Contains(text, ";2027-06-30;suspendu\n") || !strings.Contains(text, ";a b;;perdu\n") {
			t.Errorf("written:\n%s", text)
		}
		lines, wrong := directory.ReadCSV([]byte("\ufeff"+strings.ReplaceAll(text, "\n", "\r\n")), zone)
		if len(wrong) > 0 || len(lines) != 4 {
			t.Fatalf("%d lines, %v", len(lines), wrong)
		}
		for _, l := range lines {
			h, err := directory.Badge(tx, l.Number)
			if err != nil {
				return err
			}
			if want := directory.RightsOf(h.Row); !reflect.DeepEqual(l.Rights, want) {
				t.Errorf("line %d: %+v, want %+v", l.N, l.Rights, want)
			}
		}
		return nil
	})
}

func TestEveryMistakeOfAFileIsTold(t *testing.T) {
	w, zone := start(t).terminals(), paris(t)
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderPermanent})
	head := "numero;groupe;lieux;expire;etat\n"
	for file, want := range map[string][]string{
		"":             {"1 vide"},
		"nom;prenom\n": {"1 première ligne"},
		head + n + ";;;;valable\n" + n + ";;;;valable\n": {"3 déjà à la ligne 2"},
		head + n + ";;;;\n":                     {"2 manque"},
		head + "123;=1+1;;30 juin;volé\n":       {"2 numéro", "2 groupe", "2 date", "2 état"},
		head + n + ";;\n":                       {"2 colonnes"},
		head + "\"x\n":                          {"2 guillemets"},
		head + "\xff":                           {"1 UTF-8"},
		head + n + ";;;30/06/2027;perdu\n":      nil,
		strings.Repeat("x", directory.MaxCSV+1): {"1 gros"},
	} {
		_, wrong := directory.ReadCSV([]byte(file), zone)
		if len(wrong) != len(want) {
			t.Errorf("%.60q: %v, want %v", file, wrong, want)
			continue
		}
		for i, m := range wrong {
			line, word, _ := strings.Cut(want[i], " ")
			if line != string(rune('0'+m.Line)) || !strings.Contains(m.Sentence, word) {
				t.Errorf("%.60q: %+v, want %q", file, m, want[i])
			}
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("numero;groupe;lieux;expire;etat\n123 456 789;Famille;a b;2027-06-30;perdu\n"))
	zone := paris(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		lines, wrong := directory.ReadCSV(file, zone)
		if len(wrong) > 0 {
			return
		}
		for _, l := range lines {
			if n, ok := directory.ReadNumber(l.Number); !ok || n != l.Number || !policy.ValidGroup(l.Rights.Group) {
				t.Errorf("line %d of %q: %+v", l.N, file, l)
			}
		}
	})
}

func TestErasingLeavesNothingOfAHolder(t *testing.T) {
	w := start(t).terminals()
	n := w.enrol(1, store.BadgeWindow{Kind: store.HolderPermanent})
	name, other := w.name(badge(1), w.now), w.name(badge(2), w.now)
	account := ""
	w.decide(func(tx store.Tx) error {
		b, err := w.Account(tx, badge(1), w.now, w.now)
		if err != nil {
			return err
		}
		account = hexOf(b)
		put := func(id string, row store.Row) error {
			m := store.Meta{ID: id, Site: "a", Scope: "a-1"}
			switch r := row.(type) {
			case store.SessionRow:
				return store.Put(tx, store.Item[store.SessionRow]{Meta: m, Row: r})
			case store.Account:
				return store.Put(tx, store.Item[store.Account]{Meta: m, Row: r})
			case store.PrintJob:
				return store.Put(tx, store.Item[store.PrintJob]{Meta: m, Row: r})
			case store.Presence:
				return store.Put(tx, store.Item[store.Presence]{Meta: m, Row: r})
			}
			t.Fatalf("what is %T", row)
			return nil
		}
		month := w.now.Format("2006-01")
		for id, row := range map[string]store.Row{"s1": store.SessionRow{Session: "s1", Holder: name}, "s2": store.SessionRow{Session: "s2", Holder: other},
			account: store.Account{Month: month, Charged: 300}, "j1": store.PrintJob{Job: "j1", Terminal: "a-1", Account: account, Reserved: 100},
			store.PresenceID(month, name, "a"): store.Presence{Month: month, Holder: name}} {
			if err := put(id, row); err != nil {
				return err
			}
		}
		return nil
	})
	w.decide(func(tx store.Tx) error {
		h, err := directory.Badge(tx, n)
		if err != nil {
			return err
		}
		k, err := w.Kept(tx, h)
		if err != nil || len(k.Sessions) != 1 || len(k.Accounts) != 1 || len(k.Jobs) != 1 || len(k.Presences) != 1 {
			t.Errorf("kept %+v, %v", k, err)
		}
		_, err = w.Erase(tx, h, "u1")
		return err
	})
	w.decide(func(tx store.Tx) error {
		for _, r := range store.Rows() {
			if r.Table() == store.KindErasure {
				continue // says which rows a restore must not bring back, and nothing else does any more
			}
			for m, doc := range tx.List(r.Table(), "", "", false) {
				if all := m.ID + string(doc); strings.Contains(all, name) || strings.Contains(all, account) {
					t.Errorf("table %s: %s %s", r.Table(), m.ID, doc)
				}
			}
		}
		if s, err := store.Get[store.SessionRow](tx, "s2"); err != nil || s.Row.Holder != other {
			t.Errorf("another holder's session: %+v, %v", s, err)
		}
		present := 0
		for _, err := range store.List[store.Presence](tx, "", "", false) {
			if present++; err != nil {
				return err
			}
		}
		if present != 1 {
			t.Errorf("%d are counted, want the one that was there", present)
		}
		return nil
	})
	if r := w.tap("a-1", 1); r == "" {
		t.Error("an erased badge opens a session")
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
