package usb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// lookEvery is how often the tree is looked at although the kernel said nothing.
const lookEvery = 30 * time.Second

// maxInputs bounds the input devices that belong to one terminal, and the file that names them.
const (
	maxInputs = 32
	maxFile   = 64 << 10
)

// News is a verdict that staff should hear of.
type News struct {
	Port    string
	Verdict Verdict
}

// Guard decides about each device as it comes.
type Guard struct {
	tree  Tree
	rules Rules
	file  string // the input devices that belong here
	mem   Memory
	now   map[string]Device // decided and still there, by port
	tell  func(News)
	log   *slog.Logger
}

// NewGuard guards the tree below root. file names the input devices that
// belong here; where there is none yet, what is plugged in at the first look
// does. It returns nil on a machine without USB.
func NewGuard(root, file string, rules Rules, tell func(News), log *slog.Logger) (*Guard, error) {
	tree, ok := Open(root)
	if !ok {
		return nil, nil
	}
	g := &Guard{tree: tree, rules: rules, file: file, tell: tell, log: log, now: map[string]Device{},
		mem: Memory{Stored: map[string]bool{}, Seen: map[string]Mark{}}}
	err := g.load()
	if errors.Is(err, fs.ErrNotExist) {
		g.mem.Opening = true
		if err = g.Look(); err == nil {
			err = g.save() // also when there is none: from now on, none belongs here
		}
		g.mem.Opening = false
		return g, err
	}
	if err != nil {
		return nil, err
	}
	return g, g.Look()
}

// Look decides about everything that came since the last look. An error leaves
// what could not be decided for the next one.
func (g *Guard) Look() error {
	_, err := g.tree.Close() // first: what is plugged in from here on waits
	all, e := g.tree.Devices()
	err = errors.Join(err, e)
	here := map[string]bool{}
	for _, d := range all {
		defer d.Release()
		here[d.Port] = true
		if old, ok := g.now[d.Port]; ok && old.Number == d.Number {
			continue
		}
		delete(g.now, d.Port)
		if e := g.decide(d); e != nil {
			err = errors.Join(err, e)
		}
	}
	if e != nil {
		return err // it is not known who is gone
	}
	for port := range g.now {
		if !here[port] {
			delete(g.now, port)
		}
	}
	return err
}

func (g *Guard) decide(n Node) error {
	d := n.Device
	v := Decide(g.rules, g.mem, d)
	if v.Learn && len(g.mem.Inputs) >= maxInputs {
		v = Verdict{Reason: NewInput, Class: Input}
	}
	if err := n.Authorize(v.Allow); err != nil {
		return err
	}
	g.now[d.Port] = d
	if d.has(Storage) {
		g.mem.Stored[d.Port] = true
	}
	if v.Allow && d.has(Input) {
		g.mem.Seen[d.Port] = MarkOf(d)
	}
	if v.Tell() {
		g.log.Warn("a USB device", "port", d.Port, "allowed", v.Allow, "reason", v.Reason, "class", v.Class)
		g.tell(News{d.Port, v})
	}
	if !v.Learn {
		return nil
	}
	g.mem.Inputs = append(g.mem.Inputs, MarkOf(d))
	return g.save()
}

// Open lets new input devices in and takes them in for good, as long as it is
// on; what was refused is looked at again. Storage stays out.
func (g *Guard) Open(on bool) error {
	if g.mem.Opening == on {
		return nil
	}
	g.mem.Opening = on
	if on {
		clear(g.mem.Stored) // somebody of the staff stands there, and may have a reason for what they plug in
		clear(g.now)
	}
	return g.Look()
}

// Run guards until ctx ends. opening says when maintenance begins and ends.
// The ports stay closed after it: a guard that ended lets nothing in.
func (g *Guard) Run(ctx context.Context, opening <-chan bool) error {
	l, err := Listen()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	changed, failed := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		for {
			if err := l.Next(); err != nil {
				failed <- err
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			if ctx.Err() != nil {
				return nil // it was closed
			}
			return err
		case on := <-opening:
			err = g.Open(on)
		case <-changed:
			err = g.Look()
		case <-t.C:
			err = g.Look()
		}
		if err != nil {
			g.log.Error("USB", "err", err)
		}
	}
}

func (g *Guard) load() error {
	f, err := os.Open(g.file)
	if err != nil {
		return fmt.Errorf("cannot read which input devices belong here: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err == nil {
		err = json.Unmarshal(b, &g.mem.Inputs)
	}
	if err != nil {
		return fmt.Errorf("cannot read which input devices belong here; remove %s, and what is plugged in at the next start does: %w", g.file, err)
	}
	return nil
}

// save replaces the file in one step.
func (g *Guard) save() error {
	b, err := json.Marshal(g.mem.Inputs)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(g.file), ".usb-")
	if err != nil {
		return fmt.Errorf("cannot keep which input devices belong here: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), g.file)
	}
	if err != nil {
		return fmt.Errorf("cannot keep which input devices belong here: %w", err)
	}
	return nil
}
