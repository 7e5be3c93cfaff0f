package fleet

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// refusal is a problem that a transaction ends with.
type refusal struct{ wire.Problem }

func (r *refusal) Error() string { return r.Detail }

func refuse(status int, code, detail string) error {
	return &refusal{wire.Problem{Status: status, Code: code, Detail: detail}}
}

func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.Problem{Status: status, Code: code, Detail: detail})
}

// answer writes v, or the problem that err is.
func (f *Fleet) answer(w http.ResponseWriter, v any, err error) {
	var no *refusal
	switch {
	case errors.As(err, &no):
		f.cfg.Refused("enrol-" + no.Code)
		problem(w, no.Status, no.Code, no.Detail)
	case err != nil:
		f.cfg.Log.Error("cannot answer a terminal", "err", err)
		problem(w, http.StatusServiceUnavailable, "request", "the controller cannot do this now; try again")
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

func decode(r *http.Request, v any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, wire.MaxIdentity+1))
	if err != nil || len(b) > wire.MaxIdentity || json.Unmarshal(b, v) != nil {
		return refuse(http.StatusBadRequest, "request", "the request cannot be read")
	}
	return nil
}

func (f *Fleet) enrol(w http.ResponseWriter, r *http.Request) {
	if !f.limit.allow(r.RemoteAddr) {
		f.answer(w, nil, refuse(http.StatusTooManyRequests, "rate", "too many attempts; wait a quarter of an hour"))
		return
	}
	var req wire.EnrolRequest
	if err := decode(r, &req); err != nil {
		f.answer(w, nil, err)
		return
	}
	if r.TLS == nil {
		f.answer(w, nil, refuse(http.StatusBadRequest, "request", "enrolment needs TLS"))
		return
	}
	exporter, err := wire.Exporter(*r.TLS)
	if err != nil {
		f.answer(w, nil, err)
		return
	}
	var resp wire.EnrolResponse
	err = f.cfg.Store.Decide(r.Context(), func(tx store.Tx) error {
		resp, err = f.enrolIn(tx, req, exporter)
		return err
	})
	if err == nil {
		f.cfg.Log.Info("terminal enrolled", "terminal", resp.Terminal)
		f.drop(resp.Terminal, "enrolled again") // the hardware before, when it is replaced
	}
	f.answer(w, resp, err)
}

func (f *Fleet) enrolIn(tx store.Tx, req wire.EnrolRequest, exporter []byte) (wire.EnrolResponse, error) {
	var none wire.EnrolResponse
	now := f.cfg.Now().UTC()
	code, err := store.Get[store.EnrolCode](tx, req.CodeID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && len(code.Row.Secret) == 0) {
		return none, refuse(http.StatusForbidden, "unknown", "this code is not known")
	}
	if err != nil {
		return none, err
	}
	// The proof comes first: only who knows the code learns what became of it.
	if wire.CheckProof(req.Proof, req.TerminalProof(code.Row.Secret, exporter)) != nil {
		return none, refuse(http.StatusForbidden, "proof", "the proof does not fit this connection")
	}
	if now.After(code.Row.Expires) {
		return none, refuse(http.StatusForbidden, "expired", "this code has expired")
	}
	keys := sha256.Sum256(append(append([]byte{}, digest(req.CSR)...), digest(req.ReceiptKey)...))
	if code.Row.Uses > 0 && !bytes.Equal(code.Row.Keys, keys[:]) {
		return none, refuse(http.StatusForbidden, "used", "this code was used by another machine")
	}
	if code.Row.Uses == 0 {
		if err := f.identify(tx, &code, req, now); err != nil {
			return none, err
		}
		code.Row.Keys, code.Row.Used = keys[:], now
	}
	code.Row.Uses++
	if err := store.Put(tx, code); err != nil {
		return none, err
	}
	p := f.cfg.PKI
	resp := wire.EnrolResponse{Terminal: code.Row.Terminal, Cert: code.Row.Cert, Chain: p.Chain(), Root: p.Root(), SignKeys: p.SignKeys(),
		BadgeKey: p.BadgeKey("all"), ServerSNI: pki.ServerName} // one group of sites for now: a badge works in each
	resp.Proof = resp.ControllerProof(code.Row.Secret, exporter, req)
	return resp, nil
}

