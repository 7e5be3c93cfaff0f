package warden

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// TestOnlySignedPolicies: a standby is made by a policy of the controller, and
// by nothing else that an agent can send.
func TestOnlySignedPolicies(t *testing.T) {
	w := openTest(t, lightConfig(t, 1))
	good, err := signedPolicy(controllerKey())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(p sandbox.Prepare) string {
		a, files := w.handle(t.Context(), sandbox.Request{Prepare: &p})
		sandbox.CloseAll(files)
		return a.Error
	}
	if e := ask(good); !strings.Contains(e, "enrol") {
		t.Fatalf("before any enrolment: %q", e)
	}
	if err := Trust(w.c.State, wire.KeySet{SignKeys: [][]byte{controllerKey().Public().(ed25519.PublicKey)}}); err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := signedPolicy(other)
	if err != nil {
		t.Fatal(err)
	}
	changed := good
	changed.Policy.Payload = []byte(strings.Replace(string(good.Policy.Payload), `"open"`, `"wide"`, 1))
	permit := good
	permit.Policy = wire.SealBytes(controllerKey(), wire.DomainPermit, good.Policy.Payload)
	for name, p := range map[string]sandbox.Prepare{"another key": forged, "changed": changed, "another kind": permit, "nothing": {Lang: "fr", Width: 800, Height: 600}} {
		if e := ask(p); !strings.HasPrefix(e, "cannot prepare by a policy") {
			t.Errorf("%s: %q", name, e)
		}
	}
	if len(w.boxes) != 0 {
		t.Fatalf("%d sandboxes were made", len(w.boxes))
	}
	if e := ask(good); e != "" || len(w.boxes) != 1 {
		t.Fatalf("the controller's own: %q, %d sandboxes", e, len(w.boxes))
	}
}

// TestProbe: a sandbox whose browser may tell of its policy is nobody's, and goes
// with the next one.
func TestProbe(t *testing.T) {
	w := openTest(t, lightConfig(t, 1))
	if err := Trust(w.c.State, wire.KeySet{SignKeys: [][]byte{controllerKey().Public().(ed25519.PublicKey)}}); err != nil {
		t.Fatal(err)
	}
	ask, err := signedPolicy(controllerKey())
	if err != nil {
		t.Fatal(err)
	}
	ask.Probe = true
	do := func(r sandbox.Request) sandbox.Answer {
		t.Helper()
		a, files := w.handle(t.Context(), r)
		sandbox.CloseAll(files)
		return a
	}
	probe := do(sandbox.Request{Prepare: &ask})
	if probe.Error != "" {
		t.Fatal(probe.Error)
	}
	if a := do(sandbox.Request{Admit: &sandbox.Admit{Sandbox: probe.Sandbox.Sandbox, Session: "s"}}); !strings.HasPrefix(a.Error, "cannot admit") {
		t.Fatalf("somebody is admitted to a probe: %q", a.Error)
	}
	ask.Probe = false
	standby := do(sandbox.Request{Prepare: &ask})
	if standby.Error != "" {
		t.Fatal(standby.Error)
	}
	if w.boxes[probe.Sandbox.Sandbox] != nil || w.boxes[standby.Sandbox.Sandbox] == nil || len(w.boxes) != 1 {
		t.Errorf("%d sandboxes are there, the probe among them: %v", len(w.boxes), w.boxes[probe.Sandbox.Sandbox] != nil)
	}
}

func TestBelieveFollowsARollover(t *testing.T) {
	w := &warden{c: Config{State: t.TempDir(), Log: testLog(t)}}
	keys := make([]ed25519.PrivateKey, 4)
	for i := range keys {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = k
	}
	pub := func(n ...int) (all [][]byte) {
		for _, i := range n {
			all = append(all, keys[i].Public().(ed25519.PublicKey))
		}
		return all
	}
	set := func(by int, step uint64, n ...int) sandbox.Believe {
		e, err := wire.Seal(keys[by], wire.DomainKeys, wire.KeySet{Step: step, SignKeys: pub(n...)})
		if err != nil {
			t.Fatal(err)
		}
		return sandbox.Believe{Keys: e}
	}
	believes := func(n int) bool {
		now, err := readTrust(w.c.State)
		if err != nil {
			t.Fatal(err)
		}
		e, err := wire.Seal(keys[n], wire.DomainPolicy, policy.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = wire.Open[policy.Policy](e, wire.DomainPolicy, now.verifiers()...)
		return err == nil
	}
	if err := w.believe(set(0, 1, 0)); err == nil {
		t.Fatal("a set is believed before any enrolment")
	}
	if err := Trust(w.c.State, wire.KeySet{SignKeys: pub(0)}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		name string
		b    sandbox.Believe
		ok   bool
		now  string // keys believed afterwards
	}{
		{"of a stranger", set(3, 1, 3), false, "0"},
		{"announced", set(0, 1, 0, 1), true, "01"},
		{"the same again", set(0, 1, 0, 1), true, "01"},
		{"others of the same step", set(0, 1, 0, 3), false, "01"},
		{"switched", set(1, 2, 0, 1), true, "01"},
		{"retired", set(1, 3, 1), true, "1"},
		{"an old one comes back", set(1, 2, 0, 1), false, "1"},
		{"by the retired key", set(0, 9, 0), false, "1"},
		{"without a key", set(1, 9), false, "1"},
		{"with half a key", func() sandbox.Believe {
			e, err := wire.Seal(keys[1], wire.DomainKeys, wire.KeySet{Step: 9, SignKeys: [][]byte{{1, 2, 3}}})
			if err != nil {
				t.Fatal(err)
			}
			return sandbox.Believe{Keys: e}
		}(), false, "1"},
	} {
		if err := w.believe(s.b); (err == nil) != s.ok {
			t.Errorf("%s: %v", s.name, err)
		}
		for i := range keys {
			if want := strings.ContainsRune(s.now, rune('0'+i)); believes(i) != want {
				t.Errorf("after %q key %d is believed: %v", s.name, i, !want)
			}
		}
	}
	// A terminal that is enrolled elsewhere forgets what it believed.
	if err := Trust(w.c.State, wire.KeySet{Step: 12, SignKeys: pub(2)}); err != nil {
		t.Fatal(err)
	}
	if believes(1) || !believes(2) {
		t.Error("enrolment does not replace the keys")
	}
	// It is told how far its controller's rollovers are: none from before counts.
	if err := w.believe(set(2, 11, 1, 2)); err == nil || believes(1) {
		t.Error("a retired key comes back after an enrolment")
	}
}
