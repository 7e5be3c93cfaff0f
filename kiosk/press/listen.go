package press

import (
	"fmt"
	"log/slog"
	"net"

	"borne/kiosk/peer"
)

// maxConns bounds the connections at once.
const maxConns = 16

// UIDs are the users who may print, both ends included.
type UIDs = peer.UIDs

// Listen makes the socket at path, which a person's programs may connect to;
// connections of users outside allowed are closed unanswered.
func Listen(path string, allowed UIDs, log *slog.Logger) (net.Listener, error) {
	ln, err := peer.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the session's printer: %w", err)
	}
	return peer.Only(ln, allowed, maxConns, log), nil
}

// ListenTCP is for tests of the protocol: the kernel tells nobody's name over
// TCP, so it serves this machine alone and whoever is on it.
func ListenTCP(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %.60q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("cannot listen on %.60q: only an address of this machine's loopback will do, 127.0.0.1:8631 for example", address)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return peer.Limit(ln, maxConns, func(net.Conn) bool { return true }), nil
}
