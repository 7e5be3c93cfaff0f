package warden

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// trust is the keys whose signatures on policies the warden accepts: those given
// at enrolment, then those of signed sets that follow from them.
type trust struct{ wire.KeySet }

// trustVersion is that of the file that keeps them.
const trustVersion = 1

// keptTrust is the file.
type keptTrust struct {
	Version int `json:"version"` // 0: written before there was one, and otherwise the same
	wire.KeySet
}

func trustPath(state string) string { return filepath.Join(state, "warden", "trust.json") }

// Trust keeps the keys that enrolment gave, in place of any before: the terminal
// belongs to a controller from then on. Only root calls it.
func Trust(state string, keys wire.KeySet) error {
	t := trust{keys}
	if err := t.check(); err != nil {
		return err
	}
	// The agent passes through the state folder, and has no business in the warden's.
	if err := errors.Join(os.MkdirAll(state, 0o755), os.MkdirAll(filepath.Dir(trustPath(state)), 0o700)); err != nil {
		return fmt.Errorf("cannot keep the controller's keys: %w", err)
	}
	return t.write(state)
}

func (t trust) write(state string) error {
	b, err := json.Marshal(keptTrust{trustVersion, t.KeySet})
	if err != nil {
		return fmt.Errorf("cannot keep the controller's keys: %w", err)
	}
	return writeDurably(trustPath(state), b)
}

func (t trust) check() error {
	if len(t.SignKeys) == 0 || len(t.SignKeys) > wire.MaxSignKeys {
		return fmt.Errorf("cannot believe the controller's keys: %d of them, want 1 to %d", len(t.SignKeys), wire.MaxSignKeys)
	}
	for _, k := range t.SignKeys {
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("cannot believe the controller's keys: one has %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
	}
	return nil
}

// readTrust reads them anew each time: enrolment may happen while the warden runs.
func readTrust(state string) (t trust, err error) {
	b, err := os.ReadFile(trustPath(state))
	if errors.Is(err, fs.ErrNotExist) {
		return t, errors.New("cannot verify a policy: no controller's keys are kept here; enrol the terminal again")
	}
	if err != nil {
		return t, fmt.Errorf("cannot read the controller's keys: %w", err)
	}
	return parseTrust(b)
}

func parseTrust(b []byte) (t trust, err error) {
	var kept keptTrust
	if err := json.Unmarshal(b, &kept); err != nil {
		return t, fmt.Errorf("cannot read the controller's keys: %w; enrol the terminal again", err)
	}
	if kept.Version < 0 || kept.Version > trustVersion {
		return t, fmt.Errorf("cannot read the controller's keys: they are of version %d, and this program knows %d; install the newer borne-kiosk again", kept.Version, trustVersion)
	}
	t = trust{kept.KeySet}
	return t, t.check()
}

// Believes tells why no policy can be verified here; nil when it can.
func Believes(state string) error {
	_, err := readTrust(state)
	return err
}

func (t trust) verifiers() []ed25519.PublicKey {
	keys := make([]ed25519.PublicKey, len(t.SignKeys))
	for i, k := range t.SignKeys {
		keys[i] = k
	}
	return keys
}

// believe follows a rollover: a newer set, signed by a key believed until now.
// One that is known already changes nothing; an older one is an error, because
// whoever sends it works with keys that the warden does not believe.
func (w *warden) believe(b sandbox.Believe) error {
	now, err := readTrust(w.c.State)
	if err != nil {
		return err
	}
	set, err := wire.Open[wire.KeySet](b.Keys, wire.DomainKeys, now.verifiers()...)
	if err != nil {
		return fmt.Errorf("cannot believe other keys: %w; enrol the terminal again if its controller changed", err)
	}
	next := trust{set}
	switch err := next.check(); {
	case err != nil:
		return err
	case slices.EqualFunc(next.SignKeys, now.SignKeys, bytes.Equal) && next.Step <= now.Step:
		return nil
	case next.Step <= now.Step:
		return fmt.Errorf("cannot believe other keys: they are of step %d, and those of step %d are known here; enrol the terminal again if its controller changed", next.Step, now.Step)
	}
	w.c.Log.Info("the controller's signing keys were rolled over", "step", next.Step, "keys", len(next.SignKeys))
	return next.write(w.c.State)
}
