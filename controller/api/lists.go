package api

import (
	"context"
	"time"

	"borne/controller/store"
)

// ListView is one category of names that policies may name.
type ListView struct {
	Category string    `json:"category" doc:"Its label is in the catalogues under lists.<category>, where there is one"`
	Names    int       `json:"names"`
	Imported time.Time `json:"imported"`
}

// Lists is every category that was imported.
type Lists struct {
	Lists []ListView `json:"lists"`
}

func (a *API) lists(ctx context.Context, _ *nothing) (*out[Lists], error) {
	var all Lists
	err := a.Store.View(ctx, func(tx store.Tx) error {
		all.Lists = []ListView{}
		for it, err := range store.List[store.ListRow](tx, "", "", false) {
			if err != nil {
				return err
			}
			all.Lists = append(all.Lists, ListView{Category: it.ID, Names: it.Row.Names, Imported: it.Row.Imported})
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opLists, err)
	}
	return answer(all), nil
}
