package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"borne/kiosk/browser"
	"borne/kiosk/count"
	"borne/kiosk/preview"
	"borne/kiosk/resolver"
	"borne/kiosk/sandbox"
	"borne/kiosk/warden"
)

// Roles that only this program starts.
const (
	roleAgent = "agent"
	roleEnrol = "enrol-agent"
	rolePress = "press"
	roleDNS   = "resolver"
)

func roles() []command {
	return []command{
		{name: roleAgent, run: runAgent},
		{name: roleEnrol, run: enrolAgent},
		{name: rolePress, run: runPress},
		{name: roleDNS, run: runResolver},
		{name: count.Role, run: runCounter},
		{name: preview.Role, run: runPreview},
	}
}

// before runs the roles that must not read flags, catch signals or start
// threads first.
func before(env Env) (code int, mine bool) {
	switch {
	case browser.IsStandin(env.Args):
		return browser.StandinMain(env.Args, env.Stderr), true
	case len(env.Args) > 1 && env.Args[1] == warden.InitRole:
		return warden.InitMain(), true
	case count.IsChild(env.Args):
		return count.ChildMain(env.Args, env.Stderr), true
	}
	return 0, false
}

// Descriptors of the resolver, as the warden starts it.
const (
	resolverUDP = 3
	resolverTCP = 4
	resolverHit = 5
)

// runResolver is the DNS server of one sandbox. Only the warden starts it.
func runResolver(ctx context.Context, c *call) error {
	b, err := os.ReadFile(warden.ResolverOrders)
	if err != nil {
		return fmt.Errorf("cannot run resolver: only the warden starts this role: %w", err)
	}
	orders, err := sandbox.DecodeResolving(b)
	if err != nil {
		return err
	}
	udp, err := net.FilePacketConn(os.NewFile(resolverUDP, "udp"))
	if err != nil {
		return fmt.Errorf("cannot take over the resolver's sockets: %w", err)
	}
	tcp, err := net.FileListener(os.NewFile(resolverTCP, "tcp"))
	if err != nil {
		return fmt.Errorf("cannot take over the resolver's sockets: %w", err)
	}
	// One byte a hit, the list's number, and nothing else can be said through it.
	// When nobody reads, the hit is not counted: answers do not wait.
	if err := syscall.SetNonblock(resolverHit, true); err != nil {
		return fmt.Errorf("cannot tell of hits: %w", err)
	}
	r, err := resolver.New(orders, func(list int) { syscall.Write(resolverHit, []byte{byte(list)}) })
	if err != nil {
		return err
	}
	return r.Serve(ctx, udp, tcp)
}
