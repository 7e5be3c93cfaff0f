package sandbox

import (
	"fmt"
	"net/netip"
)

// Resolving is what the warden tells the resolver of one sandbox: whom it
// answers, whom it asks, and which answers it drops.
type Resolving struct {
	From     netip.Addr     `json:"from"`     // the sandbox; nobody else is answered
	Upstream netip.AddrPort `json:"upstream"` // the designated DNS server
	Closed   []netip.Prefix `json:"closed"`   // this machine, local and reserved ranges: a name that points there is dropped
	Open     []netip.Prefix `json:"open"`     // named by the policy: they may be pointed at all the same
}

// EncodeResolving returns r's bytes, at most MaxFrame.
func EncodeResolving(r Resolving) ([]byte, error) { return encode("the resolver's orders", r) }

// DecodeResolving is the resolver's reader, a strict one.
func DecodeResolving(b []byte) (Resolving, error) {
	var r Resolving
	if err := decode("the resolver's orders", b, &r, true); err != nil {
		return Resolving{}, err
	}
	if !r.From.IsValid() || !r.Upstream.IsValid() {
		return Resolving{}, fmt.Errorf("cannot decode the resolver's orders: nobody to answer, or nobody to ask: %w", ErrFrame)
	}
	return r, nil
}
