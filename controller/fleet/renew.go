package fleet

import (
	"net/http"

	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

// renew gives the next certificate. The one before stays good until the terminal
// connects with the new one (settle), so that a lost answer locks nobody out.
func (f *Fleet) renew(w http.ResponseWriter, r *http.Request) {
	f.bound(w)
	peer := r.TLS.PeerCertificates[0]
	if !f.renewals.allow(peer.Subject.CommonName) {
		f.answer(w, nil, refuse(http.StatusTooManyRequests, "rate", "too many renewals; wait ten minutes"))
		return
	}
	var req wire.RenewRequest
	if err := decode(r, &req); err != nil {
		f.answer(w, nil, err)
		return
	}
	var resp wire.RenewResponse
	err := f.cfg.Store.Decide(r.Context(), func(tx store.Tx) error {
		t, err := trusted(tx, peer.Subject.CommonName, pki.Serial(peer))
		if err != nil {
			return refuse(http.StatusForbidden, "request", "this certificate is revoked")
		}
		cert, serial, err := f.cfg.PKI.IssueTerminal(req.CSR, t.ID)
		if err != nil {
			return refuse(http.StatusBadRequest, "request", "the certificate request is not good: "+err.Error())
		}
		retire(&t, pki.Serial(peer)) // what else was issued was never used
		if len(t.Row.Serials) == 0 { // issued after the backup that this controller was restored from
			t.Row.Serials = []string{pki.Serial(peer)}
		}
		t.Row.Serials = append(t.Row.Serials, serial)
		keys, err := f.cfg.PKI.KeySet()
		if err != nil {
			return err
		}
		resp = wire.RenewResponse{Cert: cert, Chain: f.cfg.PKI.Chain(), Roots: f.cfg.PKI.Roots(), SignKeys: f.cfg.PKI.SignKeys(), KeySet: &keys}
		return store.Put(tx, t)
	})
	f.answer(w, resp, err)
}
