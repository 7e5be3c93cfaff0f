package passkeys_test

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

// device is an authenticator in software, which can also lie.
type device struct {
	key     *ecdsa.PrivateKey
	id      []byte
	counter uint32
	// What it says; a lie changes one of them.
	origin, party string
	flags         byte // user present 1, user verified 4
	owner         string
	challenge     string // instead of the one that it was asked
}

func newDevice(t testing.TB) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &device{key: key, id: id, origin: "https://bornes.example.fr", party: "bornes.example.fr", flags: 5, owner: "u1"}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *device) client(t testing.TB, kind string, options json.RawMessage) []byte {
	t.Helper()
	var o struct{ Challenge string }
	if err := json.Unmarshal(options, &o); err != nil || o.Challenge == "" {
		t.Fatalf("options %s: %v", options, err)
	}
	if d.challenge != "" {
		o.Challenge = d.challenge
	}
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": o.Challenge, "origin": d.origin, "crossOrigin": false})
	return b
}

func (d *device) data(more ...byte) []byte {
	party := sha256.Sum256([]byte(d.party))
	flags := d.flags
	if more != nil {
		flags |= 0x40
	}
	b := append(party[:], flags)
	b = binary.BigEndian.AppendUint32(b, d.counter)
	return append(b, more...)
}

// make answers a request for a new passkey, without attestation.
func (d *device) make(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	point, err := d.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	cred := make([]byte, 16) // the model: none
	cred = binary.BigEndian.AppendUint16(cred, uint16(len(d.id)))
	cred = append(cred, d.id...)
	cred = append(cred, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32) // COSE: EC2, ES256, P-256
	cred = append(append(cred, point[1:33]...), 0x22, 0x58, 32)
	data := d.data(append(cred, point[33:]...)...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	object = append(object, data...)
	b, _ := json.Marshal(map[string]any{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(d.client(t, "webauthn.create", options)), "attestationObject": b64(object), "transports": []string{"internal"}}})
	return b
}

// login answers a request for a login.
func (d *device) login(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	client, data := d.client(t, "webauthn.get", options), d.data()
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data, hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(map[string]any{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64([]byte(d.owner))}})
	return b
}
