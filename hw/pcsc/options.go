package pcsc

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"borne/hw"
)

// Clock is the time the driver lives in: monotonic, since the process began.
type Clock interface {
	Now() time.Duration
	// Sleep returns early, with the context's error, when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// Any is the name part that stands for the first reader there is.
const Any = "any"

// DefaultSocket is where Debian's pcscd listens.
const DefaultSocket = "/run/pcscd/pcscd.comm"

// maxNamePart keeps a damaged configuration out of logs.
const maxNamePart = 100

// Options tune a reader. Zero values take the defaults; Clock is required.
type Options struct {
	Name   string        // for errors and logs; default: pcsc and the name part
	Match  string        // part of the reader's name, whatever its case, _ also for a space; default Any
	Socket string        // of pcscd; default DefaultSocket
	Leave  time.Duration // a card that is back within it never left, up to 5 s; default 300 ms
	Prove  hw.Prover     // what cards prove beyond their UIDs; nil: nothing is asked
	Clock  Clock
	Log    *slog.Logger // nil: silent
}

func (o Options) withDefaults() (Options, error) {
	if o.Match == "" {
		o.Match = Any
	}
	if o.Name == "" {
		o.Name = "pcsc:" + o.Match
	}
	if o.Socket == "" {
		o.Socket = DefaultSocket
	}
	if o.Leave == 0 {
		o.Leave = 300 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case len(o.Match) > maxNamePart:
		return o, fmt.Errorf("cannot open a PC/SC reader by a name of %d bytes: the limit is %d", len(o.Match), maxNamePart)
	case o.Clock == nil:
		return o, fmt.Errorf("cannot open reader %s: Options.Clock is nil; give it the process's monotonic clock", o.Name)
	case o.Leave < 0 || o.Leave > 5*time.Second:
		return o, fmt.Errorf("cannot open reader %s: Options.Leave is %v; it must be between 0 and 5s", o.Name, o.Leave)
	}
	return o, nil
}

// pick finds the reader that the configuration means.
func pick(readers []readerState, match string) (readerState, error) {
	var names []string
	for _, r := range readers {
		if match == Any || strings.Contains(plain(r.name), plain(match)) {
			return r, nil
		}
		names = append(names, fmt.Sprintf("%.40q", r.name))
	}
	if len(names) == 0 {
		return readerState{}, fmt.Errorf("%w: pcscd knows no reader; plug it in, and check that Debian's libccid is installed", hw.ErrAbsent)
	}
	return readerState{}, fmt.Errorf("%w: no reader's name contains %q; pcscd knows %s", hw.ErrAbsent, match, strings.Join(names, ", "))
}

// plain makes names comparable: a device's name in the configuration has no spaces.
func plain(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "_")) }
