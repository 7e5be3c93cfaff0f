package warden

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

func testLedger(t *testing.T, dir string) *ledger {
	t.Helper()
	l, err := openLedger(dir, "build", false)
	must(t, err)
	return l
}

func cleanEvidence(session string) sandbox.Evidence {
	e := sandbox.Evidence{Session: session, Millis: 7, Level: wire.LevelReduced}
	for _, n := range wire.RequiredChecks() {
		e.Checks = append(e.Checks, wire.Check{Name: n, Before: 1, Result: wire.Clean})
	}
	return e
}

func claim(session, permit string) sandbox.Sign {
	return sandbox.Sign{Kind: wire.ReceiptSession, Terminal: "t1", Session: session, Permit: permit, Nonce: []byte("nonce-" + permit), At: time.Unix(1_700_000_000, 0)}
}

func TestReceiptsAreChainedAndIdempotent(t *testing.T) {
	dir := t.TempDir()
	l := testLedger(t, dir)
	if _, _, err := l.sign(claim("s1", "p1")); err == nil {
		t.Fatal("signed without a wipe")
	}
	must(t, l.wiped(cleanEvidence("s1"), 1))
	first, head, err := l.sign(claim("s1", "p1"))
	must(t, err)
	pub := l.key.Public().(ed25519.PublicKey)
	r, err := wire.Open[wire.Receipt](first, wire.DomainReceipt, pub)
	must(t, err)
	if r.Index != 1 || r.Segment != 0 || r.Prev != nil || r.Failure() != "" || r.Permit != "p1" || r.Attempt != 1 || r.WipeMS != 7 {
		t.Errorf("receipt %+v", r)
	}

	// A restart, later: the same bytes.
	l = testLedger(t, dir)
	later := claim("s1", "p1")
	later.At = later.At.Add(time.Hour)
	again, head2, err := l.sign(later)
	must(t, err)
	if !bytes.Equal(again.Payload, first.Payload) || !bytes.Equal(again.Sig, first.Sig) || !bytes.Equal(head.Digest, head2.Digest) {
		t.Error("the same permit has two receipts")
	}
	for name, change := range map[string]func(*sandbox.Sign){
		"nonce":    func(s *sandbox.Sign) { s.Nonce = []byte("another one") },
		"session":  func(s *sandbox.Sign) { s.Session = "s2" },
		"terminal": func(s *sandbox.Sign) { s.Terminal = "t2" },
		"kind":     func(s *sandbox.Sign) { s.Kind, s.Session = wire.ReceiptChallenge, "" },
	} {
		c := claim("s1", "p1")
		change(&c)
		if _, _, err := l.sign(c); err == nil {
			t.Errorf("another claim on a signed permit (%s) is signed", name)
		}
	}
	if _, _, err := l.sign(claim("s1", "p2")); err == nil {
		t.Error("one wipe has two receipts")
	}
	must(t, l.wiped(cleanEvidence("s2"), 1))
	second, head, err := l.sign(claim("s2", "p2"))
	must(t, err)
	r, err = wire.Open[wire.Receipt](second, wire.DomainReceipt, pub)
	must(t, err)
	if r.Index != 2 || !bytes.Equal(r.Prev, first.Digest()) || !bytes.Equal(head.Digest, second.Digest()) {
		t.Errorf("receipt %+v does not follow", r)
	}

	// Forgotten, a permit is spent, whatever is wiped later.
	must(t, l.forget("p2"))
	must(t, l.forget("p2"))
	must(t, l.wiped(cleanEvidence("s2"), 1))
	if _, _, err := testLedger(t, dir).sign(claim("s2", "p2")); err == nil {
		t.Error("a spent permit is signed again")
	}
}

func TestEvidenceFromBeforeAnAdmissionProvesNothing(t *testing.T) {
	dir := t.TempDir()
	l := testLedger(t, dir)
	must(t, l.wiped(cleanEvidence("s1"), 1))
	must(t, l.begin("s1", time.Now(), nil))
	challenge := sandbox.Sign{Kind: wire.ReceiptChallenge, Terminal: "t1", Permit: "cmd-1", Nonce: make([]byte, 16)}
	for _, l := range []*ledger{l, testLedger(t, dir)} {
		for _, c := range []sandbox.Sign{claim("s1", "p1"), challenge} {
			if _, _, err := l.sign(c); err == nil {
				t.Errorf("%s %q is signed while the session is open", c.Kind, c.Session)
			}
		}
	}
	must(t, l.wiped(cleanEvidence("s1"), 1))
	first, _, err := l.sign(claim("s1", "p1"))
	must(t, err)
	// What was signed and not committed yet is given again, whatever began since.
	must(t, l.begin("s2", time.Now(), nil))
	if again, _, err := l.sign(claim("s1", "p1")); err != nil || !bytes.Equal(again.Sig, first.Sig) {
		t.Errorf("asked again: %v", err)
	}
}

