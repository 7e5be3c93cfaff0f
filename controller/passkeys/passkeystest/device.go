// Package passkeystest is an authenticator in software for tests, which can also
// lie.
package passkeystest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// Device is an authenticator with one passkey. What it says can be changed into a
// lie.
type Device struct {
	Key           *ecdsa.PrivateKey
	ID            []byte
	Counter       uint32
	Origin, Party string
	Flags         byte // user present 1, user verified 4
	Owner         string
	Challenge     string // instead of the one that it was asked
}

// New returns a device that serves the console at an origin.
func New(t testing.TB, origin, party, owner string) *Device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &Device{Key: key, ID: id, Origin: origin, Party: party, Flags: 5, Owner: owner}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *Device) client(t testing.TB, kind string, options json.RawMessage) []byte {
	t.Helper()
	var o struct{ Challenge string }
	if err := json.Unmarshal(options, &o); err != nil || o.Challenge == "" {
		t.Fatalf("options %s: %v", options, err)
	}
	if d.Challenge != "" {
		o.Challenge = d.Challenge
	}
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": o.Challenge, "origin": d.Origin, "crossOrigin": false})
	return b
}

func (d *Device) data(more ...byte) []byte {
	party := sha256.Sum256([]byte(d.Party))
	flags := d.Flags
	if more != nil {
		flags |= 0x40
	}
	b := append(party[:], flags)
	b = binary.BigEndian.AppendUint32(b, d.Counter)
	return append(b, more...)
}

// Make answers a request for a new passkey, without attestation.
func (d *Device) Make(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	point, err := d.Key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	cred := make([]byte, 16) // the model: none
	cred = binary.BigEndian.AppendUint16(cred, uint16(len(d.ID)))
	cred = append(cred, d.ID...)
	cred = append(cred, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32) // COSE: EC2, ES256, P-256
	cred = append(append(cred, point[1:33]...), 0x22, 0x58, 32)
	data := d.data(append(cred, point[33:]...)...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	object = append(object, data...)
	b, _ := json.Marshal(map[string]any{"id": b64(d.ID), "rawId": b64(d.ID), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(d.client(t, "webauthn.create", options)), "attestationObject": b64(object), "transports": []string{"internal"}}})
	return b
}

// Login answers a request for a login.
func (d *Device) Login(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	client, data := d.client(t, "webauthn.get", options), d.data()
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data, hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.Key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(map[string]any{"id": b64(d.ID), "rawId": b64(d.ID), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64([]byte(d.Owner))}})
	return b
}
