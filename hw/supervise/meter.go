package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"borne/hw"
)

// meterEvery is how often a meter is read, to find out that it is lost.
const meterEvery = time.Minute

// Meter is a supervised meter.
type Meter struct {
	*Supervisor
	cfg Config

	last  float64 // these three are the supervisor's alone; they outlive an opening
	have  bool    // last is known
	reset error   // found by a look that nobody asked for: whoever asks next is told

	mu      sync.Mutex
	serving *meterService // nil while the device is not there
}

// meterService is one opening of the device.
type meterService struct {
	orders chan chan metered
	gone   chan struct{} // closed when it ends
}

type metered struct {
	energy hw.Energy
	err    error
}

// StartMeter supervises the meter that open opens, until ctx ends. It returns at
// once, whatever the hardware does.
func StartMeter(ctx context.Context, cfg Config, open func(context.Context) (hw.Meter, error)) (*Meter, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Meter{cfg: cfg}
	m.Supervisor = start(ctx, cfg, job[hw.Meter]{
		open:  open,
		begin: m.begin,
		serve: m.serve,
		lost:  func(context.Context) {},
		end:   func() {},
	})
	return m, nil
}

// Wh reads the meter's counter now: since its own start, so that two readings
// also tell what was drawn while the terminal was off. It fails while the meter
// cannot be read. A counter that went back fails once with hw.ErrMeterReset: what
// was read before it is of no use then.
func (m *Meter) Wh(ctx context.Context) (float64, error) {
	e, err := m.Read(ctx)
	return e.Wh, err
}

// Read is Wh with the watts of now.
func (m *Meter) Read(ctx context.Context) (hw.Energy, error) {
	m.mu.Lock()
	s := m.serving
	m.mu.Unlock()
	absent := func() (hw.Energy, error) {
		return hw.Energy{}, fmt.Errorf("cannot read meter %s now: %w", m.cfg.Name, hw.ErrAbsent)
	}
	if s == nil {
		return absent()
	}
	ask := make(chan metered, 1) // takes one without waiting
	select {
	case s.orders <- ask:
	case <-s.gone:
		return absent()
	case <-ctx.Done():
		return hw.Energy{}, ctx.Err()
	}
	select {
	case a := <-ask:
		return a.energy, a.err
	case <-ctx.Done():
		return hw.Energy{}, ctx.Err()
	}
}

// begin takes orders for a device from before it is said to be ready.
func (m *Meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serving = &meterService{orders: make(chan chan metered), gone: make(chan struct{})}
}

func (m *Meter) serve(ctx context.Context, dev hw.Meter, _ func(error)) error {
	m.mu.Lock()
	s := m.serving
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.serving = nil
		m.mu.Unlock()
		close(s.gone)
	}()
	tctx, stop := context.WithCancel(ctx)
	ticks, ticking := make(chan struct{}), sync.WaitGroup{}
	ticking.Go(func() {
		for m.cfg.Clock.Sleep(tctx, meterEvery) == nil {
			select {
			case ticks <- struct{}{}:
			case <-tctx.Done():
			}
		}
	})
	defer ticking.Wait()
	defer stop()
	for {
		var err error
		select {
		case ask := <-s.orders:
			var a metered
			if a.energy, err = m.look(ctx, dev); err != nil {
				a = metered{err: err}
			} else if m.reset != nil {
				a, m.reset = metered{err: m.reset}, nil
			}
			ask <- a
		case <-ticks:
			_, err = m.look(ctx, dev)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return errors.Join(err, dev.Close())
		}
	}
}

// look reads the counter, and notes when it went back: that is no failure.
func (m *Meter) look(ctx context.Context, dev hw.Meter) (hw.Energy, error) {
	e, err := dev.Read(ctx)
	if err != nil {
		return hw.Energy{}, err
	}
	if m.have && e.Wh < m.last {
		m.reset = fmt.Errorf("cannot tell what meter %s measured: %w, from %.1f to %.1f Wh", m.cfg.Name, hw.ErrMeterReset, m.last, e.Wh)
		m.cfg.Log.Warn("a meter was reset", "name", m.cfg.Name, "device", m.cfg.Device, "err", m.reset)
	}
	m.last, m.have = e.Wh, true
	return e, nil
}
