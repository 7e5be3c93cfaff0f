package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"borne/controller/audit"
	"borne/controller/requisition"
	"borne/controller/store"
)

type auditIn struct {
	Before string `query:"before" maxLength:"200"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (a *API) audit(ctx context.Context, in *auditIn) (*out[AuditPage], error) {
	me := person(ctx)
	p := AuditPage{Entries: []AuditView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		p.Entries, p.Next = p.Entries[:0], ""
		people := names{tx: tx, by: map[string]string{audit.Controller: ""}}
		rows := func(yield func(store.Item[store.AuditEntry], error) bool) {
			for it, err := range store.List[store.AuditEntry](tx, "", in.Before, true) {
				// Somebody with some sites sees what was done there, and their own deeds.
				if err == nil && !me.Sees(it.Site) && it.Row.Actor != me.ID {
					continue
				}
				if !yield(it, err) {
					return
				}
			}
		}
		return paged(rows, in.Limit, &p.Next, func(it store.Item[store.AuditEntry]) error {
			r := it.Row
			p.Entries = append(p.Entries, AuditView{Seq: r.Seq, At: r.At, Actor: people.of(r.Actor), Action: r.Action, Site: it.Site,
				Target: r.Target, Detail: r.Detail, Hash: list(r.Hash)})
			return nil
		})
	})
	if err != nil {
		return nil, a.fail(opAudit, err)
	}
	return answer(p), nil
}

func (a *API) inventory(ctx context.Context, _ *nothing) (*out[Inventory], error) {
	v := Inventory{Fields: []InventoryEntry{}, Classes: a.kept(), Held: []HeldClass{}}
	for _, f := range a.Inventory {
		v.Fields = append(v.Fields, InventoryEntry(f))
	}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v.Held = v.Held[:0]
		now, err := requisition.Now(tx, a.Now())
		if err != nil {
			return err
		}
		me := person(ctx)
		now = slices.DeleteFunc(now, func(h requisition.Hold) bool { return !slices.ContainsFunc(h.Row.Sites, me.Sees) })
		for _, class := range requisition.Classes() {
			if held := now.Of(class); len(held) > 0 {
				v.Held = append(v.Held, HeldClass{Class: class, Until: held.Until()})
			}
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opInventory, err)
	}
	return answer(v), nil
}

func (a *API) document(w http.ResponseWriter, _ *http.Request) {
	b, err := a.Document()
	if err != nil {
		a.Log.Error("request failed", "op", opOpenAPI, "error", err)
		writeProblem(w, errInternal())
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // the client may be gone
}
