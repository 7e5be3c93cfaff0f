package compliance

import (
	"errors"
	"testing"

	"borne/controller/store"
	"borne/controller/wire"
)

func TestHello(t *testing.T) {
	for name, c := range map[string]struct {
		cursor     store.Cursor
		generation uint64
		hello      wire.Hello
		epoch, seq uint64
		reason     wire.Reason
	}{
		"first":                    {store.Cursor{}, 1, wire.Hello{}, 1, 0, ""},
		"goes on":                  {store.Cursor{Epoch: 2, Seq: 9}, 1, wire.Hello{Epoch: 2, Seq: 12}, 2, 9, ""},
		"nothing new":              {store.Cursor{Epoch: 2, Seq: 9}, 1, wire.Hello{Epoch: 2, Seq: 9}, 2, 9, ""},
		"rolled back":              {store.Cursor{Epoch: 2, Seq: 9}, 1, wire.Hello{Epoch: 2, Seq: 8}, 3, 0, wire.QuarRolledBack},
		"an older epoch":           {store.Cursor{Epoch: 2, Seq: 9}, 1, wire.Hello{Epoch: 1, Seq: 80}, 3, 0, wire.QuarRolledBack},
		"journal lost":             {store.Cursor{Epoch: 1, Seq: 9}, 1, wire.Hello{}, 2, 0, wire.QuarRolledBack},
		"welcome lost":             {store.Cursor{Epoch: 1}, 1, wire.Hello{}, 1, 0, ""},
		"restored":                 {store.Cursor{Epoch: 1, Seq: 5}, 2, wire.Hello{Epoch: 1, Seq: 90}, 1, 5, ""},
		"restored before an epoch": {store.Cursor{Epoch: 1, Seq: 5}, 2, wire.Hello{Epoch: 2, Seq: 3}, 2, 0, ""},
		"an epoch never granted":   {store.Cursor{Epoch: 1, Seq: 5}, 1, wire.Hello{Epoch: 7, Seq: 3}, 8, 0, ""},
		"sim of a sudden":          {store.Cursor{Epoch: 1}, 1, wire.Hello{Epoch: 1, Sim: true}, 1, 0, wire.QuarReceiptSim},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.decide(func(tx store.Tx) error {
				return errors.Join(tx.SetCursor("t1", c.cursor), store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: c.generation}}))
			})
			got := w.hello(c.hello)
			if got.Epoch != c.epoch || got.Cursor != c.seq || got.Generation != c.generation || got.Quarantine != string(c.reason) || got.Terminal != "Poste 1" {
				t.Errorf("welcome %+v", got)
			}
			w.decide(func(tx store.Tx) error {
				if cur, err := tx.Cursor("t1"); err != nil || cur.Epoch != c.epoch || cur.Seq != c.seq {
					t.Errorf("cursor %+v %v", cur, err)
				}
				return nil
			})
		})
	}
}

// TestHelloTellsWhoHelps: what the screens say of the place comes from its rows.
func TestHelloTellsWhoHelps(t *testing.T) {
	w := newWorld(t, nil)
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, "t1")
		if err != nil {
			return err
		}
		return store.Put(tx, store.Item[store.Space]{Meta: store.Meta{ID: it.Row.Space, Site: it.Site, Scope: it.Row.Space}, Row: store.Space{Name: "Hall", Contact: "Loge du gardien"}})
	})
	if got := w.hello(wire.Hello{}); got.Place != "Hall" || got.Contact != "Loge du gardien" {
		t.Errorf("welcome %+v", got)
	}
}

func TestHelloChain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.ChainHead)
		reason wire.Reason
	}{
		"same":        {func(*wire.ChainHead) {}, ""},
		"ahead":       {func(h *wire.ChainHead) { h.Index += 4; h.Digest = []byte("later") }, ""},
		"new segment": {func(h *wire.ChainHead) { h.Segment++; h.Index = 1 }, ""},
		"behind":      {func(h *wire.ChainHead) { h.Index-- }, wire.QuarRolledBack},
		"two heads":   {func(h *wire.ChainHead) { h.Digest = []byte("other") }, wire.QuarClone},
	} {
		w := newWorld(t, nil)
		p := w.permits()
		for i := range 2 {
			s := w.begin(p[i])
			w.hand(w.receipt(s, p[i]))
		}
		h := w.head
		c.change(&h)
		if got := w.hello(wire.Hello{Chain: h}); got.Quarantine != string(c.reason) {
			t.Errorf("%s: quarantine %q, want %q", name, got.Quarantine, c.reason)
		}
	}
}
