package sim

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits of what Do takes.
const (
	maxArgs = 2048             // bytes of JSON
	maxHold = 10 * time.Minute // of a card
)

// Actions lists what Do understands, with the shape of its arguments.
func Actions() map[string]string {
	return map[string]string{
		"tap":     `{"uids":["04a1b2c3"],"hold_ms":1500,"kind":"uid"} (hold_ms may be left out: until lifted; kind too, or it is one of uid, ntag424, ntag424-random and ntag424-clone, which take UIDs of 7 bytes)`,
		"lift":    `{}`,
		"case":    `{"open":true}`,
		"reader":  `{"plugged":true}`,
		"call":    `{"pressed":true}`,
		"alarm":   `{"armed":true}`,
		"present": `{"there":true}`,
		"fault":   `{"bit_errors":0.01,"drop":0.1,"pull_at":3,"brown_out_at":40,"stuck_miso":"low","bus_error":true,"hang":true,"block":true,"identity":18} (each may be left out)`,
		"meter":   `{"watts":23.1,"fault":"silent","reset":true} (each may be left out; faults are silent, garbage, flood, invalid, password and away)`,
		"printer": `{"jam":false,"paper":true}`,
	}
}

// Do carries out one action with its arguments as a JSON object. Unknown
// actions, unknown or missing arguments and odd values are refused, with an
// error that says what is accepted, and change nothing.
func (b *Bench) Do(action string, args []byte) error {
	shape, ok := Actions()[action]
	if !ok {
		return fmt.Errorf("cannot do %.40q: actions are alarm, call, case, fault, lift, meter, present, printer, reader and tap", action)
	}
	if err := b.do(action, args); err != nil {
		return fmt.Errorf("cannot do %q: %w; send %s", action, err, shape)
	}
	return nil
}

func (b *Bench) do(action string, args []byte) error {
	switch action {
	case "tap":
		return b.doTap(args)
	case "lift":
		if err := strict(args, &struct{}{}); err != nil {
			return err
		}
		b.Lift()
	case "alarm":
		return b.doSwitch(args, "armed", b.Arm, b.Disarm)
	case "present":
		return b.doSwitch(args, "there", b.Come, b.Leave)
	case "fault":
		return b.doFault(args)
	case "case":
		return b.doSwitch(args, "open", b.OpenCase, b.CloseCase)
	case "reader":
		return b.doSwitch(args, "plugged", b.PlugReader, b.UnplugReader)
	case "call":
		return b.doSwitch(args, "pressed", b.PressCall, b.ReleaseCall)
	case "meter":
		return b.doMeter(args)
	case "printer":
		var a struct {
			Jam   *bool `json:"jam"`
			Paper *bool `json:"paper"`
		}
		if err := strict(args, &a, "jam", "paper"); err != nil {
			return err
		}
		if a.Jam == nil || a.Paper == nil {
			return errors.New("jam and paper are both needed")
		}
		b.SetPrinter(*a.Jam, *a.Paper)
	}
	return nil
}

func (b *Bench) doTap(args []byte) error {
	var a struct {
		UIDs []string `json:"uids"`
		Hold int64    `json:"hold_ms"`
		Kind *string  `json:"kind"`
	}
	if err := strict(args, &a, "uids", "hold_ms", "kind"); err != nil {
		return err
	}
	if a.Hold < 0 || a.Hold > maxHold.Milliseconds() {
		return fmt.Errorf("hold_ms is %d; it must be between 0 and %d", a.Hold, maxHold.Milliseconds())
	}
	if len(a.UIDs) > MaxCards {
		return fmt.Errorf("there are %d cards; the limit is %d", len(a.UIDs), MaxCards)
	}
	uids := make([][]byte, 0, len(a.UIDs))
	for i, s := range a.UIDs {
		if len(s) > 2*10 {
			return fmt.Errorf("UID %d has %d characters; the longest has 20", i+1, len(s))
		}
		u, err := hex.DecodeString(s)
		if err != nil {
			return fmt.Errorf("UID %d is not hexadecimal: %w", i+1, err)
		}
		uids = append(uids, u)
	}
	kind := KindUID
	if a.Kind != nil {
		kind = *a.Kind
	}
	return b.TapKind(time.Duration(a.Hold)*time.Millisecond, kind, uids...)
}

// doSwitch takes one required boolean.
func (b *Bench) doSwitch(args []byte, name string, on, off func()) error {
	var a map[string]*bool
	if err := strict(args, &a, name); err != nil {
		return err
	}
	v := a[name]
	if v == nil {
		return fmt.Errorf("argument %q is needed, true or false", name)
	}
	if *v {
		on()
	} else {
		off()
	}
	return nil
}

// strict decodes exactly one JSON object whose names are among those given, each
// at most once and in the same case: encoding/json alone would let both pass.
func strict(args []byte, into any, names ...string) error {
	if len(args) > maxArgs {
		return fmt.Errorf("its arguments have %d bytes; the limit is %d", len(args), maxArgs)
	}
	d := json.NewDecoder(bytes.NewReader(args))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("its arguments are not a JSON object")
	}
	var seen []string
	for d.More() {
		t, err := d.Token()
		name, _ := t.(string)
		switch {
		case err != nil:
			return fmt.Errorf("its arguments cannot be read: %w", err)
		case !slices.Contains(names, name):
			return fmt.Errorf("unknown argument %.40q", name)
		case slices.Contains(seen, name):
			return fmt.Errorf("argument %q is given twice", name)
		}
		seen = append(seen, name)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("its arguments cannot be read: %w", err)
		}
	}
	// Unmarshal also refuses whatever follows the object.
	if err := json.Unmarshal(args, into); err != nil {
		return fmt.Errorf("its arguments cannot be read: %w", err)
	}
	return nil
}
