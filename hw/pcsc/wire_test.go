package pcsc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
)

// place writes one reader as pcscd does.
func place(name string, visits, state uint32) []byte {
	b := make([]byte, readerSize)
	copy(b, name)
	binary.LittleEndian.PutUint32(b[nameSize:], visits)
	binary.LittleEndian.PutUint32(b[nameSize+4:], state)
	return b
}

// states writes all 16 places.
func states(places ...[]byte) []byte {
	b := make([]byte, statesSize)
	copy(b, bytes.Join(places, nil))
	return b
}

// puppet is a daemon that says what it is told to say, one answer for each message.
func puppet(t *testing.T, answers ...[]byte) Options {
	t.Helper()
	dir, err := os.MkdirTemp("", "puppet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "comm")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for _, a := range answers {
			var h [headerSize]byte
			if _, err := io.ReadFull(conn, h[:]); err != nil {
				return
			}
			n := int64(word(h[:], 0))
			if command(word(h[:], 4)) == cmdTransmit {
				n += int64(len(getUID()))
			}
			if _, err := io.CopyN(io.Discard, conn, n); err != nil {
				return
			}
			if a == nil { // silence, until the client gives up
				_, _ = io.Copy(io.Discard, conn)
				return
			}
			if _, err := conn.Write(a); err != nil {
				return
			}
		}
	}()
	return Options{Socket: socket, Clock: clock.NewMonotonic()}
}

func hello() []byte    { return words(nil, 4, 4, 0) }
func context1() []byte { return words(nil, scopeSystem, 1, 0) }
func empty() []byte    { return states(place("ACS ACR122U 00 00", 1, stateAbsent)) }
func full() []byte     { return states(place("ACS ACR122U 00 00", 2, statePresent|0x30)) }
func event() []byte    { return make([]byte, eventSize) }

func connected(rv uint32) []byte {
	return words(make([]byte, 4+nameSize), shareShared, protocolT0T1, 7, 2, rv)
}

// What a daemon that lies or ends is worth, at each step.
func TestDaemonThatAnswersWrongly(t *testing.T) {
	t.Parallel()
	endless := states(bytes.Repeat([]byte{'A'}, statesSize))
	atr := place("ACS", 1, stateAbsent)
	binary.LittleEndian.PutUint32(atr[nameSize+12+36:], 1<<31)
	for name, c := range map[string]struct {
		answers [][]byte
		want    string
		absent  bool
	}{
		"hangs up":          {nil, "polkit", true},
		"older":             {[][]byte{words(nil, 4, 2, 0x8010001E)}, "speaks protocol 4.2, and 4.4 is needed", false},
		"of another age":    {[][]byte{words(nil, 7, 4, 0)}, "speaks protocol 7.4", false},
		"full":              {[][]byte{hello(), words(nil, 2, 0, 0x80100006)}, "gives no context: 80100006", false},
		"no reader":         {[][]byte{hello(), context1(), states()}, "plug it in", true},
		"name without end":  {[][]byte{hello(), context1(), endless}, "a reader's name without an end", false},
		"endless ATR":       {[][]byte{hello(), context1(), states(atr)}, "an ATR of 2147483648 bytes", false},
		"half of an answer": {[][]byte{hello(), context1(), empty()[:100]}, "pcscd has ended", true},
		// An event that crosses the end of the watch: it gets no other answer.
		"reader unplugged":  {[][]byte{hello(), context1(), append(empty(), event()...), {}, states()}, "the reader was unplugged", true},
		"another plugged":   {[][]byte{hello(), context1(), append(empty(), event()...), {}, states(place("Other", 1, statePresent))}, "the reader was unplugged", true},
		"unplugged at once": {[][]byte{hello(), context1(), full(), event(), full(), event(), connected(uint32(codeReaderUnavailable))}, "the reader was unplugged (connect: 80100017)", true},
		"stops":             {[][]byte{hello(), context1(), full(), event(), full(), event(), connected(uint32(codeServiceStopped))}, "pcscd is stopping", true},
		"endless answer": {[][]byte{hello(), context1(), full(), event(), full(), event(), connected(0), words(nil, 7, 0),
			words(nil, 7, 2, pciSize, 5, 2, pciSize, maxAnswer+1, 0)}, "an answer of 265 bytes, the limit is 264", false},
		"ends meanwhile": {[][]byte{hello(), context1(), empty(), event(), empty()}, "pcscd has ended", true},
		"ends in an answer": {[][]byte{hello(), context1(), full(), event(), full(), event(), connected(0), words(nil, 7, 0),
			words(nil, 7, 2, pciSize, 5, 2, pciSize, 6, 0, 1)}, "pcscd has ended", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Open(t.Context(), puppet(t, c.answers...), badgeKey(t))
			if err == nil {
				_, err = r.Next(t.Context())
				r.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, hw.ErrAbsent) != c.absent || !strings.HasPrefix(err.Error(), "cannot ") {
				t.Fatalf("error %v, want one that says %q, absent %v", err, c.want, c.absent)
			}
		})
	}
}

