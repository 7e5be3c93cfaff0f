package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// FuzzEnrol asks for an identity with whatever bytes. Without the code there is none;
// with it (proven), there is one for good certificate requests alone, and a request that
// is refused leaves no terminal behind.
func FuzzEnrol(f *testing.F) {
	dir := f.TempDir()
	err := pki.Init(filepath.Join(dir, "keys"), time.Now())
	if err != nil {
		f.Fatal(err)
	}
	keys, err := pki.Open(filepath.Join(dir, "keys"), time.Now)
	if err != nil {
		f.Fatal(err)
	}
	rules := compliance.New(compliance.Config{Sign: keys, Now: time.Now})
	st, err := bolt.Open(bolt.Config{Dir: filepath.Join(dir, "store"), Apply: rules.Apply, Journal: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	fleet := New(Config{Store: st, Rules: rules, PKI: keys, Now: time.Now})
	f.Cleanup(func() { fleet.Close(); st.Close() })

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	_, receipt, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	csr := func(k any) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
		if err != nil {
			f.Fatal(err)
		}
		return der
	}
	const codeID = "0123456789ABCDEF"
	secret, exporter := []byte("0123456789"), bytes.Repeat([]byte{7}, 32)
	for _, r := range []wire.EnrolRequest{{CSR: csr(key), ReceiptKey: csr(receipt), Machine: "m", Build: "b"}, {CSR: csr(key), ReceiptKey: csr(key)}, {CSR: csr(receipt), ReceiptKey: csr(receipt)}, {CSR: []byte("x"), Proof: make([]byte, 32), Sim: true}} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Add([]byte(`{"codeId":`), true)
	undo := errors.New("undo") // each input finds the same store
	f.Fuzz(func(t *testing.T, b []byte, knows bool) {
		var req wire.EnrolRequest
		if err := decode(httptest.NewRequest("POST", wire.PathEnrol, bytes.NewReader(b)), &req); err != nil {
			var no *refusal
			if !errors.As(err, &no) || no.Status != 400 {
				t.Fatalf("%v", err)
			}
			return
		}
		req.CodeID = codeID // which is no secret
		if knows {
			req.Proof = req.TerminalProof(secret, exporter)
		}
		err := st.Decide(t.Context(), func(tx store.Tx) error {
			code := store.Item[store.EnrolCode]{Meta: store.Meta{ID: codeID, Site: "a"}, Row: store.EnrolCode{Space: "hall", Name: "Poste", Secret: secret, Expires: time.Now().Add(time.Hour)}}
			if err := store.Put(tx, code); err != nil {
				return err
			}
			resp, first, err := fleet.enrolIn(tx, req, exporter)
			var no *refusal
			switch {
			case errors.As(err, &no):
				if no.Status != 400 && no.Status != 403 || first && !knows {
					t.Fatalf("%v, first %t", no.Problem, first)
				}
				if resp.Terminal != "" || len(resp.Cert)+len(resp.BadgeKey) != 0 {
					t.Fatalf("a refusal gives %+v", resp)
				}
			case err != nil:
				t.Fatal(err)
			case !knows:
				t.Fatal("an identity without the code")
			default:
				cert, err := x509.ParseCertificate(resp.Cert)
				if err != nil || cert.Subject.CommonName != resp.Terminal {
					t.Fatalf("issued for %q: %v", resp.Terminal, err)
				}
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
	})
}
