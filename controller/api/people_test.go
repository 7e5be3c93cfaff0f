package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/store"
)

// key makes a program's key, by an administrator of its own.
func (w *world) key(role accounts.Role, sites ...string) string {
	w.t.Helper()
	ctx := context.Background()
	id, err := w.acc.Create(ctx, audit.Controller, accounts.NewUser{Name: "Maker", Role: accounts.Administrator, All: true})
	if err != nil {
		w.t.Fatal(err)
	}
	_, key, err := w.acc.MakeToken(ctx, accounts.Person{ID: id}, accounts.NewToken{Name: "Programme " + string(role), Role: role, Sites: sites, All: len(sites) == 0, Days: 30})
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

func bearer(key string) string {
	if key == "" {
		return ""
	}
	return "Bearer " + key
}

// somebody makes an account to be changed.
func (w *world) somebody() string {
	w.t.Helper()
	id, err := w.acc.Create(context.Background(), audit.Controller, accounts.NewUser{Name: "Lou", Role: accounts.Observer, All: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// ask is do for people, and for programs: those send no cookie and none of the
// console's headers.
func (w *world) ask(cookie, key, method, path string, body any, header ...string) answered {
	w.t.Helper()
	if key == "" {
		return w.do(cookie, method, path, body, header...)
	}
	return w.do("", method, path, body, append(header, "Authorization", "Bearer "+key, "X-Borne", "", "Origin", "")...)
}

func (w *world) accountOf(cookie, name string) AccountView {
	w.t.Helper()
	for _, a := range decode[AccountsView](w.t, w.do(cookie, "GET", "/api/accounts", nil), 200).Accounts {
		if a.Name == name {
			return a
		}
	}
	w.t.Fatalf("no account of %s", name)
	return AccountView{}
}

func TestSomebodyIsInvited(t *testing.T) {
	w := start(t)
	w.api.Mails, w.api.URL = true, func() string { return "https://bornes.example.fr" }
	root := w.as(accounts.Administrator)
	r := AccountRequest{Name: "Léa Favre", Email: "lea@example.fr", Role: "correspondant", Sites: []string{"a"}, Groups: []string{}}
	for field, bad := range map[string]InviteRequest{
		"body.name":  {AccountRequest: AccountRequest{Name: " ", Role: "dpo", All: true, Sites: []string{}, Groups: []string{}}, How: "link"},
		"body.email": {AccountRequest: AccountRequest{Name: "x", Email: "Léa <lea@example.fr>", Role: "dpo", All: true, Sites: []string{}, Groups: []string{}}, How: "link"},
		"body.sites": {AccountRequest: AccountRequest{Name: "x", Role: "dpo", Sites: []string{}, Groups: []string{}}, How: "link"},
		"body.all":   {AccountRequest: AccountRequest{Name: "x", Role: "dpo", All: true, Sites: []string{"a"}, Groups: []string{}}, How: "link"},
		"body.role":  {AccountRequest: AccountRequest{Name: "x", Role: "king", All: true, Sites: []string{}, Groups: []string{}}, How: "link"},
	} {
		if a := w.do(root, "POST", "/api/accounts", bad); a.StatusCode != 422 || !strings.Contains(string(a.body), field) {
			t.Errorf("%s: %s %s", field, a.Status, a.body)
		}
	}
	made := decode[AccountLink](t, w.do(root, "POST", "/api/accounts", InviteRequest{AccountRequest: r, How: "mail"}), 201)
	if made.Link != "" || made.Account.LinkUntil == nil || !made.Account.LinkUntil.Equal(t0.Add(72*time.Hour)) {
		t.Errorf("invited by mail: %+v", made)
	}
	var m store.Mail
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		it, err := store.First(store.List[store.Mail](tx, "", "", false))
		m = it.Row
		return err
	})
	if err != nil || m.To != "lea@example.fr" {
		t.Fatalf("%v %+v", err, m)
	}
	_, token, _ := strings.Cut(m.Text, "https://bornes.example.fr/#login=")
	token, _, _ = strings.Cut(token, "\n")
	w.later(71 * time.Hour)
	if a := w.do("", "POST", "/api/login/link", LoginRequest{Token: token}); a.StatusCode != 200 {
		t.Errorf("by the mail's link: %s %s", a.Status, a.body)
	}
	root = w.as(accounts.Administrator)
	if lea := w.accountOf(root, "Léa Favre"); lea.LastLogin == nil || lea.LinkUntil != nil || lea.Role != "correspondant" || len(lea.Sites) != 1 || lea.Sites[0].Name != "Collège a" {
		t.Errorf("after the first login: %+v", lea)
	}
	if a := w.do(root, "POST", "/api/accounts", InviteRequest{AccountRequest: r, How: "link"}); a.StatusCode != 422 || !strings.Contains(string(a.body), "body.email") {
		t.Errorf("the same address again: %s %s", a.Status, a.body)
	}
	r.Email, r.Name = "", "Nils"
	if a := w.do(root, "POST", "/api/accounts", InviteRequest{AccountRequest: r, How: "mail"}); a.StatusCode != 422 {
		t.Errorf("a mail to nobody: %s %s", a.Status, a.body)
	}
	shown := decode[AccountLink](t, w.do(root, "POST", "/api/accounts", InviteRequest{AccountRequest: r, How: "link"}), 201)
	if !strings.HasPrefix(shown.Link, "https://bornes.example.fr/#login=") || strings.Contains(string(w.do(root, "GET", "/api/accounts", nil).body), shown.Link[len(shown.Link)-22:]) {
		t.Errorf("a link that is shown once: %+v", shown)
	}
	// A computer that was left open opens no account.
	w.later(31 * time.Minute)
	for _, q := range [][2]string{{"POST", "/api/accounts"}, {"PUT", "/api/accounts/" + shown.Account.ID}, {"POST", "/api/accounts/" + shown.Account.ID + "/link"}, {"POST", "/api/tokens"}, {"DELETE", "/api/accounts/" + shown.Account.ID}} {
		body := map[string]any{"POST /api/accounts": InviteRequest{AccountRequest: r, How: "link"}, "POST /api/tokens": TokenRequest{Name: "Export", Role: "observer", All: true, Sites: []string{}, Groups: []string{}, Days: 3}}[q[0]+" "+q[1]]
		if body == nil && q[0] == "PUT" {
			body = r
		} else if body == nil && q[0] == "POST" {
			body = LinkRequest{How: "link"}
		}
		match := map[bool]string{true: `"1"`}[q[0] != "POST"]
		if a := w.do(root, q[0], q[1], body, "If-Match", match); a.StatusCode != 403 || !strings.Contains(string(a.body), "30 minutes") {
			t.Errorf("%s %s after half an hour: %s", q[0], q[1], a.Status)
		}
	}
}

func TestNobodyRaisesTheirOwnRightsOrLocksEverybodyOut(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	me := w.accountOf(root, "Ada administrator")
	put := func(cookie string, v AccountView, r AccountRequest) answered {
		return w.do(cookie, "PUT", "/api/accounts/"+v.ID, r, "If-Match", etag(v.Rev))
	}
	own := AccountRequest{Name: "Ada B.", Role: "administrator", All: true, Sites: []string{}, Groups: []string{}}
	renamed := decode[AccountView](t, put(root, me, own), 200) // a name is no right
	for what, r := range map[string]AccountRequest{
		"another role":  {Name: "Ada", Role: "dpo", All: true, Sites: []string{}, Groups: []string{}},
		"other sites":   {Name: "Ada", Role: "administrator", Sites: []string{"a"}, Groups: []string{}},
		"being closed":  {Name: "Ada", Role: "administrator", All: true, Sites: []string{}, Groups: []string{}, Suspended: true},
		"another group": {Name: "Ada", Role: "administrator", Sites: []string{"b"}, Groups: []string{}},
	} {
		if a := put(root, renamed, r); a.StatusCode != 403 {
			t.Errorf("%s for oneself: %s %s", what, a.Status, a.body)
		}
	}
	if a := w.do(root, "DELETE", "/api/accounts/"+me.ID, nil, "If-Match", etag(renamed.Rev)); a.StatusCode != 403 {
		t.Errorf("removing oneself: %s", a.Status)
	}
	// Another one may; but somebody stays who may do everything. An administrator of
	// some sites is not one.
	other := decode[AccountLink](t, w.do(root, "POST", "/api/accounts", InviteRequest{AccountRequest: AccountRequest{Name: "Bea", Role: "administrator", All: true, Sites: []string{}, Groups: []string{}}, How: "link"}), 201)
	_, token, _ := strings.Cut(other.Link, "#login=")
	cookie, _, err := w.acc.Redeem(context.Background(), token, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	some := w.as(accounts.Administrator, "a")
	if a := w.do(some, "GET", "/api/accounts", nil); a.StatusCode != 403 {
		t.Errorf("an administrator of one site sees accounts: %s", a.Status)
	}
	down := decode[AccountView](t, put(cookie, renamed, AccountRequest{Name: "Ada", Role: "administrator", Sites: []string{"a"}, Groups: []string{}}), 200)
	if a := w.do(root, "GET", "/api/accounts", nil); a.StatusCode != 403 {
		t.Errorf("after the rights are gone: %s", a.Status)
	}
	if err := w.acc.Disable(context.Background(), audit.Controller, other.Account.ID); err == nil {
		t.Error("the last one is closed from the command line")
	}
	if err := w.acc.Remove(context.Background(), accounts.Person{ID: "x"}, other.Account.ID, w.accountOf(cookie, "Bea").Rev); err == nil {
		t.Error("the last one is removed")
	}
	// Suspended, and back: what opens the account stays, its sessions end.
	gone := decode[AccountView](t, put(cookie, down, AccountRequest{Name: "Ada", Role: "administrator", Sites: []string{"a"}, Groups: []string{}, Suspended: true}), 200)
	if a := w.do(root, "GET", "/api/me", nil); a.StatusCode != 401 {
		t.Errorf("a suspended account's session: %s", a.Status)
	}
	if a := w.do(cookie, "POST", "/api/accounts/"+me.ID+"/link", LinkRequest{How: "link"}); a.StatusCode != 409 {
		t.Errorf("a link to a suspended account: %s %s", a.Status, a.body)
	}
	if a := put(cookie, down, own); a.StatusCode != 412 {
		t.Errorf("over an old state: %s", a.Status)
	}
	if a := w.do(cookie, "PUT", "/api/accounts/"+me.ID, own); a.StatusCode != 428 {
		t.Errorf("without a state: %s", a.Status)
	}
	if a := w.do(cookie, "DELETE", "/api/accounts/"+me.ID, nil, "If-Match", etag(gone.Rev)); a.StatusCode != 204 {
		t.Errorf("removing: %s %s", a.Status, a.body)
	}
	var did []string
	for _, e := range decode[AuditPage](t, w.do(cookie, "GET", "/api/audit?limit=200", nil), 200).Entries {
		if strings.HasPrefix(e.Action, "user.") {
			did = append(did, e.Action)
		}
	}
	for _, want := range []string{"user.created", "user.changed", "user.rights", "user.disabled", "user.removed"} {
		if !slices.Contains(did, want) {
			t.Errorf("the audit has %q and not %s", did, want)
		}
	}
}

func TestAccountsComeByPages(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	for range 6 {
		w.somebody()
	}
	seen := map[string]bool{}
	pages, before := 0, ""
	for {
		p := decode[AccountsView](t, w.do(root, "GET", "/api/accounts?limit=3&before="+before, nil), 200)
		pages++
		for _, a := range p.Accounts {
			if seen[a.ID] {
				t.Errorf("%s comes twice", a.ID)
			}
			seen[a.ID] = true
		}
		if before = p.Next; before == "" {
			break
		}
	}
	if len(seen) != 7 || pages != 3 {
		t.Errorf("%d accounts on %d pages", len(seen), pages)
	}
	if a := w.do(root, "GET", "/api/accounts?limit=201", nil); a.StatusCode != 422 {
		t.Errorf("too many at once: %s", a.Status)
	}
}

func TestAKeyOpensWhatItsRoleMay(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	if a := w.do(root, "POST", "/api/tokens", map[string]any{"name": "Export", "all": true, "sites": []string{}, "groups": []string{}, "days": 30}); a.StatusCode != 422 {
		t.Errorf("a key without a role: %s", a.Status)
	}
	for _, days := range []int{0, 367} {
		if a := w.do(root, "POST", "/api/tokens", TokenRequest{Name: "Export", Role: "observer", All: true, Sites: []string{}, Groups: []string{}, Days: days}); a.StatusCode != 422 {
			t.Errorf("a key for %d days: %s", days, a.Status)
		}
	}
	if a := w.do(root, "POST", "/api/tokens", TokenRequest{Name: "Export", Role: "head", All: true, Sites: []string{}, Groups: []string{}, Days: 3}); a.StatusCode != 422 {
		t.Errorf("a key in a head's name: %s", a.Status)
	}
	made := decode[TokenMade](t, w.do(root, "POST", "/api/tokens", TokenRequest{Name: "Export", Role: "correspondant", Sites: []string{"a"}, Groups: []string{}, Days: 30}), 201)
	if !strings.HasPrefix(made.Key, "borne_") || !made.Token.Works || made.Token.Used != nil {
		t.Errorf("made: %+v", made)
	}
	secret := made.Key[len(made.Key)-43:]
	if strings.Contains(string(w.do(root, "GET", "/api/tokens", nil).body), secret) {
		t.Error("the key is shown again")
	}
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		_, doc, err := tx.Get(store.KindToken, made.Token.ID)
		if strings.Contains(string(doc), secret) {
			t.Error("the key is kept")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	get := func(key, path string) int { return w.ask("", key, "GET", path, nil).StatusCode }
	if get(made.Key, "/api/sites/a/hours") != 200 || get(made.Key, "/api/sites/b/hours") != 403 {
		t.Error("the key opens other sites than its own")
	}
	if me := decode[Me](t, w.ask("", made.Key, "GET", "/api/me", nil), 200); me.Name != "Export" || me.Role != "correspondant" {
		t.Errorf("who the key is: %+v", me)
	}
	// A key counts, and no cookie beside it.
	if a := w.do(root, "GET", "/api/accounts", nil, "Authorization", "Bearer "+made.Key); a.StatusCode != 403 {
		t.Errorf("a key with an administrator's cookie: %s", a.Status)
	}
	for _, h := range []string{"Bearer", "Bearer ", "Basic cm9vdDpyb290", "Bearer " + made.Key[:len(made.Key)-1], "Bearer " + made.Key + "x", "Bearer " + strings.Replace(made.Key, secret[:8], "AAAAAAAA", 1)} {
		a := w.do(root, "GET", "/api/me", nil, "Authorization", h)
		if a.StatusCode != 401 || a.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%q: %s", h, a.Status)
		}
	}
	// It changes things without the console's headers, and the audit names it.
	if a := w.ask("", made.Key, "POST", "/api/spaces/a-hall/awake", AwakeRequest{Minutes: 60}); a.StatusCode != 202 {
		t.Errorf("a change by key: %s %s", a.Status, a.body)
	}
	h := fresh().Hours
	h.Weekly[6] = hoursOf(540, 720)
	if a := w.ask("", made.Key, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h}, "If-Match", w.rev("a")); a.StatusCode != 200 {
		t.Errorf("hours by key: %s %s", a.Status, a.body)
	}
	found := false
	for _, e := range decode[AuditPage](t, w.do(root, "GET", "/api/audit?limit=200", nil), 200).Entries {
		found = found || e.Action == "policy.changed" && e.Actor == "Export (programme)"
	}
	if !found {
		t.Error("the audit does not name the program")
	}
	// Its maker answers for it.
	maker := w.accountOf(root, "Ada administrator")
	other := decode[AccountLink](t, w.do(root, "POST", "/api/accounts", InviteRequest{AccountRequest: AccountRequest{Name: "Bea", Role: "administrator", All: true, Sites: []string{}, Groups: []string{}}, How: "link"}), 201)
	_, token, _ := strings.Cut(other.Link, "#login=")
	bea, _, err := w.acc.Redeem(context.Background(), token, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	r := AccountRequest{Name: maker.Name, Role: "administrator", All: true, Sites: []string{}, Groups: []string{}, Suspended: true}
	v := decode[AccountView](t, w.do(bea, "PUT", "/api/accounts/"+maker.ID, r, "If-Match", etag(maker.Rev)), 200)
	if get(made.Key, "/api/me") != 401 {
		t.Error("the key of somebody who is suspended works")
	}
	r.Suspended = false
	decode[AccountView](t, w.do(bea, "PUT", "/api/accounts/"+maker.ID, r, "If-Match", etag(v.Rev)), 200)
	if get(made.Key, "/api/me") != 200 {
		t.Error("the key does not work again")
	}
	if all := decode[TokensView](t, w.do(bea, "GET", "/api/tokens", nil), 200).Tokens; len(all) != 1 || all[0].Used == nil || all[0].By != "Ada administrator" {
		t.Errorf("the list: %+v", all)
	}
	decode[TokensView](t, w.do(bea, "DELETE", "/api/tokens/"+made.Token.ID, nil), 200)
	if get(made.Key, "/api/me") != 401 {
		t.Error("a revoked key works")
	}
	short := decode[TokenMade](t, w.do(bea, "POST", "/api/tokens", TokenRequest{Name: "Court", Role: "observer", All: true, Sites: []string{}, Groups: []string{}, Days: 1}), 201)
	w.later(23 * time.Hour)
	if get(short.Key, "/api/me") != 200 {
		t.Error("a key ends before its day")
	}
	w.later(time.Hour)
	if get(short.Key, "/api/me") != 401 {
		t.Error("a key works after its day")
	}
}

func TestAKeyIsSlowedDown(t *testing.T) {
	w := start(t)
	key, other := w.key(accounts.Observer), w.key(accounts.Observer)
	var last answered
	for range 60 {
		last = w.ask("", key, "GET", "/api/me", nil)
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
		t.Errorf("after sixty requests at once: %s", last.Status)
	}
	if a := w.ask("", other, "GET", "/api/me", nil); a.StatusCode != 200 {
		t.Errorf("another key: %s", a.Status)
	}
	w.later(10 * time.Second)
	if a := w.ask("", key, "GET", "/api/me", nil); a.StatusCode != 200 {
		t.Errorf("after a while: %s", a.Status)
	}
	for i := range 30 {
		last = w.ask("", fmt.Sprintf("borne_%016x_%s", i, strings.Repeat("A", 43)), "GET", "/api/me", nil)
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after thirty guesses: %s", last.Status)
	}
	if a := w.ask("", other, "GET", "/api/me", nil); a.StatusCode != 200 {
		t.Errorf("a good key from where somebody guesses: %s", a.Status)
	}
}
