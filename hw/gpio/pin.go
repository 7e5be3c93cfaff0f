package gpio

import (
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"

	"borne/hw"
)

// Pin is a line as chips' drivers want it: periph's gpio.PinIO. Levels are those
// of the wire: no polarity. Nothing is asked of the line before the first In or
// Out, and the first Out makes an output of it that shows its level at once.
type Pin struct {
	name    string
	address Address

	mu     sync.Mutex
	line   *line
	config config
	edge   gpio.Edge
	closed bool
	halted chan struct{} // closed by Halt: ends WaitForEdge
}

var _ gpio.PinIO = (*Pin)(nil)

// OpenPin finds the line, which proves that it exists, and takes nothing yet.
func OpenPin(a Address) (*Pin, error) {
	ch, err := findChip(a.Chip)
	if err == nil {
		_, err = ch.offset(a.Line)
		ch.close()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open pin %s: %w", a, err)
	}
	return &Pin{name: a.Line, address: a, halted: make(chan struct{})}, nil
}

// String, Name, Number and Function implement pin.Pin.
func (p *Pin) String() string { return p.address.String() }

// Name implements pin.Pin.
func (p *Pin) Name() string { return p.name }

// Number implements pin.Pin; -1 when the line goes by another name.
func (p *Pin) Number() int {
	if n, ok := headerLine(p.name); ok {
		return n
	}
	return -1
}

// Function implements pin.Pin. It only remembers: asking never changes the line.
func (p *Pin) Function() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.line == nil:
		return ""
	case p.config.output && p.config.value:
		return "Out/High"
	case p.config.output:
		return "Out/Low"
	}
	return "In"
}

// apply gives the line this configuration, taking it first if need be.
func (p *Pin) apply(c config) error {
	if p.closed {
		return fmt.Errorf("cannot use pin %s: %w", p, hw.ErrClosed)
	}
	var err error
	if p.line == nil {
		p.line, err = request(p.address, c)
	} else {
		err = p.line.configure(c)
	}
	if err != nil {
		return fmt.Errorf("cannot use pin %s: %w", p, err)
	}
	p.config = c
	return nil
}

// Out implements gpio.PinOut.
func (p *Pin) Out(l gpio.Level) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != nil && p.config.output && !p.closed {
		if err := p.line.Set(bool(l)); err != nil {
			return fmt.Errorf("cannot drive pin %s: %w", p, err)
		}
		p.config.value = bool(l)
		return nil
	}
	return p.apply(config{output: true, value: bool(l)})
}

// PWM implements gpio.PinOut: the character device has none.
func (p *Pin) PWM(gpio.Duty, physic.Frequency) error {
	return fmt.Errorf("cannot modulate pin %s: GPIO lines have no PWM", p)
}

// In implements gpio.PinIn.
func (p *Pin) In(pull gpio.Pull, edge gpio.Edge) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := config{edges: edge != gpio.NoEdge}
	switch pull {
	case gpio.PullUp:
		c.bias = BiasUp
	case gpio.PullDown:
		c.bias = BiasDown
	case gpio.Float:
		c.bias = BiasOff
	}
	if err := p.apply(c); err != nil {
		return err
	}
	p.edge = edge
	select {
	case <-p.halted:
		p.halted = make(chan struct{})
	default:
	}
	// Edges of before this In are not waited for.
	for {
		if _, ok, err := p.line.Edge(0); !ok || err != nil {
			return nil
		}
	}
}

// Read implements gpio.PinIn; a line that cannot be read is Low.
func (p *Pin) Read() gpio.Level {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == nil || p.closed {
		return gpio.Low
	}
	on, err := p.line.Get()
	return err == nil && gpio.Level(on)
}

// WaitForEdge implements gpio.PinIn: below 0 it waits until Halt or Close, 0 only
// looks.
func (p *Pin) WaitForEdge(timeout time.Duration) bool {
	p.mu.Lock()
	l, edge, halted := p.line, p.edge, p.halted
	usable := l != nil && !p.closed && p.config.edges
	p.mu.Unlock()
	if !usable {
		return false
	}
	end := time.Now().Add(timeout)
	for {
		select {
		case <-halted:
			return false
		default:
		}
		wait := heartbeat
		if timeout >= 0 {
			wait = min(wait, max(0, time.Until(end)))
		}
		_, ok, err := l.Edge(wait)
		switch {
		case err != nil:
			return false
		case ok && edge == gpio.BothEdges:
			return true
		case ok:
			// The kernel is asked for both; the level after the edge says which it was.
			if on, err := l.Get(); err == nil && on == (edge == gpio.RisingEdge) {
				return true
			}
		case timeout >= 0 && !time.Now().Before(end):
			return false
		}
	}
}

// Pull implements gpio.PinIn.
func (p *Pin) Pull() gpio.Pull {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.config.bias {
	case BiasUp:
		return gpio.PullUp
	case BiasDown:
		return gpio.PullDown
	case BiasOff:
		return gpio.Float
	}
	return gpio.PullNoChange
}

// DefaultPull implements gpio.PinIn; the kernel does not tell it.
func (p *Pin) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Halt implements conn.Resource: it ends WaitForEdge and leaves the level alone.
func (p *Pin) Halt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.halted:
	default:
		close(p.halted)
		if p.line != nil {
			return p.line.interrupt() // one that has just begun to wait hears it at its heartbeat
		}
	}
	return nil
}

// Close gives the line back.
func (p *Pin) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	var err error
	if p.line != nil {
		err = p.line.Close()
	}
	return err
}