// A daemon that says nothing ends with the context, or by itself.
func TestSilentDaemon(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := puppet(t, hello(), nil)
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Open(ctx, o, badgeKey(t)); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if _, err := Open(t.Context(), puppet(t, hello(), nil), badgeKey(t)); err == nil || !strings.Contains(err.Error(), "pcscd does not answer within 3s; restart it") {
		t.Fatalf("error %v, want one of a time limit", err)
	}
}

// A card that flickers at the field's edge is one visit; one that is back later is another.
func TestFlickerIsOneVisit(t *testing.T) {
	t.Parallel()
	begin, end, off := words(nil, 7, 0), words(nil, 7, 0, 0), words(nil, 7, 0, 0)
	transmit := append(words(nil, 7, 2, pciSize, 5, 2, pciSize, 6, 0), 1, 2, 3, 4, 0x90, 0)
	at := func(visits uint32) []byte { return states(place("ACS", visits, statePresent)) }
	gone := func(visits uint32) []byte { return states(place("ACS", visits, stateAbsent)) }
	// Each reading: the end of the watch, connect, begin, transmit, end, disconnect.
	read := [][]byte{event(), connected(0), begin, transmit, end, off}
	var answers [][]byte
	answers = append(answers, hello(), context1(), at(1), event(), at(1))
	answers = append(answers, read...)
	answers = append(answers, append(gone(2), event()...), at(3))
	answers = append(answers, read...)
	answers = append(answers, append(gone(4), event()...), at(5))
	answers = append(answers, read...)
	o := puppet(t, answers...)
	clk := &steps{}
	o.Clock = clk
	r, err := Open(t.Context(), o, badgeKey(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The card that is back at once gives nothing; the puppet then hangs up after the third.
	r.opts.Leave = time.Hour
	if tap, err := r.Next(t.Context()); !errors.Is(err, hw.ErrAbsent) {
		t.Fatalf("tap %+v, error %v; want none", tap, err)
	}
	o = puppet(t, answers...)
	o.Clock = clk
	if r, err = Open(t.Context(), o, badgeKey(t)); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.opts.Leave = time.Nanosecond
	for n := range 3 {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatalf("visit %d: %v", n, err)
		}
	}
}

// steps is a clock that moves by a millisecond at each look.
type steps struct{ now time.Duration }

func (s *steps) Now() time.Duration                               { s.now += time.Millisecond; return s.now }
func (s *steps) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func TestBadOptions(t *testing.T) {
	o := Options{Socket: "/nonexistent/comm", Clock: clock.NewMonotonic(), Log: slog.New(slog.DiscardHandler)}
	for want, change := range map[string]func(*Options){
		"Options.Clock is nil":         func(o *Options) { o.Clock = nil },
		"Options.Leave is -1ns":        func(o *Options) { o.Leave = -1 },
		"a name of 101 bytes":          func(o *Options) { o.Match = strings.Repeat("A", 101) },
		"start it (systemctl enable":   func(*Options) {},
		"pcsc:ACS: device absent: ":    func(o *Options) { o.Match = "ACS" },
		"/nonexistent/comm does not e": func(o *Options) { o.Name = "x" },
	} {
		c := o
		change(&c)
		if _, err := Open(t.Context(), c, badgeKey(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if _, err := Open(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "enrol") {
		t.Errorf("error %v without a key", err)
	}
}

// speech is a connection to a daemon that says what it says, whatever it hears.
type speech struct {
	net.Conn // the rest is not used
	r        io.Reader
}

func (s speech) Read(p []byte) (int, error)  { return s.r.Read(p) }
func (s speech) Write(p []byte) (int, error) { return len(p), nil }
func (s speech) SetDeadline(time.Time) error { return nil }
func (s speech) Close() error                { return nil }

// A context that ends while a handle is open costs the connection: nothing else
// would let go of the card.
func TestContextEndsWithTheCardInHand(t *testing.T) {
	begin := words(nil, 7, 0)
	for name, c := range map[string]struct {
		after int // answers, until the context ends
		said  [][]byte
	}{
		"before the transaction": {1, [][]byte{connected(0)}},
		"no transaction":         {2, [][]byte{connected(0), words(nil, 7, 0x8010000B)}},
		"before the end":         {2, [][]byte{connected(0), begin}},
		"before disconnecting":   {3, [][]byte{connected(0), begin, words(nil, 7, 0, 0)}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		k := &client{conn: speech{r: bytes.NewReader(bytes.Join(c.said, nil))}, alive: func() {
			if n++; n == c.after {
				cancel()
			}
		}}
		l, err := k.connect(ctx, "ACS")
		if err == nil {
			err = l.disconnect(ctx)
		}
		if !errors.Is(err, context.Canceled) || !k.broken {
			t.Errorf("%s: error %v, the connection is broken %v", name, err, k.broken)
		}
		cancel()
	}
}

// Whatever a daemon says, a badge is one of a UID that exists, and was said.
func FuzzDaemon(f *testing.F) {
	// The states are mostly empty places: small inputs are tried sooner.
	plugged := place("ACS ACR122U 00 00", 2, statePresent|0x30)
	whole := bytes.Join([][]byte{event(), connected(0), words(nil, 7, 0), words(nil, 7, 2, pciSize, 5, 2, pciSize, 6, 0), {1, 2, 3, 4, 0x90, 0}, words(nil, 7, 0, 0), words(nil, 7, 0, 0)}, nil)
	f.Add(plugged, whole)
	f.Add(plugged, whole[:100])
	f.Add(place("ACS ACR122U 00 00", 1, stateAbsent), event())
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, place, said []byte) {
		said = append(states(place), said...)
		o, err := Options{Clock: &steps{}}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		ok := false
		r := &Reader{opts: o, reader: "ACS ACR122U 00 00", key: func(uid []byte) [32]byte {
			n := len(uid)
			ok = (n == 4 || n == 7 || n == 10) && bytes.Contains(said, append(bytes.Clone(uid), 0x90, 0))
			return [32]byte{}
		}}
		r.client = &client{conn: speech{r: bytes.NewReader(said)}, alive: r.alive}
		tap, err := r.Next(t.Context())
		if err == nil && (!ok || len(tap.Badges) != 1) {
			t.Fatalf("tap %+v", tap)
		}
		if err != nil && len(err.Error()) > 4096 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
	})
}

func FuzzStates(f *testing.F) {
	f.Add(place("ACS ACR122U 00 00", 2, statePresent))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseStates(b); err == nil && len(b) != statesSize {
			t.Fatalf("states of %d bytes are taken", len(b))
		}
		all, err := parseStates(states(b))
		if err == nil && len(all) > maxReaders {
			t.Fatalf("%d readers", len(all))
		}
		for _, s := range all {
			if s.name == "" || len(s.name) >= nameSize {
				t.Fatalf("a name of %d bytes", len(s.name))
			}
		}
		if _, err := pick(all, "no such reader"); err == nil || len(err.Error()) > 4096 {
			t.Fatalf("error %.100v", err)
		}
	})
}
