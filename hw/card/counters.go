package card

import (
	"container/list"
	"errors"
	"sync"
)

// MaxCounters is the most badges that Counters can hold.
const MaxCounters = 1 << 16

// Counters holds the last count that each badge was seen with: a count that does
// not rise is a copy of an earlier message. It is in RAM and bounded, and knows
// badges by their keyed pseudonyms; when it is full the badge unseen for longest
// is forgotten. Safe for concurrent use, so that all readers of a terminal share
// one: what was read at the one is not taken again by the other.
type Counters struct {
	mu    sync.Mutex
	size  int
	seen  map[[32]byte]*list.Element
	order *list.List // of seenCount, latest first
}

type seenCount struct {
	key   [32]byte
	count uint32
}

// NewCounters returns counters for size badges.
func NewCounters(size int) (*Counters, error) {
	if size < 1 || size > MaxCounters {
		return nil, errors.New("cannot count badges: the number of them must be between 1 and 65536")
	}
	return &Counters{size: size, seen: map[[32]byte]*list.Element{}, order: list.New()}, nil
}

// Rises takes a badge's count and says whether it is higher than the one before.
// A count that is not changes nothing.
func (c *Counters) Rises(key [32]byte, count uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.seen[key]; ok {
		last := e.Value.(*seenCount)
		c.order.MoveToFront(e) // an attacker's flood must not make us forget it
		if count <= last.count {
			return false
		}
		last.count = count
		return true
	}
	if len(c.seen) == c.size {
		oldest := c.order.Back()
		delete(c.seen, oldest.Value.(*seenCount).key)
		c.order.Remove(oldest)
	}
	c.seen[key] = c.order.PushFront(&seenCount{key, count})
	return true
}
