// Package syslog tells a Département's collector what happened: messages of
// RFC 5424, each behind its length, over TLS as RFC 5425 wants it.
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Severity is RFC 5424's.
type Severity int

// Severities that are used.
const (
	Warning Severity = 4
	Notice  Severity = 5
)

// facility is authpriv: security messages that not everybody may read.
const facility = 10

// Limits.
const (
	queued      = 1024 // events that wait while the collector is away
	chunk       = 256  // entries that one look at the audit brings
	maxText     = 2048 // of one parameter; RFC 5425 asks receivers for 2048 bytes and wants 8192
	dialWithin  = 10 * time.Second
	writeWithin = 10 * time.Second
	everyLook   = time.Second
	minWait     = time.Second
	maxWait     = time.Minute
)

// Event is one message.
type Event struct {
	At       time.Time
	Severity Severity
	ID       string  // MSGID: what kind of event
	Params   []Param // structured data
	Text     string
}

// Param is one name and value of the structured data.
type Param struct{ Name, Value string }

// Source yields what was recorded after a place, oldest first, at most n, and the
// place of the last one. What it yields is sent in its order and never dropped.
type Source func(ctx context.Context, after uint64, n int) (events []Event, last uint64, err error)

// Config is how a sender is made.
type Config struct {
	Address string // host:port
	TLS     *tls.Config
	Host    string // this machine's name, in messages
	App     string
	Source  Source
	After   uint64 // where the source is read from
	Log     *slog.Logger
	// Wait is the first wait after a failure, which doubles up to a minute; 1 s when 0.
	Wait time.Duration
	Look time.Duration // between two looks at the source; 1 s when 0
}

// Sender sends events. Send never waits: what does not fit is counted, and the
// collector is told of it as soon as it is back.
type Sender struct {
	cfg     Config
	queue   chan Event
	dropped atomic.Uint64 // since they were last told of
	total   atomic.Uint64
	there   atomic.Bool
}

// New returns a sender, which sends while Run runs.
func New(c Config) *Sender {
	if c.Wait <= 0 {
		c.Wait = minWait
	}
	if c.Look <= 0 {
		c.Look = everyLook
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{cfg: c, queue: make(chan Event, queued)}
}

// Send queues an event.
func (s *Sender) Send(e Event) {
	select {
	case s.queue <- e:
	default:
		s.dropped.Add(1)
		s.total.Add(1)
	}
}

// Dropped is how many events did not fit since the start.
func (s *Sender) Dropped() uint64 { return s.total.Load() }

// Connected tells whether the collector is there.
func (s *Sender) Connected() bool { return s.there.Load() }

// Run sends until ctx ends. An event whose sending failed is sent again, so the
// collector may see one twice: entries of the audit carry their number.
func (s *Sender) Run(ctx context.Context) {
	r := &run{Sender: s, after: s.cfg.After, safe: s.cfg.After, young: s.cfg.After}
	for wait := s.cfg.Wait; ; {
		began := time.Now()
		err := r.once(ctx)
		if ctx.Err() != nil {
			return
		}
		s.cfg.Log.Warn("the syslog collector is not reached", "address", s.cfg.Address, "error", err, "again", wait)
		if time.Since(began) > maxWait {
			wait = s.cfg.Wait
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, maxWait)
	}
}

// run is what one Run knows: where it is, and what it could not send.
type run struct {
	*Sender
	after uint64
	held  *Event // taken from the queue and not sent yet
	// What was written a moment before a connection broke may never have arrived:
	// the next one begins at safe, which was young for a while and is old now.
	safe, young uint64
	aged        time.Time
}

// ripens is how long a written entry is sent again with the next connection.
const ripens = 30 * time.Second

// ripen moves the safe place on.
func (r *run) ripen(now time.Time) {
	if now.Sub(r.aged) >= ripens {
		r.safe, r.young, r.aged = r.young, r.after, now
	}
}

// once is one connection's life.
func (r *run) once(ctx context.Context) error {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialWithin}, Config: r.cfg.TLS}
	dialling, cancel := context.WithTimeout(ctx, dialWithin)
	c, err := d.DialContext(dialling, "tcp", r.cfg.Address)
	cancel()
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	// Collectors say nothing. Reading all the same is how their going is heard
	// before a message is written into a connection that leads nowhere.
	gone := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		if err == nil {
			err = errors.New("the collector speaks, which none does")
		}
		gone <- err
	}()
	defer func() { c.Close(); <-gone }()
	r.cfg.Log.Info("the syslog collector is reached", "address", r.cfg.Address)
	r.there.Store(true)
	defer r.there.Store(false)
	r.after, r.young, r.aged = r.safe, r.safe, time.Now()
	look := time.NewTicker(r.cfg.Look)
	defer look.Stop()
	for {
		if err := r.told(c); err != nil {
			return err
		}
		if r.held == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case err := <-gone:
				gone <- err
				return fmt.Errorf("the connection ended: %w", err)
			case e := <-r.queue:
				r.held = &e
			case now := <-look.C:
				r.ripen(now)
				if err := r.follow(ctx, c); err != nil {
					return err
				}
			}
		}
		if r.held != nil {
			if err := r.write(c, *r.held); err != nil {
				return err
			}
			r.held = nil
		}
	}
}

// told says how much did not fit while the collector was away.
func (r *run) told(c net.Conn) error {
	n := r.dropped.Swap(0)
	if n == 0 {
		return nil
	}
	err := r.write(c, Event{At: time.Now(), Severity: Warning, ID: "syslog.dropped", Params: []Param{{"count", strconv.FormatUint(n, 10)}},
		Text: strconv.FormatUint(n, 10) + " events were dropped while the collector was not reached"})
	if err != nil {
		r.dropped.Add(n)
	}
	return err
}

// follow sends what was recorded since the last look.
func (r *run) follow(ctx context.Context, c net.Conn) error {
	for r.cfg.Source != nil {
		events, last, err := r.cfg.Source(ctx, r.after, chunk)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := r.write(c, e); err != nil {
				return err // and the whole chunk again
			}
		}
		if len(events) > 0 {
			r.after = last
		}
		if len(events) < chunk {
			return nil
		}
	}
	return nil
}

func (r *run) write(c net.Conn, e Event) error {
	m := Format(e, r.cfg.Host, r.cfg.App)
	if err := c.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err := c.Write(append(strconv.AppendInt(nil, int64(len(m)), 10), append([]byte{' '}, m...)...))
	return err
}

// Format writes an event as RFC 5424 has it. The structured data's id is of the
// number that RFC 5612 keeps for whoever has none of their own.
func Format(e Event, host, app string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s %s - %s ", facility*8+int(e.Severity), e.At.UTC().Format("2006-01-02T15:04:05.000Z"), printable(host, 255), printable(app, 48), printable(e.ID, 32))
	if len(e.Params) == 0 {
		b.WriteByte('-')
	} else {
		b.WriteString("[borne@32473")
		for _, p := range e.Params {
			fmt.Fprintf(&b, ` %s="%s"`, printable(strings.Map(noDelimiter, p.Name), 32), escape(p.Value))
		}
		b.WriteByte(']')
	}
	if e.Text != "" {
		b.WriteString(" \xef\xbb\xbf") // UTF-8 says so, in front of MSG
		b.WriteString(clean(e.Text))
	}
	return []byte(b.String())
}

// printable keeps what a header's field may hold; "-" for nothing.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

func noDelimiter(r rune) rune {
	if strings.ContainsRune(`="]`, r) {
		return -1
	}
	return r
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(clean(s))
}

// clean keeps text on its line: nobody's name for a terminal forges a message.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