func digest(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// identify makes the terminal, or gives new keys to the one that is replaced:
// its old keys are revoked, its permits void, its chain begins again.
func (f *Fleet) identify(tx store.Tx, code *store.Item[store.EnrolCode], req wire.EnrolRequest, now time.Time) error {
	receipt, err := pki.ReceiptKey(req.ReceiptKey)
	if err != nil {
		return refuse(http.StatusBadRequest, "request", "the receipt key's request is not good: "+err.Error())
	}
	t := store.Item[store.Terminal]{Meta: store.Meta{ID: compliance.NewID("t"), Site: code.Site, Scope: code.Row.Space}}
	if code.Row.Replaces != "" {
		if t, err = store.Get[store.Terminal](tx, code.Row.Replaces); err != nil {
			return err
		}
		if err := compliance.VoidPermits(tx, t.ID); err != nil {
			return err
		}
		cur, err := tx.Cursor(t.ID)
		if err != nil {
			return err
		}
		if err := tx.SetCursor(t.ID, store.Cursor{Epoch: cur.Epoch + 1}); err != nil {
			return err
		}
		t.Row.Revoked = append(t.Row.Revoked, t.Row.Serials...)
		t.Row.Chain, t.Row.Owes, t.Row.OwedFor, t.Row.Challenge = wire.ChainHead{}, "", 0, ""
		t.Row.Reason, t.Row.Detail = "", ""
	} else {
		t.Row.Space, t.Row.Name = code.Row.Space, code.Row.Name
	}
	cert, serial, err := f.cfg.PKI.IssueTerminal(req.CSR, t.ID)
	if err != nil {
		return refuse(http.StatusBadRequest, "request", "the certificate request is not good: "+err.Error())
	}
	t.Row.Serials, t.Row.ReceiptKey, t.Row.Machine, t.Row.Build, t.Row.Sim = []string{serial}, receipt, clip(req.Machine), clip(req.Build), req.Sim
	t.Row.State, t.Row.Since, t.Row.Enrolled = store.StateActive, now, now
	code.Row.Terminal, code.Row.Cert = t.ID, cert
	return store.Put(tx, t)
}

func clip(s string) string { return s[:min(len(s), 80)] }

// renew gives the next certificate. The one before stays good until the new one
// is seen, so that a lost answer locks nobody out; at most three are kept.
func (f *Fleet) renew(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		f.answer(w, nil, refuse(http.StatusForbidden, "request", "a terminal's certificate is needed here"))
		return
	}
	var req wire.RenewRequest
	if err := decode(r, &req); err != nil {
		f.answer(w, nil, err)
		return
	}
	peer := r.TLS.PeerCertificates[0]
	var resp wire.RenewResponse
	err := f.cfg.Store.Decide(r.Context(), func(tx store.Tx) error {
		return store.Update(tx, peer.Subject.CommonName, func(t *store.Item[store.Terminal]) error {
			if t.Row.State == store.StateRevoked || !slices.Contains(t.Row.Serials, pki.Serial(peer)) {
				return refuse(http.StatusForbidden, "request", "this certificate is revoked")
			}
			cert, serial, err := f.cfg.PKI.IssueTerminal(req.CSR, t.ID)
			if err != nil {
				return refuse(http.StatusBadRequest, "request", "the certificate request is not good: "+err.Error())
			}
			// What else was issued and never used is dropped.
			t.Row.Serials = []string{pki.Serial(peer), serial}
			resp = wire.RenewResponse{Cert: cert, Chain: f.cfg.PKI.Chain(), Roots: [][]byte{f.cfg.PKI.Root()}, SignKeys: f.cfg.PKI.SignKeys()}
			return nil
		})
	})
	f.answer(w, resp, err)
}

// limiter bounds attempts of each address and of all.
type limiter struct {
	mu   sync.Mutex
	all  *rate.Limiter
	each map[string]*rate.Limiter
	one  rate.Limit
	now  func() time.Time
}

const (
	burst     = 10
	addresses = 4096 // remembered; then all start anew, under the common limit
)

func newLimiter(all rate.Limit, now func() time.Time) *limiter {
	return &limiter{all: rate.NewLimiter(all, 5*burst), each: map[string]*rate.Limiter{}, one: all / 10, now: now}
}

func (l *limiter) allow(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.each[host]
	if one == nil {
		if len(l.each) >= addresses {
			clear(l.each)
		}
		one = rate.NewLimiter(l.one, burst)
		l.each[host] = one
	}
	// The address first: one that is over its limit takes nothing from the others.
	return one.AllowN(l.now(), 1) && l.all.AllowN(l.now(), 1)
}

// monthly makes pseudonyms with a random key that changes with the month and is
// kept nowhere else: a restart begins a new one.
func monthly(now func() time.Time) func(store.Tx, []byte, time.Time) (string, error) {
	var mu sync.Mutex
	month, key := "", make([]byte, 32)
	return func(_ store.Tx, h1 []byte, _ time.Time) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if m := now().UTC().Format("2006-01"); m != month {
			month = m
			rand.Read(key)
		}
		h := hmac.New(sha256.New, key)
		h.Write(h1)
		return hex.EncodeToString(h.Sum(nil)[:16]), nil
	}
}
