package tell

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"borne/controller/attend"
	"borne/controller/store"
	"borne/controller/webhook"
)

func (w *world) hook(id string, row store.Hook) {
	w.t.Helper()
	row.On = true
	w.decide(func(tx store.Tx) error { return put(tx, store.Meta{ID: id}, row) })
}

// posts goes on minute by minute, and returns when which hook was told of what.
func (w *world) posts(to time.Time) string {
	w.t.Helper()
	before := w.now
	w.until(to)
	var all []string
	w.decide(func(tx store.Tx) error {
		all = nil
		for it, err := range store.List[store.HookPost](tx, "", "", false) {
			if err != nil {
				return err
			}
			var p Post
			if err := json.Unmarshal(it.Row.Body, &p); err != nil {
				return err
			}
			if it.Row.Queued.Before(before) {
				continue
			}
			all = append(all, fmt.Sprintf("%s %s n:%d t:%d r:%d", p.At.In(w.d.Zone).Format("02 15:04"), it.Row.Hook, len(p.New), len(p.Again), len(p.Over)))
		}
		return nil
	})
	return strings.Join(all, "; ")
}

func TestAHookIsToldAsAPersonIs(t *testing.T) {
	w := start(t)
	w.hook("all", store.Hook{Level: "soon"})
	w.hook("b", store.Hook{Level: "soon", Sites: []string{"b"}})
	w.hook("night", store.Hook{Level: "urgent", Night: true})
	one := w.begin("a", attend.Offline, attend.Soon)
	w.begin("a", attend.ReaderLost, attend.Soon)
	w.begin("a", "printer-toner-low", attend.Notice)
	if got := w.posts(at(2, 12, 0)); got != "02 10:03 all n:2 t:0 r:0" {
		t.Error(got)
	}
	w.over(one)
	if got := w.posts(at(2, 18, 30)); got != "02 12:03 all n:0 t:0 r:1" {
		t.Error(got)
	}
	w.now = at(2, 23, 0)
	w.begin("b", attend.WipeFailed, attend.Urgent) // at night
	if got := w.posts(at(3, 8, 30)); got != "02 23:03 night n:1 t:0 r:0; 03 08:00 all n:1 t:0 r:0; 03 08:00 b n:1 t:0 r:0" {
		t.Error(got)
	}
}

func TestWhatAPostSays(t *testing.T) {
	w := start(t)
	w.hook("all", store.Hook{Level: "soon"})
	id := w.begin("a", attend.WipeFailed, attend.Urgent)
	w.posts(at(2, 10, 5))
	var p Post
	w.decide(func(tx store.Tx) error {
		for it, err := range store.List[store.HookPost](tx, "", "", false) {
			if err != nil {
				return err
			}
			return json.Unmarshal(it.Row.Body, &p)
		}
		return nil
	})
	if p.Type != "matters" || p.Console != "https://bornes.example.org/#/attend" || len(p.New) != 1 || p.Again == nil || p.Over == nil {
		t.Fatalf("%+v", p)
	}
	if n := p.New[0]; n.ID != id || n.Code != attend.WipeFailed || n.Level != "urgent" || n.Site != "a" || n.Terminal != "a-1" || n.Where != "Collège a, Hall, Poste 1" ||
		!strings.HasPrefix(n.Text, "L’effacement") || n.Fix == "" || !n.Since.Equal(at(2, 10, 0)) {
		t.Errorf("%+v", n)
	}
}

// TestAPostHasABound: however many matters, and whatever staff call a terminal.
func TestAPostHasABound(t *testing.T) {
	w := start(t)
	w.hook("all", store.Hook{Level: "soon"})
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error { it.Row.Name = strings.Repeat("<\u2028", 5000); return nil })
	})
	for i := range 90 {
		w.begin("a", fmt.Sprint(attend.DeviceLost, i), attend.Soon)
	}
	if got := w.posts(at(2, 10, 5)); got != "02 10:03 all n:20 t:0 r:0" {
		t.Fatal(got)
	}
	w.decide(func(tx store.Tx) error {
		for it, err := range store.List[store.HookPost](tx, "", "", false) {
			if err != nil {
				return err
			}
			var p Post
			if err := json.Unmarshal(it.Row.Body, &p); err != nil || p.More != 70 || 3*len(it.Row.Body) > webhook.MaxBody {
				t.Errorf("%d bytes, %d more, %v", len(it.Row.Body), p.More, err)
			}
		}
		return w.d.Try(tx, "all", w.now)
	})
}
