package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// pair serves the certificate in two files, and reads them anew when they
// change: a renewal needs no restart.
func pair(certFile, keyFile string) (*tls.Config, error) {
	p := &keyPair{cert: certFile, key: keyFile}
	if _, err := p.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get, NextProtos: []string{"http/1.1"}}, nil
}

type keyPair struct {
	cert, key string
	mu        sync.Mutex
	loaded    *tls.Certificate
	changed   time.Time
}

func (p *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st, err := os.Stat(p.cert)
	if err == nil && p.loaded != nil && st.ModTime().Equal(p.changed) {
		return p.loaded, nil
	}
	var c tls.Certificate
	if err == nil {
		c, err = tls.LoadX509KeyPair(p.cert, p.key)
	}
	if err != nil {
		if p.loaded != nil { // half-written files: the old pair serves on
			return p.loaded, nil
		}
		return nil, fmt.Errorf("cannot use the console's certificate: %w", err)
	}
	p.loaded, p.changed = &c, st.ModTime()
	return p.loaded, nil
}
