package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"borne/controller/api"
	"borne/controller/config"
	"borne/controller/directory"
	"borne/controller/ldap"
	"borne/controller/store"
)

// openStaff is the Département's directory of the configuration; nil when it names
// none. Nothing is asked of it yet.
func openStaff(c config.LDAP) (*ldap.Directory, error) {
	if c.Address == "" {
		return nil, nil
	}
	password, err := secret(c.Password)
	if err == nil && password == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the account's password (ldap.password_file): %w", err)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("cannot read who vouches for the directory (ldap.ca): %w", err)
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cannot use %s: it holds no CERTIFICATE", c.CA)
		}
	}
	return ldap.New(ldap.Config{Address: c.Address, StartTLS: c.StartTLS, TLS: t, BindDN: c.BindDN, Password: password, Base: c.Base, Filter: c.Filter})
}

// asker is the directory as the API asks it; none is no interface with nothing in it.
func asker(d *ldap.Directory) api.Staff {
	if d == nil {
		return nil
	}
	return d
}

// followStaff asks the directory now and again who is staff still.
func (s *Server) followStaff(ctx context.Context) {
	t := time.NewTicker(s.cfg.LDAP.Every)
	defer t.Stop()
	for {
		if err := s.askStaff(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot tell who is staff still: rights end a day after the last answer", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// askedAtOnce is how many people one connection asks about.
const askedAtOnce = 500

// askStaff asks about everybody who has a badge of staff. What was learnt before an
// error counts.
func (s *Server) askStaff(ctx context.Context) error {
	var logins []string
	err := s.st.View(ctx, func(tx store.Tx) error {
		logins = logins[:0]
		all, err := directory.StaffBadges(tx)
		for _, it := range all {
			logins = append(logins, it.Row.Login)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(logins)
	for some := range slices.Chunk(slices.Compact(logins), askedAtOnce) {
		at := s.now()
		named, err := s.staff.Staff(ctx, some)
		if err != nil {
			return err
		}
		if err := s.st.Decide(ctx, func(tx store.Tx) error { return s.badges.FollowStaff(tx, named, at) }); err != nil {
			return err
		}
	}
	return nil
}
