// Package meter reads energy meters over local HTTP: Shelly plugs and relays of
// the first generation and of those after it, and whatever runs Tasmota.
//
// A meter that asks for a password is refused: device names are shown to staff,
// and must not hold one. Let only the terminals' network reach it instead.
package meter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"borne/hw"
)

// Dialects of meters: the drivers' names.
const (
	Shelly1 = "shelly1"
	Shelly2 = "shelly2"
	Tasmota = "tasmota"
)

// Dialects lists them.
func Dialects() []string { return []string{Shelly1, Shelly2, Tasmota} }

// question is one address of a meter, and how its answer is read.
type question struct {
	path string
	read func([]byte) (hw.Energy, error)
}

// questions lists where a dialect tells its counter: models differ, and the
// first that knows is asked from then on.
func questions(dialect, channel string) []question {
	switch dialect {
	case Shelly1:
		return []question{{"/meter/" + channel, ParseShelly1}, {"/emeter/" + channel, ParseShellyEM}}
	case Shelly2:
		return []question{{"/rpc/Switch.GetStatus?id=" + channel, ParseShelly2}, {"/rpc/PM1.GetStatus?id=" + channel, ParseShelly2}}
	case Tasmota:
		return []question{{"/cm?cmnd=Status%208", ParseTasmota}}
	}
	return nil
}

// Meter is an open meter. Safe for concurrent use; readings come one after the other.
type Meter struct {
	name   string
	client *client
	ask    []question // asked in this order until one is known
	closed atomic.Bool
	end    context.CancelFunc
	ctx    context.Context // ends with Close

	mu sync.Mutex
}

// Open opens the meter of a dialect at host, or host:port, and reads it once. Name
// is how errors call it; channel counts from 0 and is not asked of a Tasmota.
func Open(ctx context.Context, name, dialect, host, channel string) (*Meter, error) {
	ask := questions(dialect, channel)
	if ask == nil {
		return nil, fmt.Errorf("cannot open meter %s: dialect %.20q is none of %s", name, dialect, strings.Join(Dialects(), ", "))
	}
	m := &Meter{name: name, client: newClient(host), ask: ask}
	m.ctx, m.end = context.WithCancel(context.Background())
	for i, q := range ask {
		_, err := m.query(ctx, q)
		if errors.Is(err, errMissing) && i+1 < len(ask) {
			continue
		}
		if err != nil {
			m.end()
			return nil, fmt.Errorf("cannot open meter %s: %w", name, err)
		}
		m.ask = ask[i : i+1]
		break
	}
	return m, nil
}

// query asks one question.
func (m *Meter) query(ctx context.Context, q question) (hw.Energy, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	b, err := m.client.get(ctx, q.path)
	if err != nil {
		return hw.Energy{}, err
	}
	return q.read(b)
}

// Read implements hw.Meter.
func (m *Meter) Read(ctx context.Context) (hw.Energy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		return hw.Energy{}, fmt.Errorf("cannot read meter %s: %w", m.name, hw.ErrClosed)
	}
	e, err := m.query(ctx, m.ask[0])
	switch {
	case err != nil && m.closed.Load():
		return hw.Energy{}, fmt.Errorf("cannot read meter %s: %w", m.name, hw.ErrClosed)
	case err != nil:
		return hw.Energy{}, fmt.Errorf("cannot read meter %s: %w", m.name, err)
	}
	return e, nil
}

// Close implements hw.Meter, and ends a reading that is under way.
func (m *Meter) Close() error {
	m.closed.Store(true)
	m.end()
	return nil
}
