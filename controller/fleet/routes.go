package fleet

import (
	"net/http"

	"borne/controller/wire"
)

// Proof is what a client shows to use a route of the terminals' listener.
type Proof string

// Proofs. A certificate that is shown at all is looked at in the handshake, on
// every route (pki.ServerTLS): a foreign or a revoked one reaches none of them.
const (
	ProofCode        Proof = "code"        // in the request: an enrolment code's MAC
	ProofCertificate Proof = "certificate" // of the handshake: a terminal's that is good now
)

// Route is one route of the terminals' listener.
type Route struct {
	Method string
	Path   string
	Proof  Proof
	serve  func(f *Fleet, w http.ResponseWriter, r *http.Request)
}

// Routes lists every route of the terminals' listener: nothing else is served.
func Routes() []Route {
	return []Route{
		{http.MethodGet, wire.PathUplink, ProofCertificate, (*Fleet).uplink},
		{http.MethodPost, wire.PathEnrol, ProofCode, (*Fleet).enrol},
		{http.MethodPost, wire.PathRenew, ProofCertificate, (*Fleet).renew},
		{http.MethodGet, wire.PathLists + "{digest}", ProofCertificate, (*Fleet).list},
	}
}

// Handler serves the terminals' listener.
func (f *Fleet) Handler() http.Handler {
	m := http.NewServeMux()
	for _, route := range Routes() {
		m.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) {
			if route.Proof != ProofCode && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0) {
				f.bound(w)
				f.cfg.Refused("no-certificate")
				problem(w, http.StatusForbidden, "request", "a terminal's certificate is needed here: enrol first")
				return
			}
			route.serve(f, w, r)
		})
	}
	return m
}
