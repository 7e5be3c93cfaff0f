package policy

import (
	"strings"
	"testing"
	"time"
)

func TestPINs(t *testing.T) {
	salt := []byte("0123456789abcdef")
	p, err := HashPIN("730194", salt, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.Hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(p.Hash, "730194") {
		t.Errorf("hash %q", p.Hash)
	}
	if !p.Verify("730194") {
		t.Error("it is not the one")
	}
	for _, other := range []string{"", "730195", "7301940", "73019", "730194 ", " 730194"} {
		if p.Verify(other) {
			t.Errorf("%q is taken for it", other)
		}
	}
	other, err := HashPIN("730194", []byte("fedcba9876543210"), time.Time{})
	if err != nil || other.Hash == p.Hash {
		t.Errorf("two places with one PIN are alike: %v", err)
	}
	if (PIN{}).Verify("") || (PIN{}).There() {
		t.Error("none is a PIN")
	}
	for _, bad := range []string{"", "12345", "1234567890123", "12345a", "123456", "012345", "890123", "654321", "210987", "777777", "-12345", "１２３４５６"} {
		if CheckPIN(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, good := range []string{"730194", "112233", "135790", "123457"} {
		if err := CheckPIN(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if _, err := HashPIN("730194", salt[:8], time.Time{}); err == nil {
		t.Error("a short salt is taken")
	}
}

func TestAHashThatCostsTooMuchIsRefused(t *testing.T) {
	good, err := HashPIN("730194", []byte("0123456789abcdef"), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"m=19456": "m=4194304", "t=2": "t=400000", "p=1": "p=255", "argon2id": "argon2i", "v=19": "v=16", "m=19456,": "", "$m": "m"} {
		p := Default()
		if p.PIN.Hash = strings.Replace(good.Hash, from, to, 1); len(p.Check()) != 1 {
			t.Errorf("%s: %+v", p.PIN.Hash, p.Check())
		}
		if p.PIN.Verify("730194") {
			t.Errorf("%s is used", p.PIN.Hash)
		}
	}
	p := Default()
	if p.PIN = good; len(p.Check()) != 0 {
		t.Errorf("%+v", p.Check())
	}
}

func FuzzPIN(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := PIN{Hash: s}.parse()
		if err == nil && (h.memory > maxPINMemory || h.passes > maxPINPasses || h.memory == 0 || h.passes == 0 || len(h.sum) != hashBytes) {
			t.Errorf("%q is read as %+v", s, h)
		}
	})
}

func TestATeamIsChecked(t *testing.T) {
	badge := strings.Repeat("a", 64)
	fields := func(team Team) (all string) {
		p := Default()
		p.Team = team
		for _, x := range p.Check() {
			all += x.Field + " "
		}
		return all
	}
	if got := fields(Team{Badges: []TeamBadge{{"Gardien", badge, Acts()}}, PINMay: Acts(), DirectoryMay: Acts(), Contact: Contact{"Le correspondant", "+33 4 50 00 00 00"}}); got != "" {
		t.Errorf("a good team: %s", got)
	}
	got := fields(Team{Badges: []TeamBadge{{"", badge, []Act{"format"}}, {"B", badge, []Act{ActStay, ActStay}}, {"C", "x", nil}}, PINMay: []Act{"all"}, DirectoryMay: []Act{ActCall, ActCall},
		Contact: Contact{strings.Repeat("n", 61), "javascript:1"}})
	for _, want := range []string{"team.badges.0.name", "team.badges.0.may", "team.badges.1.may", "team.badges.1.badge", "team.badges.2.badge", "team.pinMay", "team.directoryMay", "team.contact.name", "team.contact.phone"} {
		if !strings.Contains(got, want+" ") {
			t.Errorf("%s is not refused: %s", want, got)
		}
	}
	if _, ok := (Team{}).Holder(badge); ok {
		t.Error("a badge that nobody named")
	}
}

func TestGuard(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04", s, Location())
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	day := []Span{{From: 8 * 60, To: 18*60 + 30}}
	h := Hours{Guarded: true, Duty: Week{{}, day, day, day, day, day, {}}, Agreements: []Agreement{
		{From: "2026-03-03", To: "2026-03-03"}, {From: "2026-03-04", To: "2026-03-04", Suspended: true}, {From: "2026-03-05", To: "2026-03-05"}}}
	for from, want := range map[string]string{
		"2026-03-02 18:00": "2026-03-02 18:30", // the staff's own hours
		"2026-03-02 19:00": "2026-03-02 19:00", // nobody is there
		"2026-03-03 18:00": "2026-03-03 21:00", // agreed: three hours
		"2026-03-03 22:00": "2026-03-04 00:00", // the agreement ends with its day
		"2026-03-04 18:00": "2026-03-04 18:30", // suspended
		"2026-03-05 22:30": "2026-03-06 00:00",
		"2026-03-07 10:00": "2026-03-07 10:00", // a Saturday
	} {
		if got := h.Guard(at(from), Location()); !got.Equal(at(want)) {
			t.Errorf("from %s: %s, want %s", from, got.In(Location()).Format("2006-01-02 15:04"), want)
		}
	}
	if h.Guarded = false; !h.Guard(at("2026-03-07 10:00"), Location()).Equal(at("2026-03-07 13:00")) {
		t.Error("a place without a guard")
	}
}
