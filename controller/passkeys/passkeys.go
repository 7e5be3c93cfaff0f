// Package passkeys lets people log in with a passkey: a key that their device
// keeps, and opens by a fingerprint, a face or its own code. It keeps nothing:
// what a browser has to give back, and what an account has, come from outside.
package passkeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// ErrRefused reports an answer of a browser that is not believed.
var ErrRefused = errors.New("the passkey is refused")

// MaxResponse bounds a browser's answer, in bytes.
const MaxResponse = 16 << 10

// Party is this console, as authenticators know it.
type Party struct{ web *webauthn.WebAuthn }

// Key is one passkey of an account: its id, and what is needed to believe it.
type Key struct {
	ID  []byte
	Doc json.RawMessage
}

// Owner is an account with its passkeys.
type Owner struct {
	ID   string // random: authenticators keep it
	Name string // what the device shows
	Keys []Key
}

// Pending is what has to come back, unchanged and unseen, with the answer.
type Pending = webauthn.SessionData

// Possible tells whether browsers have passkeys for a console at an address: it
// has a name, and is reached over TLS, or is on this machine.
func Possible(console string) bool {
	u, err := url.Parse(console)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil {
		return false
	}
	return u.Scheme == "https" || u.Hostname() == "localhost"
}

// New returns the party for a console at an address. Passkeys are bound to its
// host: they open nothing under another name.
func New(console string) (*Party, error) {
	u, err := url.Parse(console)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("cannot use passkeys at %.100q: it is no address", console)
	}
	web, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "Borne", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation, // which model it is, is not ours to know
		AuthenticatorSelection: protocol.AuthenticatorSelection{RequireResidentKey: protocol.ResidentKeyRequired(),
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil, fmt.Errorf("cannot use passkeys at %.100q: %w", console, err)
	}
	return &Party{web: web}, nil
}

// BeginAdd asks a device for a new passkey; options go to the browser.
func (p *Party) BeginAdd(o Owner) (options json.RawMessage, pending Pending, err error) {
	u, err := ownerOf(o)
	if err != nil {
		return nil, pending, err
	}
	var have []protocol.CredentialDescriptor
	for _, c := range u.keys {
		have = append(have, c.Descriptor()) // a device that has one already makes no second
	}
	creation, s, err := p.web.BeginRegistration(u, webauthn.WithExclusions(have))
	if err != nil {
		return nil, pending, fmt.Errorf("cannot ask for a passkey: %w", err)
	}
	options, err = json.Marshal(creation.Response)
	return options, *s, err
}

// FinishAdd believes a device's answer, and returns the key to keep.
func (p *Party) FinishAdd(o Owner, pending Pending, response []byte) (Key, error) {
	if len(response) > MaxResponse {
		return Key{}, refused(errors.New("its answer is too long"))
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return Key{}, refused(err)
	}
	u, err := ownerOf(o)
	if err != nil {
		return Key{}, err
	}
	c, err := p.web.CreateCredential(u, pending, parsed)
	if err != nil {
		return Key{}, refused(err)
	}
	return keyOf(c)
}

// BeginLogin asks for a passkey of whoever sits there.
func (p *Party) BeginLogin() (options json.RawMessage, pending Pending, err error) {
	assertion, s, err := p.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, pending, fmt.Errorf("cannot ask for a passkey: %w", err)
	}
	options, err = json.Marshal(assertion.Response)
	return options, *s, err
}

// FinishLogin believes a device's answer. find returns the owner of a passkey;
// the key that is returned is as it has to be kept from now on.
func (p *Party) FinishLogin(pending Pending, response []byte, find func(key []byte, owner string) (Owner, error)) (owner string, k Key, err error) {
	if len(response) > MaxResponse {
		return "", k, refused(errors.New("its answer is too long"))
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return "", k, refused(err)
	}
	if len(parsed.RawID) > 1023 || len(parsed.Response.UserHandle) > 64 { // the limits of WebAuthn
		return "", k, refused(errors.New("its names are too long"))
	}
	var found error
	who, c, err := p.web.ValidatePasskeyLogin(func(raw, handle []byte) (webauthn.User, error) {
		o, err := find(raw, string(handle))
		if err != nil {
			found = err
			return nil, err
		}
		return ownerOf(o)
	}, pending, parsed)
	if found != nil {
		return "", k, found
	}
	if err != nil {
		return "", k, refused(err)
	}
	// A counter that goes back: two devices have the same key.
	if c.Authenticator.CloneWarning {
		return "", k, refused(errors.New("its counter went back: somebody has a copy of it"))
	}
	k, err = keyOf(c)
	return string(who.WebAuthnID()), k, err
}

func refused(err error) error {
	var e *protocol.Error
	if errors.As(err, &e) { // its own text says little
		err = fmt.Errorf("%s: %s %s", e.Type, e.Details, e.DevInfo)
	}
	return fmt.Errorf("cannot believe the device's answer: %w: %w", ErrRefused, err)
}

// keyOf keeps what is needed to believe the key again, and nothing of its device.
func keyOf(c *webauthn.Credential) (Key, error) {
	c.Attestation = webauthn.CredentialAttestation{}
	c.Authenticator.AAGUID, c.Authenticator.Attachment = nil, ""
	doc, err := json.Marshal(c)
	if err != nil {
		return Key{}, fmt.Errorf("cannot keep the passkey: %w", err)
	}
	return Key{ID: c.ID, Doc: doc}, nil
}

type owner struct {
	Owner
	keys []webauthn.Credential
}

func ownerOf(o Owner) (*owner, error) {
	u := &owner{Owner: o}
	for _, k := range o.Keys {
		var c webauthn.Credential
		if err := json.Unmarshal(k.Doc, &c); err != nil {
			return nil, fmt.Errorf("cannot read a passkey that is kept: %w", err)
		}
		u.keys = append(u.keys, c)
	}
	return u, nil
}

func (o *owner) WebAuthnID() []byte                         { return []byte(o.ID) }
func (o *owner) WebAuthnName() string                       { return o.Name }
func (o *owner) WebAuthnDisplayName() string                { return o.Name }
func (o *owner) WebAuthnCredentials() []webauthn.Credential { return o.keys }
