package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/store"
)

// CheckHook, HookKey and TryHook do what the server does, without its network.
func (w *world) CheckHook(address string) error {
	if !strings.HasPrefix(address, "https://") {
		return refusal("L’adresse doit commencer par https://.")
	}
	return nil
}

type refusal string

func (r refusal) Error() string  { return "cannot use the address" }
func (r refusal) French() string { return string(r) }

func (w *world) HookKey(id string, turn int) string { return fmt.Sprintf("key-%s-%d", id, turn) }

func (w *world) TryHook(tx store.Tx, id string) error {
	return put(tx, store.Meta{ID: store.TimeID(w.api.Now(), id)}, store.HookPost{Hook: id, Body: []byte("{}"), Test: true, Queued: w.api.Now()})
}

func aHook() HookRequest {
	return HookRequest{Name: "Supervision", Address: "https://supervision.example.fr/borne?token=s3cret", On: true, Level: "soon", Sites: []string{}}
}

// hooked makes sure that there is a system that is told, and returns its id: whoever
// came before may have filled the list or removed it.
func (w *world) hooked() string {
	w.t.Helper()
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		for h, err := range store.List[store.Hook](tx, "", "", false) {
			if err != nil {
				return err
			}
			if h.ID != "hook-1" {
				if err := tx.Delete(store.KindHook, h.ID); err != nil {
					return err
				}
			}
		}
		_, err := store.Get[store.Hook](tx, "hook-1")
		if errors.Is(err, store.ErrNotFound) {
			return put(tx, store.Meta{ID: "hook-1"}, store.Hook{Name: "Supervision", Address: "https://a.example.fr", Level: "soon"})
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return "hook-1"
}

func TestHooks(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	made := decode[HookView](t, w.do(root, "POST", "/api/hooks", aHook()), http.StatusCreated)
	if made.Key != "key-"+made.ID+"-0" {
		t.Errorf("its key is %q", made.Key)
	}
	all := decode[HookList](t, w.do(root, "GET", "/api/hooks", nil), 200)
	if len(all.Hooks) != 1 || all.Hooks[0].Key != "" || all.Hooks[0].Address != aHook().Address {
		t.Errorf("%+v", all)
	}
	changed := aHook()
	changed.Sites, changed.Night, changed.Address = []string{"b", "a", "b"}, true, " https://other.example.fr/ "
	got := decode[HookView](t, w.do(root, "PUT", "/api/hooks/"+made.ID, changed, "If-Match", strconv.Quote(made.Rev)), 200)
	if strings.Join(got.Sites, ",") != "a,b" || !got.Night || got.Key != "" || got.Address != "https://other.example.fr/" {
		t.Errorf("%+v", got)
	}
	if v := decode[HookView](t, w.do(root, "POST", "/api/hooks/"+made.ID+"/key", nil), 200); v.Key != "key-"+made.ID+"-1" {
		t.Errorf("its next key is %q", v.Key)
	}
	for range 2 { // pressing twice is one try
		if v := decode[HookView](t, w.do(root, "POST", "/api/hooks/"+made.ID+"/try", nil), 202); v.Waiting != 1 {
			t.Errorf("%d posts wait", v.Waiting)
		}
	}
	for want, change := range map[string]func(*HookRequest){
		"body.name":    func(r *HookRequest) { r.Name = "  " },
		"body.address": func(r *HookRequest) { r.Address = "http://10.0.0.1/x" },
		"body.sites":   func(r *HookRequest) { r.Sites = []string{"a", "nowhere"} },
		"body.level":   func(r *HookRequest) { r.Level = "never" },
	} {
		bad := aHook()
		change(&bad)
		for _, at := range [][2]string{{"POST", "/api/hooks"}, {"PUT", "/api/hooks/" + made.ID}} {
			if a := w.do(root, at[0], at[1], bad, "If-Match", map[string]string{"PUT": strconv.Quote(got.Rev)}[at[0]]); a.StatusCode != 422 || !strings.Contains(string(a.body), want) || strings.Contains(string(a.body), "s3cret") {
				t.Errorf("%s %s: %s %s, want %s", at[0], at[1], a.Status, a.body, want)
			}
		}
	}
	for range maxHooks - 1 {
		decode[HookView](t, w.do(root, "POST", "/api/hooks", aHook()), http.StatusCreated)
	}
	if a := w.do(root, "POST", "/api/hooks", aHook()); a.StatusCode != 409 {
		t.Errorf("an eleventh: %s", a.Status)
	}
	if a := w.do(root, "DELETE", "/api/hooks/"+made.ID, nil); a.StatusCode != 204 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	for _, at := range [][2]string{{"DELETE", ""}, {"POST", "/try"}, {"POST", "/key"}} {
		if a := w.do(root, at[0], "/api/hooks/"+made.ID+at[1], nil); a.StatusCode != 404 {
			t.Errorf("%s%s of one that is gone: %s", at[0], at[1], a.Status)
		}
	}
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		for p, err := range store.List[store.HookPost](tx, "", "", false) {
			t.Errorf("what waited for it is still there: %+v %v", p, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	trail := w.do(root, "GET", "/api/audit?limit=100", nil)
	for _, action := range []string{"hook.added", "hook.changed", "hook.key", "hook.removed"} {
		if !strings.Contains(string(trail.body), action) {
			t.Errorf("the audit lacks %s", action)
		}
	}
	if strings.Contains(string(trail.body), "s3cret") || strings.Contains(string(trail.body), "key-") {
		t.Error("the audit tells a secret")
	}
}