func TestChallengeBeginsASegment(t *testing.T) {
	l := testLedger(t, t.TempDir())
	must(t, l.wiped(cleanEvidence("s1"), 1))
	_, head, err := l.sign(claim("s1", "p1"))
	must(t, err)
	must(t, l.wiped(cleanEvidence(""), 1))
	c := sandbox.Sign{Kind: wire.ReceiptChallenge, Terminal: "t1", Permit: "cmd-1", Nonce: make([]byte, 16), NewChain: true}
	env, _, err := l.sign(c)
	must(t, err)
	var r wire.Receipt
	must(t, json.Unmarshal(env.Payload, &r))
	if r.Segment != 1 || r.Index != 1 || !bytes.Equal(r.Prev, head.Digest) {
		t.Errorf("receipt %+v", r)
	}
	bad := claim("s9", "p9")
	bad.NewChain = true
	if _, _, err := l.sign(bad); err == nil {
		t.Error("a session begins a new chain")
	}
}

func TestFailedWipeSaysSo(t *testing.T) {
	l := testLedger(t, t.TempDir())
	e := cleanEvidence("s1")
	e.Checks[0].Result, e.Checks[0].After, e.Failure = wire.Found, 1, "found: processes"
	must(t, l.wiped(e, 3))
	env, _, err := l.sign(claim("s1", "p1"))
	must(t, err)
	var r wire.Receipt
	must(t, json.Unmarshal(env.Payload, &r))
	if r.Failure() != "found: processes" || r.Attempt != 3 {
		t.Errorf("receipt %+v hides a failed wipe", r)
	}
}

func TestLedgerFailsClosed(t *testing.T) {
	dir := t.TempDir()
	l := testLedger(t, dir)
	must(t, l.begin("s1", time.Now(), nil))
	for name, text := range map[string]string{"torn": `{"version":1,"he`, "newer": `{"version":2}`} {
		must(t, os.WriteFile(dir+"/ledger.json", []byte(text), 0o600))
		if _, err := openLedger(dir, "", false); err == nil || !strings.HasPrefix(err.Error(), "cannot read the warden's ledger") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	must(t, os.WriteFile(dir+"/receipt.key", []byte("short"), 0o600))
	if _, err := openLedger(dir, "", false); err == nil || !strings.Contains(err.Error(), "receipt key") {
		t.Errorf("error %v", err)
	}
	// A ledger that cannot be written gives no receipt.
	l = testLedger(t, t.TempDir())
	must(t, l.wiped(cleanEvidence("s1"), 1))
	must(t, os.RemoveAll(l.dir))
	if _, _, err := l.sign(claim("s1", "p1")); err == nil {
		t.Error("a receipt leaves before it is durable")
	}
	if l.s.Head.Index != 0 {
		t.Error("the chain moved on without being durable")
	}
}

func TestCSRCarriesTheReceiptKey(t *testing.T) {
	l := testLedger(t, t.TempDir())
	der, err := l.csr()
	must(t, err)
	r, err := x509.ParseCertificateRequest(der)
	must(t, err)
	must(t, r.CheckSignature())
	if !l.key.Public().(ed25519.PublicKey).Equal(r.PublicKey) {
		t.Error("another key")
	}
	fi, err := os.Stat(l.dir + "/receipt.key")
	must(t, err)
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("the key is readable: %v", fi.Mode())
	}
}

func TestClockSetBackDoesNotHideFiles(t *testing.T) {
	now := time.Now()
	w := &warden{started: now, mono: now, ledger: &ledger{}}
	b := &box{began: now.Add(time.Hour).Round(0), mono: now} // set back by an hour since
	if since := w.since([]*box{b}); since.After(now.Add(time.Second)) {
		t.Errorf("looks for files from %s on, now is %s", since, now)
	}
}
