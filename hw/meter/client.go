package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"borne/hw"
)

// Limits of a meter's answer.
const (
	maxBody   = 64 << 10
	maxHeader = 16 << 10
	deadline  = 3 * time.Second
)

// errMissing: the meter answers, and has not what was asked for.
var errMissing = errors.New("it has nothing there")

// client asks one host, and nobody else: a meter that was replaced by something
// hostile can neither send the terminal elsewhere nor make it wait or swallow.
type client struct {
	host string
	http *http.Client
}

func newClient(host string) *client {
	dialer := &net.Dialer{Timeout: deadline, Control: local}
	return &client{host: host, http: &http.Client{
		Timeout: deadline,
		Transport: &http.Transport{
			Proxy:                  nil, // the address is local: no proxy knows it
			DialContext:            dialer.DialContext,
			DisableKeepAlives:      true, // small meters serve few connections, and Close has nothing to close
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// local refuses addresses out of the building: a name may lead anywhere.
func local(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot use address %.60q: %w", address, err)
	}
	if ip := at.Addr().Unmap(); !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
		return fmt.Errorf("cannot use address %s: a meter must be on the local network (10.…, 172.16 to 172.31, 192.168.…)", ip)
	}
	return nil
}

// get returns the answer to one question.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.host+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) {
			return nil, fmt.Errorf("%w: %w; check its power and its address", hw.ErrAbsent, err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return nil, errors.New("it asks for a password, which is not supported: remove it in the meter's settings, and let only the terminals' network reach it")
	case resp.StatusCode == http.StatusNotFound:
		return nil, errMissing
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, errors.New("it sends elsewhere, which is not followed; check its address")
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %d; check its model and channel", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if len(b) > maxBody {
		return nil, fmt.Errorf("its answer passes %d bytes; check its address", maxBody)
	}
	return b, nil
}
