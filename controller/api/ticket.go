package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ticketMinutes is how long somebody has for the pages of another party.
const ticketMinutes = 10

// maxTicket bounds a ticket's text.
const maxTicket = 3500 // browsers keep 4096 bytes of a cookie

var errTicket = errors.New("the ticket is unknown, was used, or expired")

// tickets are what a browser carries from one step of a login to the next,
// sealed: it can neither read nor change them. So a login that began costs this
// side no memory, and whoever begins a million of them pushes nobody else's out.
// They end with the process.
type tickets struct {
	aead cipher.AEAD
	now  func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // until when; only good ones come in, once each
}

// sealed is a ticket's content.
type sealed struct {
	ID   string          `json:"i"`
	For  string          `json:"f"`
	Ends time.Time       `json:"e"`
	Body json.RawMessage `json:"b"`
}

func newTickets(now func() time.Time) (*tickets, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails since Go 1.24
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("cannot seal tickets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cannot seal tickets: %w", err)
	}
	return &tickets{aead: aead, now: now, used: map[string]time.Time{}}, nil
}

// seal makes a ticket for one purpose.
func (k *tickets) seal(purpose string, v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("cannot seal a ticket: %w", err)
	}
	b, err := json.Marshal(sealed{ID: rand.Text(), For: purpose, Ends: k.now().Add(ticketMinutes * time.Minute), Body: body})
	if err != nil {
		return "", fmt.Errorf("cannot seal a ticket: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(k.aead.Seal(nil, nil, b, []byte(purpose))), nil
}

// open reads a ticket; spend then makes it worthless.
func (k *tickets) open(purpose, text string, v any) (spend func() bool, err error) {
	if len(text) > maxTicket {
		return nil, errTicket
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errTicket
	}
	if b, err = k.aead.Open(nil, nil, b, []byte(purpose)); err != nil {
		return nil, errTicket
	}
	var t sealed
	if err := json.Unmarshal(b, &t); err != nil || t.For != purpose || !k.now().Before(t.Ends) {
		return nil, errTicket
	}
	if err := json.Unmarshal(t.Body, v); err != nil {
		return nil, errTicket
	}
	return func() bool { return k.spend(t) }, nil
}

// spend tells whether the ticket was good until now.
func (k *tickets) spend(t sealed) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for id, ends := range k.used {
		if !now.Before(ends) {
			delete(k.used, id)
		}
	}
	if _, before := k.used[t.ID]; before {
		return false
	}
	k.used[t.ID] = t.Ends
	return true
}

// step is the cookie that carries a ticket. It is Lax: the browser comes back to
// it from another party's page. Empty text deletes it.
func (a *API) step(name, text string) http.Cookie {
	c := http.Cookie{Name: cookieName(a.Secure) + "-" + name, Value: text, Path: "/", HttpOnly: true, Secure: a.Secure, SameSite: http.SameSiteLaxMode, MaxAge: ticketMinutes * 60}
	if text == "" {
		c.MaxAge = -1
	}
	return c
}

// ticket chooses the cookie that this console sets: another one may be anybody's.
func (a *API) ticket(plain, secure string) string {
	if a.Secure {
		return secure
	}
	return plain
}
