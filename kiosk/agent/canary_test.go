package agent_test

import (
	"context"
	"errors"
	"testing"

	"borne/kiosk/shell"
)

// The receipt's web canary is real: planted in the session's own browser before
// anybody has it, and none is claimed when it was not.
func TestTheWipeLooksForAWebCanary(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, refuse := range map[string]func(context.Context) error{
		"planted": nil,
		"refused": func(context.Context) error { return errors.New("a store did not take it") },
		"hanging": func(context.Context) error { <-never; return nil }, // a page that is frozen answers no deadline
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			b.Browsers.Refuse(refuse)
			b.ready()
			b.active()
			used := b.Browsers.Used()
			early := make(chan bool, 8)
			b.Warden.OnWipe(func() { early <- used.Closed() })
			b.Press(shell.End)
			b.see(shell.Thanks)
			webs := b.Warden.Webs()
			switch {
			case len(webs) != 1:
				t.Fatalf("%d wipes, want one", len(webs))
			case refuse == nil && (webs[0] == "" || webs[0] != used.Canary()):
				t.Errorf("looked for %q, planted %q", webs[0], used.Canary())
			case refuse != nil && webs[0] != "":
				t.Errorf("looked for %q, which is not planted", webs[0])
			}
			if <-early {
				t.Error("the browser was ended before the wipe: its sandbox, and the canaries in it, went with it")
			}
			b.until("the browser is let go", used.Closed)
			b.proven(1)
		})
	}
}
