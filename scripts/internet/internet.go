// Package internet is the web of the tests: a network namespace of its own with
// web servers on addresses of 198.51.100.0/25 (RFC 5737) and a DNS server that
// knows their names, behind a virtual cable. Nobody opens a loopback hole for a test.
//
// It needs root, iproute2 and dnsmasq.
package internet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Addresses of the first block.
const (
	Gateway  = "198.51.100.1" // the machine under test
	Web      = "198.51.100.2" // where the servers of Serve listen
	Resolver = "198.51.100.3" // answers every name that Up was given, refuses the rest
)

// Block is the addresses of one test network. Networks of different blocks are
// up at once: each package of tests has its own.
type Block struct {
	number   int
	Gateway  string
	Web      string
	Resolver string
}

// blocks is how many there are in 198.51.100.0/25: a /29 each.
const blocks = 16

// Number returns block n, of 0 to 15.
func Number(n int) Block {
	if n < 0 || n >= blocks {
		panic(fmt.Sprintf("cannot use block %d of the test networks: there are %d", n, blocks)) // a bug of the test
	}
	at := func(host int) string { return fmt.Sprintf("198.51.100.%d", 8*n+host) }
	return Block{number: n, Gateway: at(1), Web: at(2), Resolver: at(3)}
}

// Net is one running test network.
type Net struct {
	Block
	lock    *os.File // one at a time in a block: they share their addresses
	ns      string
	cable   string // the machine's end
	dir     string
	dns     *exec.Cmd
	servers []*http.Server
}

// Up makes a test network in the first block.
func Up(ctx context.Context, names ...string) (*Net, error) { return Number(0).Up(ctx, names...) }

// Up makes the namespace, its cable and its DNS server; every name of names,
// and every name below it, resolves to Web, or to the addresses that follow it:
// "name=address,address". The first name is a plain one. Call Down when done.
func (b Block) Up(ctx context.Context, names ...string) (n *Net, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("cannot make the test network: network namespaces need root")
	}
	var id [3]byte
	rand.Read(id[:])
	tag := hex.EncodeToString(id[:])
	dir, err := os.MkdirTemp("", "borne-internet-")
	if err != nil {
		return nil, fmt.Errorf("cannot make the test network: %w", err)
	}
	n = &Net{Block: b, ns: b.prefix() + tag, dir: dir}
	defer func() {
		if err != nil {
			n.Down()
		}
	}()
	if n.lock, err = b.alone(ctx); err != nil {
		return n, err
	}
	b.sweep()
	host, inside := "bw"+tag+"h", "bw"+tag+"n"
	n.cable = host
	for _, line := range []string{
		"netns add " + n.ns,
		"link add " + host + " type veth peer name " + inside + " netns " + n.ns,
		"addr add " + b.Gateway + "/29 dev " + host,
		"link set " + host + " up",
		"-n " + n.ns + " addr add " + b.Web + "/29 dev " + inside,
		"-n " + n.ns + " addr add " + b.Resolver + "/29 dev " + inside,
		"-n " + n.ns + " link set " + inside + " up",
		"-n " + n.ns + " link set lo up",
		"-n " + n.ns + " route add default via " + b.Gateway,
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return n, fmt.Errorf("cannot make the test network: ip %s: %w: %s", line, err, out)
		}
	}
	return n, n.startDNS(ctx, names)
}

// prefix begins the names of this block's namespaces.
func (b Block) prefix() string { return fmt.Sprintf("borneweb%d-", b.number) }

