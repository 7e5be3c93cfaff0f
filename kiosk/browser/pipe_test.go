package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// fakeBrowser is the other end of a Pipe.
type fakeBrowser struct {
	in  *bufio.Reader // commands
	out *os.File      // answers
}

func newFake(t *testing.T) (*Pipe, *fakeBrowser) {
	t.Helper()
	cr, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r, cw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPipe(r, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); cr.Close(); cw.Close() })
	return p, &fakeBrowser{in: bufio.NewReader(cr), out: cw}
}

func (f *fakeBrowser) command(t *testing.T) command {
	t.Helper()
	b, err := f.in.ReadBytes(0)
	if err != nil {
		t.Fatal(err)
	}
	var c command
	if err := json.Unmarshal(b[:len(b)-1], &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fakeBrowser) say(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(f.out, s+"\x00"); err != nil {
		t.Fatal(err)
	}
}

func TestPipeCall(t *testing.T) {
	p, f := newFake(t)
	ctx := testContext(t, 5*time.Second)
	type result struct {
		N   int
		err error
	}
	got := make(chan result, 1)
	go func() {
		var r result
		r.err = p.Call(ctx, "S1", "Some.method", map[string]any{"a": 1}, &r)
		got <- r
	}()
	c := f.command(t)
	if c.SessionID != "S1" || c.Method != "Some.method" {
		t.Fatalf("sent %+v", c)
	}
	f.say(t, `{"id":99,"result":{"n":1}}`) // nobody's
	f.say(t, `{"id":1,"result":{"n":42}}`)
	if r := <-got; r.err != nil || r.N != 42 {
		t.Fatalf("got %+v", r)
	}
}

func TestPipeRefusalQuotesNothing(t *testing.T) {
	p, f := newFake(t)
	got := make(chan error, 1)
	go func() { got <- p.Call(testContext(t, 5*time.Second), "", "M", nil, nil) }()
	f.command(t)
	f.say(t, `{"id":1,"error":{"code":-32000,"message":"secret of a page"}}`)
	err := <-got
	var re *RemoteError
	if !errors.As(err, &re) || re.Code != -32000 || strings.Contains(err.Error(), "secret") {
		t.Fatalf("got %v", err)
	}
}

func TestPipeDeadline(t *testing.T) {
	p, f := newFake(t)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() { got <- p.Call(ctx, "", "M", nil, nil) }()
	f.command(t) // and no answer
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if len(p.calls) != 0 {
		t.Fatal("an abandoned call is remembered")
	}
}

func TestPipeEvents(t *testing.T) {
	p, f := newFake(t)
	s := p.Subscribe("A", "B")
	f.say(t, `{"method":"C","params":{}}`)
	f.say(t, `{"method":"B","sessionId":"S","params":{"x":1}}`)
	e := <-s.C
	if e.Method != "B" || e.Session != "S" || string(e.Params) != `{"x":1}` {
		t.Fatalf("got %+v", e)
	}
	f.out.Close()
	if _, open := <-s.C; open || !errors.Is(s.Err(), ErrClosed) {
		t.Fatalf("after the end: open %v, %v", open, s.Err())
	}
	<-p.Done()
	if err := p.Call(context.Background(), "", "M", nil, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("call after the end: %v", err)
	}
	if late := p.Subscribe("A"); late.Err() == nil {
		t.Fatal("a subscription to a dead pipe lives")
	}
}

func TestSlowSubscriberIsEnded(t *testing.T) {
	p, f := newFake(t)
	s := p.Subscribe("A")
	go func() {
		for range maxQueued + 1 {
			io.WriteString(f.out, "{\"method\":\"A\"}\x00")
		}
		io.WriteString(f.out, "{\"id\":1,\"result\":{}}\x00")
	}()
	f2 := make(chan error, 1)
	go func() { f2 <- p.Call(testContext(t, 10*time.Second), "", "M", nil, nil) }()
	f.command(t)
	n := 0
	eventually(t, "the end of a lagging subscription", func() bool { return s.Err() != nil })
	for range s.C {
		n++
	}
	if n != maxQueued || !errors.Is(s.Err(), errSlow) {
		t.Fatalf("%d events, then %v", n, s.Err())
	}
}

func TestPipeEndsOnBadInput(t *testing.T) {
	for name, input := range map[string]string{
		"not JSON":  "nonsense\x00",
		"cut short": `{"id":1`,
		"too large": strings.Repeat("x", MaxMessage+2),
	} {
		t.Run(name, func(t *testing.T) {
			p, f := newFake(t)
			go func() { io.WriteString(f.out, input); f.out.Close() }()
			select {
			case <-p.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the pipe lives on")
			}
			if !errors.Is(p.Err(), ErrClosed) {
				t.Fatalf("ended with %v", p.Err())
			}
		})
	}
}

func TestBrowserThatDoesNotReadIsLost(t *testing.T) {
	p, _ := newFake(t)
	// Larger than a pipe's buffer: the write can only end by its deadline.
	ctx := testContext(t, 30*time.Second)
	err := p.Call(ctx, "", "M", strings.Repeat("x", 4<<20), nil)
	if !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	<-p.Done()
}

func TestPipeLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		p, _ := newFake(t)
		p.Subscribe("A")
		p.Close()
	}
	eventually(t, "every reader ends", func() bool { return runtime.NumGoroutine() <= before })
}

