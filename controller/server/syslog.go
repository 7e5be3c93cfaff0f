package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/syslog"
)

// newSyslog tells the configured collector of the audit's entries from now on and
// of what was refused; nil when there is no collector.
func newSyslog(k *core) (*syslog.Sender, error) {
	c := k.cfg.Syslog
	if c.Address == "" {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot use the syslog collector's address: %w", err)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("cannot read who vouches for the syslog collector: %w", err)
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cannot use %s: it holds no CERTIFICATE", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("cannot show a certificate to the syslog collector: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	name, err := os.Hostname()
	if err != nil {
		name = "-"
	}
	var head audit.Head
	err = k.st.View(context.Background(), func(tx store.Tx) (err error) { head, err = audit.Last(tx); return err })
	if err != nil {
		return nil, err
	}
	return syslog.New(syslog.Config{Address: c.Address, TLS: t, Host: name, App: "borne-controller", After: head.Seq, Source: k.recorded, Log: k.log.With("room", "syslog")}), nil
}

// recorded yields the audit's entries as events.
func (c *core) recorded(ctx context.Context, after uint64, n int) (events []syslog.Event, last uint64, err error) {
	var all []audit.Exported
	err = c.st.View(ctx, func(tx store.Tx) (err error) { all, err = audit.After(tx, after, n); return err })
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the audit: %w", err)
	}
	for _, x := range all {
		e := syslog.Event{At: x.At, Severity: syslog.Notice, ID: x.Action, Text: strings.TrimSpace(x.Action + " " + x.Detail)}
		if x.Action == "terminal.quarantined" || x.Action == "terminal.revoked" {
			e.Severity = syslog.Warning
		}
		// The hash lets the collector's copy prove the chain's end.
		for _, p := range []syslog.Param{{Name: "seq", Value: strconv.FormatUint(x.Seq, 10)}, {Name: "actor", Value: x.Actor}, {Name: "site", Value: x.Site}, {Name: "target", Value: x.Target}, {Name: "hash", Value: x.Hash}} {
			if p.Value != "" {
				e.Params = append(e.Params, p)
			}
		}
		events, last = append(events, e), x.Seq
	}
	return events, last, nil
}

// tell sends one event that is in no audit.
func (s *Server) tell(id, text string, params ...syslog.Param) {
	if s.syslog != nil {
		s.syslog.Send(syslog.Event{At: s.now(), Severity: syslog.Warning, ID: id, Text: text, Params: params})
	}
}

// watched tells of requests to the console that were refused: who tries doors is
// seen by those who watch them.
func (s *Server) watched(next http.Handler) http.Handler {
	if s.syslog == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(c, r)
		// A login by a provider that fails leads back to the login page, and says why there.
		why, back := strings.CutPrefix(c.Header().Get("Location"), "/#/login/")
		switch {
		case c.status == http.StatusUnauthorized, c.status == http.StatusForbidden, c.status == http.StatusTooManyRequests,
			c.status == http.StatusSeeOther && back && why != "cancelled":
			from, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				from = r.RemoteAddr
			}
			s.tell("console.refused", "a request to the console was refused", syslog.Param{Name: "status", Value: strconv.Itoa(c.status)}, syslog.Param{Name: "from", Value: from},
				syslog.Param{Name: "method", Value: r.Method}, syslog.Param{Name: "route", Value: route(r)})
		}
	})
}

// route is the pattern that matched, without what somebody wrote into the path.
func route(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	return "unknown"
}
