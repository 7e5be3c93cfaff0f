package uplink

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
)

func folder(t *testing.T) *Folder {
	t.Helper()
	f, err := OpenFolder(filepath.Join(t.TempDir(), "identity"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func request(t *testing.T, c *controller, f *Folder, code []byte) EnrolConfig {
	t.Helper()
	return EnrolConfig{Folder: f, Controller: c.url, Code: wireCode(code), Machine: "test", Build: "test",
		ReceiptCSR: func(context.Context) ([]byte, error) { return []byte("receipt request"), nil }}
}

// wireCode writes a code as a person types it.
func wireCode(code []byte) string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	var out strings.Builder
	for i := range 16 {
		v := 0
		for b := range 5 {
			bit := i*5 + b
			v = v<<1 | int(code[bit/8]>>(7-bit%8))&1
		}
		if i%4 == 0 && i > 0 {
			out.WriteByte(' ')
		}
		out.WriteByte(alphabet[v])
	}
	return out.String()
}

func newCode(t *testing.T) []byte {
	t.Helper()
	code, err := wire.ParseCode(wire.NewCode())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestEnrol(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	c.code = newCode(t)
	f := folder(t)
	if _, err := f.Load(); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("before: %v", err)
	}
	// The answer is lost: the retry sends the same requests and gets the same identity.
	c.problem = &wire.Problem{Status: 500, Code: "lost", Detail: "power cut"}
	var refused *RefusedError
	if _, err := Enrol(t.Context(), request(t, c, f, c.code)); !errors.As(err, &refused) {
		t.Fatalf("with the answer lost: %v", err)
	}
	c.problem = nil
	id, err := Enrol(t.Context(), request(t, c, f, c.code))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.enrolled) != 1 {
		t.Errorf("%d identities were made", len(c.enrolled))
	}
	if id.Terminal != "t-enrolled" || id.ServerName != serverName || id.Controller != c.url || len(id.Verifiers()) != 1 {
		t.Errorf("identity: %+v", id)
	}
	got, err := f.Load()
	if err != nil || !got.Key.Equal(id.Key) || !bytes.Equal(got.Cert, id.Cert) {
		t.Errorf("loaded: %v", err)
	}
	entries, _ := os.ReadDir(f.dir)
	for _, e := range entries {
		if st, _ := e.Info(); st.Mode().Perm() != 0o600 || e.Name() != "identity.json" {
			t.Errorf("%s has mode %o", e.Name(), st.Mode().Perm())
		}
	}
	// And it opens the uplink.
	l := run(t, c, newOutbox(0, 0), func(cfg *Config) { cfg.Identity, cfg.Folder = got, f })
	c.next().welcome(1, 0)
	until(t, l, func(e Event) bool { return e.Welcome != nil })
}

func TestEnrolRefusals(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	c.code = newCode(t)
	for code, want := range map[string]string{"expired": "15 minutes", "unknown": "does not know", "used": "used already", "rate": "too many"} {
		c.problem = &wire.Problem{Status: 403, Code: code}
		f := folder(t)
		if _, err := Enrol(t.Context(), request(t, c, f, c.code)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", code, err)
		}
		if _, err := f.Load(); !errors.Is(err, ErrNotEnrolled) {
			t.Errorf("%s: an identity was kept: %v", code, err)
		}
	}
	c.problem = nil
	bad := request(t, c, folder(t), c.code)
	bad.Code = "1234"
	if _, err := Enrol(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "16 letters") {
		t.Errorf("short code: %v", err)
	}
	bad = request(t, c, folder(t), c.code)
	bad.Controller = "http://x"
	if _, err := Enrol(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "https://host") {
		t.Errorf("address: %v", err)
	}
}

func TestEnrolDoesNotBelieveWhoeverAnswers(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	c.code, c.lies = newCode(t), true // it does not know the code that the person typed
	f := folder(t)
	if _, err := Enrol(t.Context(), request(t, c, f, newCode(t))); !errors.Is(err, wire.ErrProof) {
		t.Errorf("%v", err)
	}
	if _, err := f.Load(); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("an identity was kept: %v", err)
	}
}

func TestEnrolThroughAnInterceptingProxyFailsAndNamesIt(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	c.code = newCode(t)
	fake := newAuthority(t, "Filtre", "Rectorat").server(t, "anything")
	px := startProxy(t, "", &fake)
	cfg := request(t, c, folder(t), c.code)
	cfg.Route.Proxy = &url.URL{Scheme: "http", Host: px.addr}
	_, err := Enrol(t.Context(), cfg)
	var caught *InterceptedError
	if !errors.As(err, &caught) || caught.Issuer != "Filtre, Rectorat" || caught.Host != "127.0.0.1" {
		t.Errorf("%v", err)
	}
}

