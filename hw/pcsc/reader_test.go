package pcsc

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/hwtest"
	"borne/hw/supervise"
)

func badgeKey(t testing.TB) hw.BadgeKey {
	key, err := hw.NewBadgeKey(bytes.Repeat([]byte{0xA5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open opens the daemon's reader, and logs to the journal returned.
func (d *daemon) open(change func(*Options)) (*Reader, *journal) {
	d.t.Helper()
	j := &journal{}
	o := Options{Socket: d.socket, Clock: clock.NewMonotonic(), Log: slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&o)
	}
	r, err := Open(d.t.Context(), o, badgeKey(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { r.Close() })
	return r, j
}

func next(t *testing.T, r *Reader) hw.Badge {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tap, err := r.Next(ctx)
	if err != nil || len(tap.Badges) != 1 || tap.At <= 0 {
		t.Fatalf("tap %+v, error %v", tap, err)
	}
	return tap.Badges[0]
}

// follow runs Next beside the test, which reads what it returns.
func follow(t *testing.T, r *Reader) <-chan error {
	got := make(chan error, 1)
	go func() {
		_, err := r.Next(t.Context())
		got <- err
	}()
	return got
}

func TestSuiteOnPCSCD(t *testing.T) {
	t.Parallel()
	sets := 7 // of which each waits for pcscd, which polls, four times
	if testing.Short() {
		sets = 3
	}
	hwtest.ReaderSuite{Sets: sets, Seed: 20261125, Parallel: true, Open: func(t *testing.T) *hwtest.Rig {
		d := startDaemon(t)
		r, j := d.open(nil)
		var k *card
		return &hwtest.Rig{
			Reader: r, Key: badgeKey(t), Single: true, Logs: j.bytes,
			Present: func(uids ...[]byte) {
				if k != nil {
					k.pull()
					k = nil
					if d.cmd != nil {
						d.settle(false)
					}
				}
				if len(uids) > 0 && d.cmd != nil {
					k = d.insert(uidCard(uids[0]...))
				}
			},
			Within: func(limit time.Duration) (context.Context, context.CancelFunc) {
				if limit == time.Second { // a tap is due: on this clock it may take longer
					limit = patience
				}
				return context.WithTimeout(t.Context(), limit)
			},
			Visit:  400 * time.Millisecond,
			Unplug: d.kill,
		}
	}}.Run(t)
}

func TestRandomUIDIsToldAsOne(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, _ := d.open(nil)
	d.insert(uidCard(0x08, 1, 2, 3))
	if b := next(t, r); !b.Random || b.Bytes != 4 || b.Assurance != hw.AssuranceUID {
		t.Fatalf("badge %+v", b)
	}
}

// A card that cannot be read is no tap, and the next one is read.
func TestUnreadableCards(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, j := d.open(nil)
	for name, answer := range map[string][]byte{
		"three bytes":     {0xDE, 0xAD, 0xBE, 0x90, 0x00},
		"five bytes":      {0xDE, 0xAD, 0xBE, 0xEF, 0x05, 0x90, 0x00},
		"status alone":    {0x90, 0x00},
		"refused":         {0x6A, 0x81},
		"refused, UID":    {0xDE, 0xAD, 0xBE, 0xEF, 0x63, 0x00},
		"no status":       {0x90},
		"huge":            bytes.Repeat([]byte{0xDE, 0xAD}, 1000),
		"longer than any": bytes.Repeat([]byte{0xDE, 0xAD}, 32000),
	} {
		got := follow(t, r)
		asked := make(chan struct{}, 100)
		k := d.insert(func([]byte) []byte { asked <- struct{}{}; return answer })
		for i := range maxTries {
			select {
			case <-asked:
			case err := <-got:
				t.Fatalf("%s: tap or error %v before question %d", name, err, i+1)
			case <-time.After(patience):
				t.Fatalf("%s: question %d does not come", name, i+1)
			}
		}
		d.remove(k)
		k = d.insert(uidCard(1, 2, 3, 4))
		if err := <-got; err != nil {
			t.Fatalf("%s: then %v", name, err)
		}
		d.remove(k)
	}
	if !j.has("a card cannot be read") || j.has("dead") || j.has("DEAD") || j.has("222 173") {
		t.Fatalf("the log is %s", j.bytes())
	}
}

func TestCardPulledInTheMiddle(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, _ := d.open(nil)
	got := follow(t, r)
	pulled := make(chan struct{})
	d.insert(func([]byte) []byte { close(pulled); return nil })
	<-pulled
	d.settle(false)
	d.insert(uidCard(4, 1, 2, 3, 4, 5, 6))
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// A daemon that ends, and one that comes back, under supervision.
func TestDaemonKilledAndRestarted(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, _ := d.open(nil)
	got := follow(t, r)
	d.kill()
	if err := <-got; !errors.Is(err, hw.ErrAbsent) || !strings.HasPrefix(err.Error(), "cannot read badges on pcsc:any") {
		t.Fatalf("error %v, want hw.ErrAbsent", err)
	}
	opts := r.opts
	if _, err := Open(t.Context(), opts, r.key); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "start it") {
		t.Fatalf("error %v, want hw.ErrAbsent and what mends it", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := supervise.StartReader(ctx, supervise.Config{Name: "badge-reader", Device: "pcsc:any", Clock: opts.Clock, MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond},
		func(ctx context.Context) (hw.Reader, error) {
			r, err := Open(ctx, opts, badgeKey(t))
			if err != nil {
				return nil, err
			}
			return r, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.restart()
		d.insert(uidCard(1, 2, 3, 4))
		select {
		case tap := <-s.Taps():
			if len(tap.Badges) != 1 || tap.Badges[0].Key != badgeKey(t)([]byte{1, 2, 3, 4}) {
				t.Fatalf("tap %+v", tap)
			}
		case <-time.After(patience):
			t.Fatal("no tap after a restart")
		}
	}
	cancel()
	for range s.Taps() {
	}
}

// pcscd lives and its reader does not; then it is there. While it lives, this pcscd
// neither takes up nor forgets a reader of its configuration, but for USB ones: a
// reader that goes is TestDaemonThatAnswersWrongly's.
func TestReaderPluggedIn(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, _ := d.open(nil)
	opts := r.opts
	r.Close()
	d.unplug()
	d.restart()
	if _, err := Open(t.Context(), opts, badgeKey(t)); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "plug it in") {
		t.Fatalf("error %v, want hw.ErrAbsent and what mends it", err)
	}
	d.plug()
	d.restart()
	r, _ = d.open(func(o *Options) { o.Match = "virtual_pcd" })
	d.insert(uidCard(1, 2, 3, 4))
	next(t, r)
}

// Another program has the card, too, and keeps it.
func TestCardIsShared(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, _ := d.open(nil)
	d.insert(uidCard(1, 2, 3, 4))
	d.settle(true)
	other, err := dial(t.Context(), d.socket, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	l, err := other.connect(t.Context(), r.reader)
	if err != nil {
		t.Fatal(err)
	}
	var end [12]byte // lets others in, and keeps the card
	if err := other.call(t.Context(), cmdEnd, words(nil, l.handle, leaveCard, 0), end[:]); err != nil {
		t.Fatal(err)
	}
	next(t, r)
	a, err := l.Transmit(t.Context(), getUID())
	if err != nil || !bytes.Equal(a, []byte{1, 2, 3, 4, 0x90, 0}) {
		t.Fatalf("the other program gets %x, %v: its card was reset", a, err)
	}
}

// Nothing is left behind, whether a Next waits or not.
func TestNothingIsLeftBehind(t *testing.T) {
	d := startDaemon(t)
	count := func() (int, int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(fds)
	}
	cycle := func() {
		r, err := Open(t.Context(), Options{Socket: d.socket, Clock: clock.NewMonotonic()}, badgeKey(t))
		if err != nil {
			t.Fatal(err)
		}
		got := follow(t, r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-got; !errors.Is(err, hw.ErrClosed) {
			t.Fatalf("error %v, want hw.ErrClosed", err)
		}
		if _, err := Open(t.Context(), Options{Socket: d.socket, Match: "no_such", Clock: clock.NewMonotonic()}, badgeKey(t)); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), `"Virtual PCD 00 00"`) {
			t.Fatalf("error %v, want hw.ErrAbsent and the readers there are", err)
		}
	}
	cycle()
	g0, f0 := count()
	for range 100 {
		cycle()
	}
	d.eventually("goroutines and descriptors are as before", func() error {
		if g, f := count(); g > g0 || f > f0 {
			return errors.New("there are more")
		}
		return nil
	})
}

// A context that ends while the card is asked costs the connection, not the reader.
func TestContextEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	r, _ := d.open(nil)
	asked, answer := make(chan struct{}, 10), make(chan struct{})
	d.insert(func(apdu []byte) []byte {
		asked <- struct{}{}
		<-answer
		return uidCard(1, 2, 3, 4)(apdu)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	close(answer)
	if b := next(t, r); b.Key != badgeKey(t)([]byte{1, 2, 3, 4}) {
		t.Fatalf("badge %+v", b)
	}
}
