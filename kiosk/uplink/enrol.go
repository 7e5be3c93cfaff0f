package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"borne/controller/wire"
)

const (
	answerWithin   = 30 * time.Second
	pendingEnrol   = "enrol.json"
	pendingRenewal = "renewal.json"
)

// RefusedError is the controller's refusal of an enrolment or a renewal.
type RefusedError struct{ Problem wire.Problem }

func (e *RefusedError) Error() string {
	what := map[string]string{
		"expired": "the code has expired; make a new one in the console (it is valid for 15 minutes)",
		"unknown": "the controller does not know this code; check it, or make a new one in the console",
		"used":    "the code was used already; make a new one in the console",
		"rate":    "too many attempts; wait a quarter of an hour",
		"proof":   "the connection is not the one the controller sees",
	}[e.Problem.Code]
	if what == "" {
		what = fmt.Sprintf("status %d, %.20q: %.200q", e.Problem.Status, e.Problem.Code, e.Problem.Detail)
	}
	return "the controller refuses: " + what
}

// EnrolConfig is what enrolment needs.
type EnrolConfig struct {
	Route      Route
	Folder     *Folder
	Controller string // https://host:port
	Code       string // as the person typed it
	// ReceiptCSR returns the warden's certificate request (PKCS #10, DER). It
	// is asked once for each code; the retry sends the bytes it gave.
	ReceiptCSR func(context.Context) ([]byte, error)
	Machine    string // board or PC model
	Build      string
	Sim        bool
}

// Enrol gives this terminal its identity and saves it. It can be called again
// after any failure: with the same code it sends the same requests.
func Enrol(ctx context.Context, c EnrolConfig) (Identity, error) {
	code, err := wire.ParseCode(c.Code)
	if err != nil {
		return Identity{}, err
	}
	u, err := endpoint(c.Controller)
	if err != nil {
		return Identity{}, err
	}
	codeID := wire.CodeID(code)
	p, key, err := c.Folder.pending(pendingEnrol,
		func(p pending) bool { return p.CodeID == codeID },
		func(p *pending) (err error) {
			p.CodeID = codeID
			if p.ReceiptCSR, err = c.ReceiptCSR(ctx); err != nil {
				return fmt.Errorf("cannot get the receipt key's request: %w", err)
			}
			return nil
		})
	if err != nil {
		return Identity{}, fmt.Errorf("cannot enrol: %w", err)
	}
	conn, err := c.Route.untrusted(ctx, u)
	if err != nil {
		return Identity{}, fmt.Errorf("cannot enrol: %w", err)
	}
	defer conn.Close()
	cs := conn.ConnectionState()
	exporter, err := wire.Exporter(cs)
	if err != nil {
		return Identity{}, err
	}
	req := wire.EnrolRequest{CodeID: codeID, CSR: p.CSR, ReceiptKey: p.ReceiptCSR, Machine: c.Machine, Build: c.Build, Sim: c.Sim}
	req.Proof = req.TerminalProof(code, exporter)
	var resp wire.EnrolResponse
	if err := post(ctx, conn, u.Host, wire.PathEnrol, req, &resp); err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) && refused.Problem.Code == "proof" {
			// Another exporter on the other side: somebody stands in between, and
			// the certificate seen tells who.
			return Identity{}, fmt.Errorf("cannot enrol: %w: %w", err, seen(cs, u.Hostname()))
		}
		return Identity{}, fmt.Errorf("cannot enrol: %w", err)
	}
	if err := wire.CheckProof(resp.Proof, resp.ControllerProof(code, exporter, req)); err != nil {
		return Identity{}, fmt.Errorf("%w; %w", err, seen(cs, u.Hostname()))
	}
	id := Identity{Terminal: resp.Terminal, Controller: u.String(), ServerName: resp.ServerSNI, Key: key, Cert: resp.Cert,
		Chain: resp.Chain, Roots: [][]byte{resp.Root}, SignKeys: resp.SignKeys, KeyStep: resp.KeyStep, BadgeKey: resp.BadgeKey, Sim: c.Sim}
	if err := leads(cs, resp.Root); err != nil {
		return Identity{}, fmt.Errorf("cannot enrol: the controller's own certificate does not lead to the root it gives; correct the controller: %w", err)
	}
	if err := c.Folder.Save(id); err != nil {
		return Identity{}, fmt.Errorf("cannot enrol: %w", err)
	}
	if err := c.Folder.remove(pendingEnrol); err != nil {
		return id, fmt.Errorf("enrolled, but cannot remove the request: %w", err)
	}
	return id, nil
}

// leads checks that the certificates seen chain to root, whatever their dates:
// a terminal's clock may be unset when it is enrolled.
func leads(cs tls.ConnectionState, root []byte) error {
	r, err := x509.ParseCertificate(root)
	if err != nil {
		return err
	}
	pool, between := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(r)
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := cs.PeerCertificates[0]
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: leaf.NotBefore})
	return err
}

func seen(cs tls.ConnectionState, host string) error {
	return &InterceptedError{Host: host, Issuer: issuer(cs.PeerCertificates[0])}
}

// post sends one JSON request over conn and reads its JSON answer.
func post(ctx context.Context, conn net.Conn, host, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	handed := false
	tr := &http.Transport{
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxProxyHeader,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if handed { // the exporter belongs to one connection: never a second one
				return nil, errors.New("the connection was lost")
			}
			handed = true
			return conn, nil
		},
	}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return refusal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxIdentity+1))
	if err != nil {
		return fmt.Errorf("cannot read the controller's answer: %w", refusal(err))
	}
	if len(b) > wire.MaxIdentity {
		return fmt.Errorf("cannot read the controller's answer: it passes %d bytes", wire.MaxIdentity)
	}
	if resp.StatusCode != http.StatusOK {
		p := wire.Problem{Status: resp.StatusCode}
		if json.Unmarshal(b, &p) != nil {
			p.Detail = "it answers no problem document; is this address a controller?"
		}
		return &RefusedError{Problem: p}
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("cannot read the controller's answer: %w", err)
	}
	return nil
}

// refusal names the alert by which the other side turns a certificate down: in
// TLS 1.3 it arrives with the first read, after the handshake.
func refusal(err error) error {
	if alert := remoteAlert(err); strings.Contains(alert, "certificate") || strings.Contains(alert, "access denied") {
		return fmt.Errorf("%w: it was revoked or replaced, or has expired; see this terminal in the console, or enrol it again: %w", ErrRefused, err)
	}
	return err
}

// remoteAlert returns the text of an alert that the other side sent. crypto/tls
// has no exported type for it outside QUIC: it comes as the cause of a
// net.OpError whose Op is "remote error".
func remoteAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil {
		return op.Err.Error()
	}
	return ""
}
