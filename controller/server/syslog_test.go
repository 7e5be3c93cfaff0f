package server

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"borne/controller/config"
)

// TestSyslog lets a real controller tell a real TLS receiver of what people did
// and of a door that somebody tried.
func TestSyslog(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	heard := make(chan string, 1024)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for r := bufio.NewReader(c); ; {
			head, err := r.ReadString(' ')
			if err != nil {
				return
			}
			n, err := strconv.Atoi(strings.TrimSpace(head))
			if err != nil || n > 1<<16 {
				t.Errorf("a frame of %q bytes", head)
				return
			}
			b := make([]byte, n)
			if _, err := io.ReadFull(r, b); err != nil {
				return
			}
			heard <- string(b)
		}
	}()
	c := settings(t, fresh(t))
	c.Syslog = config.Syslog{Address: ln.Addr().String(), CA: ca}
	s, stop := running(t, c)
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	res, err := http.Get(s.ConsoleURL() + "/api/terminals/secret-of-somebody")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want := map[string]string{" controller.started [": `seq="`, " demo.seeded [": `hash="`, " console.refused [": `status="401" from="127.0.0.1" method="GET" route="GET /api/terminals/{id}"`}
	for within := time.After(20 * time.Second); len(want) > 0; {
		select {
		case m := <-heard:
			if strings.Contains(m, "secret-of-somebody") {
				t.Errorf("what somebody wrote into the path goes on: %s", m)
			}
			for id, part := range want {
				if strings.Contains(m, id) {
					if !strings.Contains(m, part) {
						t.Errorf("%s", m)
					}
					delete(want, id)
				}
			}
		case <-within:
			t.Fatalf("never heard of %v", want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
