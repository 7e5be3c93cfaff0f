package acme

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRenewed gets certificates that live for half a minute: the next one is there before
// the first one ends, without a restart, with no handshake refused in between, and without
// the loss of a connection that was open all the time.
func TestRenewed(t *testing.T) {
	dir, tlsPort := folder(t), port(t)
	a := authorityOf(t, 1, tlsPort, "", 30)
	controller(t, dir, fmt.Sprintf("[acme]\ndirectory = %q\naccept_terms = true\nca = %q\n", a.directory, a.caFile), tlsPort)
	first, err := shown(a.roots, name, tlsPort)
	if err != nil {
		t.Fatalf("%v\n%s", err, a.log)
	}
	open, err := tls.DialWithDialer(&net.Dialer{Timeout: within}, "tcp", fmt.Sprintf("127.0.0.1:%d", tlsPort), &tls.Config{RootCAs: a.roots, ServerName: name, NextProtos: []string{"http/1.1"}})
	must(t, err)
	defer open.Close()
	answers := bufio.NewReader(open)
	talk := func() {
		t.Helper()
		must(t, open.SetDeadline(time.Now().Add(within)))
		_, err := fmt.Fprintf(open, "GET /api/login HTTP/1.1\r\nHost: %s:%d\r\n\r\n", name, tlsPort)
		must(t, err)
		res, err := http.ReadResponse(answers, nil)
		must(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		must(t, err)
		if res.StatusCode != 200 || res.Close {
			t.Fatalf("the open connection: %s", res.Status)
		}
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	n := 0
	for late := time.After(within); ; n++ {
		talk()
		next, err := shown(a.roots, name, tlsPort) // who dials verifies that it has not ended
		if err != nil {
			t.Fatalf("handshake %d: %v\n%s", n, err, a.log)
		}
		if next.SerialNumber.Cmp(first.SerialNumber) != 0 {
			if !next.NotAfter.After(first.NotAfter) {
				t.Errorf("the next one ends at %s, the first one at %s", next.NotAfter, first.NotAfter)
			}
			break
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no other certificate\n%s", a.log)
		}
	}
	talk()
	if issued := strings.Count(a.log.String(), "Issued certificate"); issued != 2 {
		t.Errorf("%d certificates were issued", issued)
	}
	t.Logf("renewed, after %d handshakes and on one connection that stayed open", n)
}

// TestTriesAreFew asks an authority that cannot reach this side: who knocks again and
// again, with every kind of key, makes it no second order. Authorities count them, and
// refuse whoever fails too often.
func TestTriesAreFew(t *testing.T) {
	dir, tlsPort := folder(t), port(t)
	a := newAuthority(t, 1, 1, "") // where nobody listens
	controller(t, dir, fmt.Sprintf("[acme]\ndirectory = %q\naccept_terms = true\nca = %q\n", a.directory, a.caFile), tlsPort)
	if _, err := shown(a.roots, name, tlsPort); err == nil {
		t.Fatal("there is a certificate")
	}
	orders := strings.Count(a.log.String(), "Added order")
	for i := range 30 {
		conf := &tls.Config{RootCAs: a.roots, ServerName: name, MaxVersion: tls.VersionTLS12}
		if i%2 == 0 { // a client of long ago: autocert would ask for another certificate for it
			conf.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}
		if c, err := tls.DialWithDialer(&net.Dialer{Timeout: within}, "tcp", fmt.Sprintf("127.0.0.1:%d", tlsPort), conf); err == nil {
			c.Close()
			t.Fatal("there is a certificate")
		}
	}
	// One for each way to prove the name, of one try: none of those who knocked added one.
	if now := strings.Count(a.log.String(), "Added order"); orders == 0 || now != orders {
		t.Errorf("%d orders, then %d\n%s", orders, now, a.log)
	}
}
