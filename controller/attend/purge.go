package attend

import (
	"time"

	"borne/controller/store"
)

// chunk is how many rows one transaction deletes: retention.Chunk.
const chunk = 500

// Purge deletes matters that were over before a time. Those that go on stay,
// however old.
func Purge(tx store.Tx, before, _ time.Time) (int, error) {
	var ids []string
	for it, err := range store.List[store.Matter](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if !it.Row.Open() && it.Row.Ended.Before(before) {
			if ids = append(ids, it.ID); len(ids) == chunk {
				break
			}
		}
	}
	for _, id := range ids {
		if err := tx.Delete(store.KindMatter, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
