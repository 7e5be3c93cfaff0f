package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"borne/controller/wire"
)

// fetchWithin bounds one attempt to get a list; the next one goes on where it
// stopped.
const fetchWithin = 10 * time.Minute

// ErrNoList reports a list that the controller does not have.
var ErrNoList = errors.New("the controller has no such list")

// FetchList writes the list of that digest to w from byte from on, and returns
// how many bytes it wrote. What comes is foreign: whoever calls verifies the
// digest of the whole.
func (l *Link) FetchList(ctx context.Context, digest string, from int64, w io.Writer) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	id := l.Identity()
	u, err := endpoint(id.Controller)
	if err != nil {
		return 0, err
	}
	conn, err := l.path().trusted(ctx, id, l.verifyAt())
	if err != nil {
		return 0, fmt.Errorf("cannot fetch a list: %w", err)
	}
	defer conn.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+u.Host+wire.PathLists+digest, nil)
	if err != nil {
		return 0, fmt.Errorf("cannot fetch a list: %w", err)
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	handed := false
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxProxyHeader,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if handed {
				return nil, errors.New("the connection was lost")
			}
			handed = true
			return conn, nil
		}}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, fmt.Errorf("cannot fetch a list: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return 0, fmt.Errorf("cannot fetch a list: %w", ErrNoList)
	case from > 0 && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return 0, nil // there is no more: the digest tells whether it is all
	case from > 0 && resp.StatusCode != http.StatusPartialContent || from == 0 && resp.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("cannot fetch a list: the controller answers %.60q", resp.Status)
	}
	n, err = io.Copy(w, io.LimitReader(resp.Body, wire.MaxList-from+1))
	if err != nil {
		return n, fmt.Errorf("cannot fetch a list: it broke off: %w", err)
	}
	return n, nil
}