func TestRenewal(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	f := folder(t)
	for name, age := range map[string]struct {
		from, to time.Duration
		due      bool
	}{"young": {-1, 3, false}, "two thirds": {-2, 1, true}} {
		c.renewals = nil
		old := c.root.identity(t, c.url, time.Now().Add(age.from*time.Hour-time.Minute), time.Now().Add(age.to*time.Hour))
		l := run(t, c, newOutbox(1, 0), func(cfg *Config) { cfg.Identity, cfg.Folder = old, f })
		p := c.next()
		p.welcome(1, 0)
		if age.due {
			eventually(t, name+": not renewed", func() bool { return !l.Identity().Key.Equal(old.Key) })
			kept, err := f.Load()
			if err != nil || !kept.Key.Equal(l.Identity().Key) {
				t.Errorf("%s: not kept: %v", name, err)
			}
			p.ws.Close() // the next connection shows the new one
			c.next().welcome(1, 0)
			continue
		}
		until(t, l, func(e Event) bool { return e.Welcome != nil })
		if got := old.due(); got.Before(time.Now()) {
			t.Errorf("%s: due at %v", name, got)
		}
		if !l.Identity().Key.Equal(old.Key) {
			t.Errorf("%s: renewed too early", name)
		}
	}
}

func TestRenewalRetriesWithTheSameRequest(t *testing.T) {
	c := startController(t, newAuthority(t, "root", "Borne"))
	f, id := folder(t), now(t, c.root, c.url)
	c.problem = &wire.Problem{Status: 500, Code: "later"}
	if same, err := Renew(t.Context(), Route{}, f, id, time.Now()); err == nil || !same.Key.Equal(id.Key) {
		t.Errorf("refused: %v", err)
	}
	c.problem = nil
	next, err := Renew(t.Context(), Route{}, f, id, time.Now())
	if err != nil || next.Key.Equal(id.Key) {
		t.Fatalf("%v", err)
	}
	if len(c.renewals) != 2 || !bytes.Equal(c.renewals[0], c.renewals[1]) {
		t.Error("the retry sent another request")
	}
	if _, err := Renew(t.Context(), Route{}, f, next, time.Now()); err != nil || bytes.Equal(c.renewals[1], c.renewals[2]) {
		t.Errorf("the renewal after it: %v", err)
	}
}

func TestSaveKeepsWhatWorks(t *testing.T) {
	f, a := folder(t), newAuthority(t, "root", "Borne")
	id := now(t, a, "https://c")
	if err := f.Save(id); err != nil {
		t.Fatal(err)
	}
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for name, spoil := range map[string]func(*Identity){
		"key of another": func(i *Identity) { i.Key = other },
		"no root":        func(i *Identity) { i.Roots = nil },
		"bad root":       func(i *Identity) { i.Roots = [][]byte{{1}} },
		"no sign key":    func(i *Identity) { i.SignKeys = nil },
		"short sign key": func(i *Identity) { i.SignKeys = [][]byte{{1}} },
		"no badge key":   func(i *Identity) { i.BadgeKey = nil },
		"no terminal":    func(i *Identity) { i.Terminal = "" },
		"bad controller": func(i *Identity) { i.Controller = "ftp://c" },
	} {
		bad := id
		spoil(&bad)
		if err := f.Save(bad); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
	if got, err := f.Load(); err != nil || got.Terminal != "t1" {
		t.Errorf("after: %v", err)
	}
	if err := os.Chmod(filepath.Join(f.dir, "identity.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(); err == nil || !strings.Contains(err.Error(), "others may read it") {
		t.Errorf("readable by others: %v", err)
	}
}

func TestProxyAnswers(t *testing.T) {
	for in, want := range map[string]error{
		"HTTP/1.1 200 OK\r\n\r\n":                              nil,
		"HTTP/1.0 204 x\r\nA: b\r\n\r\n":                       nil,
		"HTTP/1.1 407 Auth\r\nContent-Length: 3\r\n\r\n":       ErrProxyAuth,
		"HTTP/1.1 403 Forbidden\r\n\r\n":                       ErrProxy,
		"SSH-2.0-x\r\n\r\n":                                    ErrProxy,
		"HTTP/1.1 200 OK\r\n":                                  ErrProxy, // stops early
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 17<<10): ErrProxy,
	} {
		near, far := net.Pipe()
		go func() {
			b := make([]byte, 1024)
			far.Read(b)
			far.Write([]byte(in))
			far.Close()
		}()
		if err := connect(near, "host:443", nil); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", in, err, want)
		}
		near.Close()
	}
}

func TestEndpoints(t *testing.T) {
	for in, want := range map[string]string{"https://c": "c:443", "https://c:8443/": "c:8443", "https://[::1]": "[::1]:443",
		"http://c": "", "c": "", "https://u@c": "", "https://c/x": "", "https://c?x": "", "https://": "", "://": ""} {
		u, err := endpoint(in)
		if (err == nil) != (want != "") || err == nil && u.Host != want {
			t.Errorf("%s: %v, %v", in, u, err)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	a := newAuthority(f, "root", "Borne")
	id := now(f, a, "https://c")
	key, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(stored{Terminal: "t", Controller: "https://c", ServerName: "s", Key: key, Cert: id.Cert, Roots: id.Roots, SignKeys: id.SignKeys, BadgeKey: id.BadgeKey})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := parseIdentity(good); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"key":"AA=="}`))
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := parseIdentity(b)
		if err == nil && (id.Key == nil || len(id.Roots) == 0 || len(id.Verifiers()) == 0 || id.check() != nil) {
			t.Fatalf("an identity without its parts: %+v", id)
		}
	})
}

func FuzzTunnel(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 407 x\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := tunnel(b); err == nil && !bytes.HasPrefix(b, []byte("HTTP/")) {
			t.Fatalf("%q opens a tunnel", b)
		}
	})
}
