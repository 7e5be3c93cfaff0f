package server

import (
	"errors"
	"testing"
)

func TestHookKeysDifferAndStay(t *testing.T) {
	c := settings(t, fresh(t))
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	key := s.hooks.HookKey("a", 0)
	if len(key) < 43 || key == s.hooks.HookKey("a", 1) || key == s.hooks.HookKey("b", 0) || string(s.hooks.key("a", 0)) != key {
		t.Error("keys do not differ")
	}
	for _, bad := range []string{"http://example.org/", "https://127.0.0.1/", "https://10.1.2.3/x", "https://u:p@example.org/", "file:///etc/passwd", ""} {
		var said interface{ French() string }
		if err := s.hooks.CheckHook(bad); !errors.As(err, &said) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := s.hooks.CheckHook("https://supervision.example.org/in"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.hooks.HookKey("a", 0) != key {
		t.Error("a restart changes what posts are signed with")
	}
}
