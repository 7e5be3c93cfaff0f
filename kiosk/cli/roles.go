package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"borne/kiosk/browser"
	"borne/kiosk/press"
	"borne/kiosk/warden"
)

// Roles that only this program starts.
const (
	roleAgent = "agent"
	roleEnrol = "enrol-agent"
	rolePress = "press"
)

func roles() []command {
	return []command{
		{name: roleAgent, run: runAgent},
		{name: roleEnrol, run: enrolAgent},
		{name: rolePress, run: runPress},
	}
}

// before runs the roles that must not read flags, catch signals or start
// threads first.
func before(env Env) (code int, mine bool) {
	switch {
	case browser.IsStandin(env.Args):
		return browser.StandinMain(env.Args, env.Stderr), true
	case len(env.Args) > 1 && env.Args[1] == warden.InitRole:
		return warden.InitMain(), true
	}
	return 0, false
}

// runPress is the session's printer: -socket PATH -uids FROM-TO.
func runPress(ctx context.Context, c *call) error {
	from, to, ok := strings.Cut(c.flag("uids"), "-")
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if !ok || errA != nil || errB != nil || a > b || c.flag("socket") == "" || len(c.rest) > 0 {
		return usageError{errors.New("cannot run press: give -socket PATH and -uids FROM-TO")}
	}
	ln, err := press.Listen(c.flag("socket"))
	if err != nil {
		return err
	}
	if err := press.Serve(ctx, ln, press.UIDs{From: a, To: b}, c.log); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}
