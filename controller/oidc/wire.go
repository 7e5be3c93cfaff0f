package oidc

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
)

// limited bounds the body of every answer: the libraries read it whole.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err == nil {
		res.Body = &body{ReadCloser: res.Body, left: maxAnswer}
	}
	return res, err
}

// CloseIdleConnections lets the client reach the transport's.
func (l limited) CloseIdleConnections() {
	if c, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

var errLong = errors.New("the provider's answer is too long")

// body fails past its length: half an answer must not be taken for one.
type body struct {
	io.ReadCloser
	left int
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errLong
	}
	return n, err
}

// safe tells whether an address is https, or http on this machine.
func safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
