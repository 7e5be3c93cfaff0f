package sim

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"borne/hw/meter"
)

// Faults of a simulated meter.
const (
	MeterSilent   = "silent"   // it takes the question and never answers
	MeterGarbage  = "garbage"  // its answer is cut
	MeterFlood    = "flood"    // its answer does not end
	MeterInvalid  = "invalid"  // it cannot measure
	MeterPassword = "password" // it asks for one
	MeterAway     = "away"     // it sends elsewhere
)

func meterFaults() []string {
	return []string{MeterSilent, MeterGarbage, MeterFlood, MeterInvalid, MeterPassword, MeterAway}
}

// usualWatts is what a terminal's meter shows when nobody says otherwise: a
// Raspberry Pi with its monitor.
const usualWatts = 23.1

// usedWh is what it has counted before: it is not new.
const usedWh = 1234

// maxMeterWatts bounds what a script can set.
const maxMeterWatts = 10000

// EnergyMeter is a simulated meter: it counts what watts draw on the bench's clock.
type EnergyMeter struct {
	clk Clock

	mu    sync.Mutex
	watts float64
	wh    float64
	at    time.Duration // up to which wh counts
	fault string
	asked int
}

// SetWatts changes what is drawn from now on.
func (m *EnergyMeter) SetWatts(w float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count()
	m.watts = w
}

// SetFault sets what is wrong with it: one of the Meter… constants, or "".
func (m *EnergyMeter) SetFault(f string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// Reset sets its counter to 0, as a person at its button can.
func (m *EnergyMeter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count()
	m.wh = 0
}

// Counted is what it has counted, in Wh, and what is drawn now, in W.
func (m *EnergyMeter) Counted() (wh, watts float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count()
	return m.wh, m.watts
}

// Asked is how often somebody has read it.
func (m *EnergyMeter) Asked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// count needs m.mu.
func (m *EnergyMeter) count() {
	now := m.clk.Now()
	m.wh += m.watts * (now - m.at).Hours()
	m.at = now
}

// Meter is the bench's energy meter.
func (b *Bench) Meter() *EnergyMeter { return b.meter }

// MeterServer is an opening of a bench's meter on a port of this machine: drivers
// cannot tell it from a real one.
type MeterServer struct {
	Host string // host:port
	srv  *http.Server
	done chan struct{}
	gone chan struct{}
	once sync.Once
}

// OpenMeter serves the bench's meter in a dialect until it is closed.
func (b *Bench) OpenMeter(dialect string) (*MeterServer, error) {
	if shape(dialect) == nil {
		return nil, fmt.Errorf("cannot open the simulated meter: dialect %.20q is none of %s", dialect, strings.Join(meter.Dialects(), ", "))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot open the simulated meter: %w", err)
	}
	s := &MeterServer{Host: l.Addr().String(), done: make(chan struct{}), gone: make(chan struct{})}
	s.srv = &http.Server{Handler: &meterHandler{b.meter, dialect, s.gone}, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.srv.Serve(l) // ends with Close, and then with nothing to say
	}()
	return s, nil
}

// Close stops serving.
func (s *MeterServer) Close() error {
	s.once.Do(func() { close(s.gone) })
	err := s.srv.Close()
	<-s.done
	return err
}

type meterHandler struct {
	meter   *EnergyMeter
	dialect string
	gone    <-chan struct{}
}

func (h *meterHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wh, watts := h.meter.Counted()
	h.meter.mu.Lock()
	fault := h.meter.fault
	h.meter.asked++
	h.meter.mu.Unlock()
	text, ok := shape(h.dialect)(r.URL, wh, watts, fault != MeterInvalid)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch fault {
	case MeterSilent:
		select {
		case <-r.Context().Done():
		case <-h.gone:
		}
		return
	case MeterGarbage:
		text = text[:len(text)/2]
	case MeterFlood:
		for range 4096 {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1024))); err != nil {
				return
			}
		}
	case MeterPassword:
		w.Header().Set("WWW-Authenticate", `Digest qop="auth", realm="shellyplugs-000000000000", nonce="1", algorithm=SHA-256`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	case MeterAway:
		http.Redirect(w, r, "http://203.0.113.7/", http.StatusFound)
		return
	}
	_, _ = w.Write([]byte(text)) // the driver may be gone
}

// doMeter sets what is drawn and what is wrong; what is left out is well.
func (b *Bench) doMeter(args []byte) error {
	var a struct {
		Watts *float64 `json:"watts"`
		Fault string   `json:"fault"`
		Reset bool     `json:"reset"`
	}
	if err := strict(args, &a, "watts", "fault", "reset"); err != nil {
		return err
	}
	if a.Watts != nil && (*a.Watts < 0 || *a.Watts > maxMeterWatts) {
		return fmt.Errorf("watts is %g; it must be between 0 and %d", *a.Watts, maxMeterWatts)
	}
	if a.Fault != "" {
		known := false
		for _, f := range meterFaults() {
			known = known || f == a.Fault
		}
		if !known {
			return errors.New("fault is none of " + strings.Join(meterFaults(), ", "))
		}
	}
	if a.Watts != nil {
		b.meter.SetWatts(*a.Watts)
	}
	if a.Reset {
		b.meter.Reset()
	}
	b.meter.SetFault(a.Fault)
	return nil
}
