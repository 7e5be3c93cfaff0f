package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"borne/controller/wire"
)

// due tells when the certificate is to be renewed: at two thirds of its life,
// so that a third of it is left for a terminal that was offline.
func (id Identity) due() time.Time {
	from, to := id.Lifetime()
	return from.Add(to.Sub(from) * 2 / 3)
}

// Renew asks for the next certificate over a connection that the present one
// authenticates, and saves it. now is the time to verify the controller at.
func Renew(ctx context.Context, r Route, f *Folder, id Identity, now time.Time) (Identity, error) {
	p, key, err := f.pending(pendingRenewal, func(pending) bool { return true }, func(*pending) error { return nil })
	if err != nil {
		return id, fmt.Errorf("cannot renew the certificate: %w", err)
	}
	conn, err := r.trusted(ctx, id, now)
	if err != nil {
		return id, fmt.Errorf("cannot renew the certificate: %w", err)
	}
	defer conn.Close()
	u, err := endpoint(id.Controller)
	if err != nil {
		return id, err
	}
	var resp wire.RenewResponse
	if err := post(ctx, conn, u.Host, wire.PathRenew, wire.RenewRequest{CSR: p.CSR}, &resp); err != nil {
		return id, fmt.Errorf("cannot renew the certificate: %w", err)
	}
	next := id
	next.Key, next.Cert, next.Chain = key, resp.Cert, resp.Chain
	if len(resp.Roots) > 0 {
		next.Roots = resp.Roots
	}
	if len(resp.SignKeys) > 0 {
		next.SignKeys, next.KeySet = resp.SignKeys, resp.KeySet
	}
	// The controller that answered must itself be believed by what it gives:
	// else a slip in a rollover would lock every terminal out at once.
	believed := false
	for _, root := range next.Roots {
		believed = believed || leads(conn.ConnectionState(), root) == nil
	}
	if !believed {
		return id, fmt.Errorf("cannot renew the certificate: the roots given do not lead to the controller that gave them; correct the controller")
	}
	// Somebody may have enrolled the terminal anew meanwhile: that is the newer one.
	if now, err := f.Load(); err == nil && !bytes.Equal(now.Cert, id.Cert) {
		return id, errors.New("cannot renew the certificate: the terminal was enrolled again meanwhile")
	}
	if err := f.Save(next); err != nil {
		return id, fmt.Errorf("cannot renew the certificate: %w", err)
	}
	if err := f.remove(pendingRenewal); err != nil {
		return next, fmt.Errorf("cannot remove the renewal's request: %w", err)
	}
	return next, nil
}
