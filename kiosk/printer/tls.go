package printer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
)

// secure makes TLS over conn and tells the SHA-256 of the printer's public key.
// The key is compared before anything is sent. Names and dates of a printer's
// certificate mean nothing: it signed it itself, often years ago.
func secure(ctx context.Context, conn net.Conn, name string, pin []byte) (*tls.Conn, []byte, error) {
	var seen []byte
	c := tls.Client(conn, &tls.Config{
		ServerName: name, MinVersion: tls.VersionTLS12, CipherSuites: suites(),
		InsecureSkipVerify: true, // VerifyConnection does it, by the key
		VerifyConnection: func(s tls.ConnectionState) error {
			sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if seen = sum[:]; pin != nil && !bytes.Equal(pin, seen) {
				return ErrUntrusted
			}
			return nil
		},
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("cannot speak TLS with the printer: %w", err)
	}
	return c, seen, nil
}

// suites are Go's own and, for printers of before 2015, those without forward
// secrecy: the key is pinned, and the network is the house's.
func suites() []uint16 {
	var all []uint16
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		switch s.ID {
		case tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA:
			all = append(all, s.ID)
		default:
			if !s.Insecure {
				all = append(all, s.ID)
			}
		}
	}
	return all
}
