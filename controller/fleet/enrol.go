package fleet

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// maxWrong is how many wrong proofs a code outlives: somebody in between (a
// school's filtering proxy) makes one at each try, and a guess is one in 2⁸⁰.
const maxWrong = 10

// refusal is a problem that a transaction ends with.
type refusal struct {
	wire.Problem
	keep bool // what the transaction wrote stays all the same
}

func (r *refusal) Error() string { return r.Detail }

func refuse(status int, code, detail string) error {
	return &refusal{Problem: wire.Problem{Status: status, Code: code, Detail: detail}}
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

// bound gives the request's body and the answer a time.
func (f *Fleet) bound(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	// A listener without deadlines (a test's recorder) goes on unbounded.
	_ = rc.SetReadDeadline(time.Now().Add(f.cfg.Write))
	_ = rc.SetWriteDeadline(time.Now().Add(2 * f.cfg.Write))
}

func decode(r *http.Request, v any) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, wire.MaxIdentity+1))
	if err != nil || len(b) > wire.MaxIdentity || json.Unmarshal(b, v) != nil {
		return refuse(http.StatusBadRequest, "request", "the request cannot be read")
	}
	return nil
}

func (f *Fleet) enrol(w http.ResponseWriter, r *http.Request) {
	f.bound(w)
	if !f.enrols.allow(network(r.RemoteAddr)) {
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
	first := false
	var denied error
	err = f.cfg.Store.Decide(r.Context(), func(tx store.Tx) (err error) {
		denied = nil
		resp, first, err = f.enrolIn(tx, req, exporter)
		var no *refusal
		if errors.As(err, &no) && no.keep {
			denied = err
			return nil
		}
		return err
	})
	if err == nil {
		err = denied
	}
	if err == nil && first {
		f.counts.enrolments.Add(1)
		f.cfg.Log.Info("terminal enrolled", "terminal", resp.Terminal)
		f.drop(resp.Terminal, "replaced") // the hardware before, if there is one
	}
	f.answer(w, resp, err)
}

// enrolIn answers req; first tells that the code was not used before.
func (f *Fleet) enrolIn(tx store.Tx, req wire.EnrolRequest, exporter []byte) (resp wire.EnrolResponse, first bool, err error) {
	now := f.cfg.Now().UTC()
	code, err := store.Get[store.EnrolCode](tx, req.CodeID)
	if errors.Is(err, store.ErrNotFound) || (err == nil && len(code.Row.Secret) == 0) {
		return resp, false, refuse(http.StatusForbidden, "unknown", "this code is not known")
	}
	if err != nil {
		return resp, false, err
	}
	if code.Row.Wrong >= maxWrong {
		return resp, false, refuse(http.StatusForbidden, "expired", "too many wrong proofs came for this code; make a new one in the console")
	}
	// The proof comes first: only who knows the code learns what became of it.
	if wire.CheckProof(req.Proof, req.TerminalProof(code.Row.Secret, exporter)) != nil {
		code.Row.Wrong++
		if err := store.Put(tx, code); err != nil {
			return resp, false, err
		}
		return resp, false, &refusal{Problem: wire.Problem{Status: http.StatusForbidden, Code: "proof", Detail: "the proof does not fit this connection"}, keep: true}
	}
	if now.After(code.Row.Expires) {
		return resp, false, refuse(http.StatusForbidden, "expired", "this code has expired")
	}
	keys := sha256.Sum256(append(append([]byte{}, digest(req.CSR)...), digest(req.ReceiptKey)...))
	if code.Row.Uses > 0 && !bytes.Equal(code.Row.Keys, keys[:]) {
		return resp, false, refuse(http.StatusForbidden, "used", "this code was used by another machine")
	}
	if first = code.Row.Uses == 0; first {
		if err := f.identify(tx, &code, req, now); err != nil {
			return resp, false, err
		}
		code.Row.Keys, code.Row.Used = keys[:], now
	}
	code.Row.Uses++
	if err := store.Put(tx, code); err != nil {
		return resp, false, err
	}
	p := f.cfg.PKI
	resp = wire.EnrolResponse{Terminal: code.Row.Terminal, Cert: code.Row.Cert, Chain: p.Chain(), Root: p.Root(), SignKeys: p.SignKeys(), KeyStep: p.Step(),
		BadgeKey: p.BadgeKey("all"), ServerSNI: pki.ServerName} // one group of sites for now: a badge works in each
	resp.Proof = resp.ControllerProof(code.Row.Secret, exporter, req)
	return resp, first, nil
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
	// One key for both would let the agent sign receipts in the warden's place.
	if csr, err := x509.ParseCertificateRequest(req.CSR); err == nil && receipt.Equal(csr.PublicKey) {
		return refuse(http.StatusBadRequest, "request", "the receipt key and the certificate's key are the same; each role makes its own")
	}
	done := "enrolled"
	t := store.Item[store.Terminal]{Meta: store.Meta{ID: compliance.NewID("t"), Site: code.Site, Scope: code.Row.Space}}
	if code.Row.Replaces != "" {
		t, err = store.Get[store.Terminal](tx, code.Row.Replaces)
		if errors.Is(err, store.ErrNotFound) {
			return refuse(http.StatusForbidden, "unknown", "the terminal that this code replaces is no longer known")
		}
		if err != nil {
			return err
		}
		if len(t.Row.Serials)+len(t.Row.Revoked) > 0 {
			done = "replaced"
		}
		if err := compliance.VoidPermits(tx, t.ID); err != nil {
			return err
		}
		if err := f.withdraw(tx, t.ID, now); err != nil {
			return err
		}
		cur, err := tx.Cursor(t.ID)
		if err != nil {
			return err
		}
		if err := tx.SetCursor(t.ID, store.Cursor{Epoch: cur.Epoch + 1}); err != nil {
			return err
		}
		retire(&t, "")
		remember(&t)
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
	t.Row.Level, t.Row.Missing, t.Row.Trust = "", nil, nil // of the machine before
	t.Row.State, t.Row.Since, t.Row.Enrolled = store.StateActive, now, now
	code.Row.Terminal, code.Row.Cert = t.ID, cert
	if err := store.Put(tx, t); err != nil {
		return err
	}
	return f.cfg.Audit(tx, done, t, code.Row.By)
}

// withdraw ends the commands that waited for the hardware before: a quarantine
// of the old machine must not stop the new one.
func (f *Fleet) withdraw(tx store.Tx, terminal string, now time.Time) error {
	for c, err := range store.Find[store.CommandRow](tx, "open", terminal) {
		if err != nil {
			return err
		}
		c.Row.Status, c.Row.Answer, c.Row.Changed = store.CommandExpired, "terminal-replaced", now
		if err := store.Put(tx, c); err != nil {
			return err
		}
	}
	return nil
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 80)], "") }
