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
	Lists    []string       `json:"lists"`    // files of lists; a hit is told by its place in here
	Allow    []string       `json:"allow"`    // names let through, with all below them
	Block    []string       `json:"block"`    // names refused, with all below them; told as OwnHit
}

// List is one category's list, which the agent keeps in its folder of lists
// under its digest (SHA-256, hex).
type List struct {
	Category string
	Digest   string
}

// MaxLists bounds the lists of one sandbox.
const MaxLists = 60

// OwnCategory stands for the names that a policy refuses by itself.
const OwnCategory = "local"

// OwnHit tells a hit of Resolving.Block.
const OwnHit = 255

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
	if len(r.Lists) > MaxLists {
		return Resolving{}, fmt.Errorf("cannot decode the resolver's orders: %d lists: %w", len(r.Lists), ErrFrame)
	}
	return r, nil
}