// alone waits until no other test network of this block is up on this machine.
func (b Block) alone(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("borne-internet-%d.lock", b.number)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot make the test network: %w", err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("cannot make the test network: another one is up: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// sweep removes what a test that was killed left behind. Whoever holds the lock
// knows that nobody uses it.
func (b Block) sweep() {
	old, _ := filepath.Glob("/var/run/netns/" + b.prefix() + "*")
	for _, path := range old {
		pids, _ := exec.Command("ip", "netns", "pids", filepath.Base(path)).Output()
		for _, f := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(f); err == nil {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		exec.Command("ip", "netns", "del", filepath.Base(path)).Run()
	}
}

func (n *Net) startDNS(ctx context.Context, names []string) error {
	args := []string{"netns", "exec", n.ns, "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
		"--listen-address=" + n.Resolver, "--bind-interfaces", "--port=53", "--user=root", "--pid-file=" + filepath.Join(n.dir, "dns.pid")}
	for _, name := range names {
		name, to, own := strings.Cut(name, "=")
		if !own {
			to = n.Web
		}
		for a := range strings.SplitSeq(to, ",") {
			args = append(args, "--address=/"+name+"/"+a)
		}
	}
	n.dns = exec.Command("ip", args...)
	n.dns.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.dns.Start(); err != nil {
		return fmt.Errorf("cannot start the test DNS server: %w", err)
	}
	// It is ready when it answers: ask it, from this side of the cable.
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: 200 * time.Millisecond}
		return d.DialContext(ctx, network, n.Resolver+":53")
	}}
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, time.Second)
		got, err := r.LookupHost(try, names[0])
		cancel()
		if err == nil && len(got) == 1 && got[0] == n.Web {
			return nil
		}
	}
	return fmt.Errorf("cannot start the test DNS server: it does not answer: %w", ctx.Err())
}

// Neighbour gives the namespace an address more, and the machine a route to it:
// a host of the local network, or of a cloud's metadata service.
func (n *Net) Neighbour(address string) error {
	for _, line := range []string{
		"-n " + n.ns + " addr add " + address + "/32 dev lo",
		"route add " + address + "/32 via " + n.Web + " dev " + n.cable,
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot give the test network a neighbour: ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// Serve runs h on Web:port inside the namespace.
func (n *Net) Serve(port int, h http.Handler) error {
	var ln net.Listener
	err := n.Do(func() (err error) {
		ln, err = net.Listen("tcp4", net.JoinHostPort(n.Web, fmt.Sprint(port)))
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot serve in the test network: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	n.servers = append(n.servers, s)
	go s.Serve(ln)
	return nil
}

// Pids are the processes of the test network's own, beside this one: they know
// each name that was asked for.
func (n *Net) Pids() []int {
	if n.dns == nil || n.dns.Process == nil {
		return nil
	}
	return []int{n.dns.Process.Pid}
}

// Do runs fn on a thread inside the namespace: sockets made there stay there.
func (n *Net) Do(fn func() error) error {
	return Thread(func() error {
		f, err := os.Open("/var/run/netns/" + n.ns)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return fn()
	})
}

// Thread runs fn on a thread that ends with it, and that is not the process's
// first: that one cannot end, and would stay wherever fn went.
func Thread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			done <- fn()
			return // still locked
		}
		defer runtime.UnlockOSThread()
		done <- Thread(fn)
	}()
	return <-done
}

// Down ends everything that Up and Serve began.
func (n *Net) Down() {
	for _, s := range n.servers {
		s.Close()
	}
	if n.dns != nil && n.dns.Process != nil {
		n.dns.Process.Kill()
		n.dns.Wait()
	}
	exec.Command("ip", "netns", "del", n.ns).Run()
	os.RemoveAll(n.dir)
	if n.lock != nil {
		n.lock.Close()
	}
}

// ServeTLS runs h over TLS on Web:port inside the namespace.
func (n *Net) ServeTLS(port int, cert tls.Certificate, h http.Handler) error {
	var ln net.Listener
	err := n.Do(func() (err error) {
		ln, err = tls.Listen("tcp4", net.JoinHostPort(n.Web, fmt.Sprint(port)), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot serve in the test network: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	n.servers = append(n.servers, s)
	go s.Serve(ln)
	return nil
}

// Certificate makes an authority of the test's own (PEM) and a server's
// certificate for the names, both good for an hour.
func Certificate(names ...string) (caPEM []byte, cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, fmt.Errorf("cannot make a certificate: %w", err)
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return nil, cert, fmt.Errorf("cannot make a certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	if err != nil {
		return nil, cert, fmt.Errorf("cannot make a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key}, nil
}
