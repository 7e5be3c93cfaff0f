package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// keyed is a service with one key, which opens.
func keyed(tb testing.TB) (s *accounts.Service, key string) {
	tb.Helper()
	st, err := bolt.Open(bolt.Config{Dir: tb.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	// Time goes on by a minute at each look: no pace and no limit is in the way.
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s = accounts.New(st, accounts.Options{Now: func() time.Time { now = now.Add(time.Minute); return now }})
	by, err := s.Create(ctx, "test", accounts.NewUser{Name: "Ada", Role: accounts.Administrator, All: true})
	if err != nil {
		tb.Fatal(err)
	}
	if _, key, err = s.MakeToken(ctx, accounts.Person{ID: by}, accounts.NewToken{Name: "Export", Role: accounts.Observer, All: true, Days: 366}); err != nil {
		tb.Fatal(err)
	}
	return s, key
}

func TestAKeyOpensAsItIsAndInNoOtherForm(t *testing.T) {
	s, key := keyed(t)
	if p, err := s.Token(ctx, key, "192.0.2.1"); err != nil || p.Role != accounts.Observer || !p.Token {
		t.Fatalf("%+v, %v", p, err)
	}
	for i := range key { // each letter counts
		other := byte('x')
		if key[i] == other {
			other = 'y'
		}
		if p, err := s.Token(ctx, key[:i]+string(other)+key[i+1:], "192.0.2.1"); !errors.Is(err, accounts.ErrLogin) {
			t.Errorf("with another letter %d: %+v, %v", i, p, err)
		}
	}
	for _, wrong := range []string{"", key + "A", key[1:], strings.ToUpper(key), " " + key, key + "\n"} {
		if p, err := s.Token(ctx, wrong, "192.0.2.1"); !errors.Is(err, accounts.ErrLogin) {
			t.Errorf("%q opens for %+v, %v", wrong, p, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	s, key := keyed(f)
	f.Add(key)
	f.Add("borne_0123456789abcdef_" + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := s.Token(ctx, text, "192.0.2.1"); err == nil && text != key || err != nil && !errors.Is(err, accounts.ErrLogin) && !errors.Is(err, accounts.ErrRate) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	})
}