func TestPipeFromBlockingDescriptors(t *testing.T) {
	// As they come over SCM_RIGHTS. Close must wake the pending read.
	cr, w, _ := os.Pipe()
	r, cw, _ := os.Pipe()
	defer cr.Close()
	defer cw.Close()
	syscall.SetNonblock(int(r.Fd()), false) // Fd makes it blocking by itself; said for the reader
	w.Fd()
	p, err := NewPipe(r, w)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { p.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Close waits for the pending read")
	}
}

func TestFrameReaderForgets(t *testing.T) {
	in := strings.Repeat("a", 100_000) + "\x00" + "bb\x00"
	fr := newFrameReader(iotest.HalfReader(strings.NewReader(in)), 1<<20)
	if m, err := fr.next(); err != nil || len(m) != 100_000 {
		t.Fatalf("%d bytes, %v", len(m), err)
	}
	if m, err := fr.next(); err != nil || string(m) != "bb" {
		t.Fatalf("%q, %v", m, err)
	}
	if bytes.IndexByte(fr.buf, 'a') >= 0 {
		t.Fatal("an earlier message is still in the buffer")
	}
	if _, err := fr.next(); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
	if bytes.ContainsAny(fr.buf, "ab") {
		t.Fatal("the last message is still in the buffer")
	}
}

func FuzzFrameReader(f *testing.F) {
	for _, s := range []string{"", "\x00", "a\x00", "a\x00b", "ab\x00\x00c\x00", strings.Repeat("x", 300) + "\x00y\x00"} {
		f.Add([]byte(s), uint16(16))
	}
	f.Fuzz(func(t *testing.T, in []byte, limit uint16) {
		max := int(limit)%512 + 1
		fr := newFrameReader(iotest.OneByteReader(bytes.NewReader(in)), max)
		rest := in
		for {
			m, err := fr.next()
			if err != nil {
				i := bytes.IndexByte(rest, 0)
				switch {
				case err == io.EOF && len(rest) != 0, err == io.ErrUnexpectedEOF && (i >= 0 || len(rest) == 0 || len(rest) > max),
					errors.Is(err, ErrClosed) && i >= 0 && i <= max:
					t.Fatalf("%v with %d bytes left, NUL at %d, limit %d", err, len(rest), i, max)
				}
				return
			}
			if len(m) > max || !bytes.Equal(m, rest[:len(m)]) || rest[len(m)] != 0 {
				t.Fatalf("message %q of %q", m, rest)
			}
			rest = rest[len(m)+1:]
		}
	})
}
