package api

import (
	"iter"

	"borne/controller/consent"
	"borne/controller/store"
)

// paged takes rows until limit; next becomes the id to give as "before" for the
// page after, or stays empty at the end.
func paged[T store.Row](rows iter.Seq2[store.Item[T], error], limit int, next *string, take func(store.Item[T]) error) error {
	n, last := 0, ""
	for it, err := range rows {
		if err != nil {
			return err
		}
		if n == limit {
			*next = last
			return nil
		}
		if err := take(it); err != nil {
			return err
		}
		n, last = n+1, it.ID
	}
	return nil
}

// names looks up the people behind ids, each once.
type names struct {
	tx store.Tx
	by map[string]string
}

// of returns the user's name; the id itself when the account is gone, and
// nothing for the controller.
func (n names) of(id string) string {
	if id == "" {
		return ""
	}
	if s, ok := n.by[id]; ok {
		return s
	}
	s := id
	if id == consent.ByLink {
		s = "Chef d’établissement"
	}
	if u, err := store.Get[store.User](n.tx, id); err == nil {
		s = u.Row.Name
	} else if t, err := store.Get[store.Token](n.tx, id); err == nil {
		s = t.Row.Name + " (programme)"
	}
	n.by[id] = s
	return s
}
