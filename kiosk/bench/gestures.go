package bench

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"borne/hw/sim"
)

// Limits on what the pages send.
const (
	maxBody = 8 << 10
	maxHold = 10 * time.Minute
	maxText = 1 << 10
	// pressed is longer than any contact's debouncing.
	pressed = 600 * time.Millisecond
)

// State is what GET /sim/state answers.
type State struct {
	Badges  []string `json:"badges"`  // UIDs held out, hexadecimal; simulated ones
	Case    string   `json:"case"`    // open, closed, unknown
	Reader  string   `json:"reader"`  // plugged, unplugged
	Network string   `json:"network"` // on, off
	Printer string   `json:"printer"` // ready, jammed
	Screen  string   `json:"screen"`  // on, off, unknown
	Power   string   `json:"power"`   // on
	Call    string   `json:"call"`    // on, off
	Alarm   string   `json:"alarm"`   // armed, disarmed, unknown
	Present string   `json:"present"` // there, nobody, unknown
	Saving  Saving   `json:"saving,omitzero"`
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	now := s.c.Hardware.State()
	pick := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	var saving Saving
	if s.c.Saving != nil {
		saving = s.c.Saving()
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(State{Present: now.Present, Saving: saving, Badges: now.Reader.UIDs, Case: now.Case, Screen: now.Screen, Power: "on", Alarm: now.Alarm,
		Reader:  pick(now.Reader.Plugged, "plugged", "unplugged"),
		Network: pick(s.c.Network.On(), "on", "off"),
		Printer: pick(now.Printer.Jam, "jammed", "ready"),
		Call:    pick(now.Call == "pressed", "on", "off")})
}

// Gesture is what POST /sim/do takes.
type Gesture struct {
	Action string   `json:"action"`         // tap, lift, alarm, case, reader, network, present, printer, call, power
	UIDs   []string `json:"uids,omitempty"` // tap: hexadecimal, 4, 7 or 10 bytes each
	Kind   string   `json:"kind,omitempty"` // tap: uid (the default), ntag424, ntag424-random, ntag424-clone
	MS     int64    `json:"ms,omitempty"`   // tap: how long; 0 until lift
	On     *bool    `json:"on,omitempty"`   // alarm: armed; case: open; reader: plugged; network: there; present: somebody is
	Jam    *bool    `json:"jam,omitempty"`  // printer
}

// ParseGesture reads one, strictly: a field that its action does not take is an error.
func ParseGesture(b []byte) (Gesture, error) {
	var g Gesture
	if err := strict(b, &g); err != nil {
		return Gesture{}, fmt.Errorf("cannot read the gesture: %w", err)
	}
	type takes struct{ uids, on, jam bool }
	want, known := map[string]takes{"tap": {uids: true}, "lift": {}, "case": {on: true}, "alarm": {on: true}, "present": {on: true}, "reader": {on: true},
		"network": {on: true}, "printer": {jam: true}, "call": {}, "power": {}}[g.Action]
	switch {
	case !known:
		return Gesture{}, fmt.Errorf("cannot do %.40q: actions are tap, lift, alarm, case, reader, network, present, printer, call and power", g.Action)
	case want != takes{g.UIDs != nil, g.On != nil, g.Jam != nil} || (g.MS != 0 || g.Kind != "") && !want.uids:
		return Gesture{}, fmt.Errorf("cannot do %q: tap takes uids, kind and ms; alarm, case, reader, network and present take on; printer takes jam; the others nothing", g.Action)
	case g.MS < 0 || g.MS > maxHold.Milliseconds():
		return Gesture{}, fmt.Errorf("cannot hold a card for %d ms: at most %d", g.MS, maxHold.Milliseconds())
	}
	return g, nil
}

func (s *Server) do(w http.ResponseWriter, b []byte) error {
	g, err := ParseGesture(b)
	if err != nil {
		return err
	}
	h := s.c.Hardware
	switch g.Action {
	case "tap":
		if len(g.UIDs) > sim.MaxCards {
			return fmt.Errorf("cannot hold out %d cards: at most %d", len(g.UIDs), sim.MaxCards)
		}
		uids := make([][]byte, len(g.UIDs))
		for i, u := range g.UIDs {
			if uids[i], err = hex.DecodeString(u); err != nil {
				return fmt.Errorf("cannot hold out card %d: its UID is not hexadecimal", i+1)
			}
		}
		kind := g.Kind
		if kind == "" {
			kind = sim.KindUID
		}
		return h.TapKind(time.Duration(g.MS)*time.Millisecond, kind, uids...)
	case "lift":
		h.Lift()
	case "alarm":
		choose(*g.On, h.Arm, h.Disarm)
	case "present":
		choose(*g.On, h.Come, h.Leave)
	case "case":
		choose(*g.On, h.OpenCase, h.CloseCase)
	case "reader":
		choose(*g.On, h.PlugReader, h.UnplugReader)
	case "network":
		s.c.Network.Set(*g.On)
	case "printer":
		_, paper := h.Printer()
		h.SetPrinter(*g.Jam, paper)
	case "call":
		h.PressCall()
		time.AfterFunc(pressed, h.ReleaseCall)
	case "power":
		w.WriteHeader(http.StatusAccepted)
		http.NewResponseController(w).Flush() // the page hears of it before nothing answers any more
		s.c.Power()
		return errAnswered
	}
	return nil
}

// errAnswered tells post that the answer is out.
var errAnswered = errors.New("answered")

func choose(on bool, yes, no func()) {
	if on {
		yes()
	} else {
		no()
	}
}

// Input is what POST /sim/input takes.
type Input struct {
	Type   string `json:"type"` // click, move, key, text
	X      *int   `json:"x,omitempty"`
	Y      *int   `json:"y,omitempty"`
	Button int    `json:"button,omitempty"` // click: 1 left (default), 2 middle, 3 right, 4 and 5 the wheel
	Key    string `json:"key,omitempty"`    // "Return", "ctrl+w": X names
	Text   string `json:"text,omitempty"`
}

// ParseInput reads one, strictly.
func ParseInput(b []byte) (Input, error) {
	var in Input
	if err := strict(b, &in); err != nil {
		return Input{}, fmt.Errorf("cannot read the input: %w", err)
	}
	at, key, text := in.X != nil && in.Y != nil, in.Key != "", in.Text != ""
	ok := false
	switch in.Type {
	case "click":
		ok = at && !key && !text && in.Button >= 0 && in.Button <= 5
	case "move":
		ok = at && !key && !text && in.Button == 0
	case "key":
		ok = in.X == nil && in.Y == nil && in.Button == 0 && key && !text && len(in.Key) <= 40
	case "text":
		ok = in.X == nil && in.Y == nil && in.Button == 0 && !key && text && len(in.Text) <= maxText
	}
	if !ok {
		return Input{}, fmt.Errorf(`cannot do input %.20q: send click or move with x and y, key with key, or text with text of at most %d bytes`, in.Type, maxText)
	}
	return in, nil
}

func (s *Server) input(_ http.ResponseWriter, b []byte) error {
	in, err := ParseInput(b)
	if err != nil {
		return err
	}
	st := s.c.Stage()
	if st == nil {
		return errors.New("cannot reach the display: the terminal has none yet")
	}
	switch in.Type {
	case "click":
		return st.Click(*in.X, *in.Y, byte(max(1, in.Button)))
	case "move":
		return st.Move(*in.X, *in.Y)
	case "key":
		return st.Key(combo(in.Key))
	}
	return st.Type(in.Text)
}

// combo translates X's names of keys into those that the stage shares with browsers.
func combo(s string) string {
	at := strings.LastIndex(s[:len(s)-1], "+") + 1 // the key itself may be "+"
	if n, ok := map[string]string{"Up": "ArrowUp", "Down": "ArrowDown", "Left": "ArrowLeft", "Right": "ArrowRight",
		"Prior": "PageUp", "Next": "PageDown", "space": " "}[s[at:]]; ok {
		return s[:at] + n
	}
	return s
}

// post reads a bounded body and answers 204, or 400 with what is wrong.
func (s *Server) post(do func(http.ResponseWriter, []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "the request is too long", http.StatusRequestEntityTooLarge)
			return
		}
		if err := do(w, b); errors.Is(err, errAnswered) {
			return
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}
