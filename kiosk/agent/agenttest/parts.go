package agenttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"borne/kiosk/agent"
	"borne/kiosk/journal"
	"borne/kiosk/shell"
)

// Clock is a terminal's time, moved by the test.
type Clock struct {
	mu    sync.Mutex
	mono  time.Duration
	wall  time.Time
	unsur bool
}

// NewClock starts at a wall time that is trusted.
func NewClock(wall time.Time) *Clock { return &Clock{wall: wall, mono: time.Second} }

// Now is the wall time, and whether it is trusted.
func (c *Clock) Now() (time.Time, bool) { c.mu.Lock(); defer c.mu.Unlock(); return c.wall, !c.unsur }

// Mono never goes back.
func (c *Clock) Mono() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.mono }

// Advance moves both clocks.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mono, c.wall = c.mono+d, c.wall.Add(d)
}

// Set moves the wall clock alone.
func (c *Clock) Set(wall time.Time, trusted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.unsur = wall, !trusted
}

// Browser is a session's browser that shows nothing.
type Browser struct {
	mu        sync.Mutex
	gone      chan error
	closed    bool
	playing   bool
	asked     int
	uploading int
	moves     []string
	canary    string
	refuse    func(context.Context) error
}

// Browsers opens them.
type Browsers struct {
	mu     sync.Mutex
	all    []*Browser
	life   int // how many of them are of earlier lives of the agent
	fail   error
	refuse func(context.Context) error
}

// Open makes one for a sandbox.
func (b *Browsers) Open(ctx context.Context, _ []*os.File, _ []byte) (agent.SessionBrowser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return nil, b.fail
	}
	n := &Browser{gone: make(chan error, 1), refuse: b.refuse}
	b.all = append(b.all, n)
	return n, ctx.Err()
}

// Fail makes every later opening fail; nil ends that.
func (b *Browsers) Fail(err error) { b.mu.Lock(); b.fail = err; b.mu.Unlock() }

// Refuse sets how planting a canary goes in every browser opened from now on.
func (b *Browsers) Refuse(how func(context.Context) error) {
	b.mu.Lock()
	b.refuse = how
	b.mu.Unlock()
}

// Last is the browser that was opened last; nil when there is none.
func (b *Browsers) Last() *Browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) == 0 {
		return nil
	}
	return b.all[len(b.all)-1]
}

// Used is the session's browser while there is one: the oldest that lives. The
// next person's may wait beside it, and may be opened at any time.
func (b *Browsers) Used() *Browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.all[b.life:] {
		if !x.Closed() {
			return x
		}
	}
	return nil
}

// begin begins a life of the agent: it knows nothing of what is open.
func (b *Browsers) begin() { b.mu.Lock(); b.life = len(b.all); b.mu.Unlock() }

// Painted is at once.
func (b *Browser) Painted(ctx context.Context) error { return ctx.Err() }

// Home notes that the portal was asked for.
func (b *Browser) Home(context.Context) error { b.move("home"); return nil }

// Back notes that the page before was asked for.
func (b *Browser) Back(context.Context) error { b.move("back"); return nil }

func (b *Browser) move(m string) { b.mu.Lock(); b.moves = append(b.moves, m); b.mu.Unlock() }

// Moves lists what was asked of it.
func (b *Browser) Moves() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.moves...)
}

// Playing is what SetPlaying said.
func (b *Browser) Playing(context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return b.playing
}

// Asked counts how often it was asked what plays.
func (b *Browser) Asked() int { b.mu.Lock(); defer b.mu.Unlock(); return b.asked }

// SetPlaying starts or stops a video.
func (b *Browser) SetPlaying(on bool) { b.mu.Lock(); b.playing = on; b.mu.Unlock() }

// Uploading is what SetUploading said.
func (b *Browser) Uploading() int { b.mu.Lock(); defer b.mu.Unlock(); return b.uploading }

// SetUploading sets the uploads under way.
func (b *Browser) SetUploading(n int) { b.mu.Lock(); b.uploading = n; b.mu.Unlock() }

// PlantWebCanary keeps the marker, unless Browsers.Refuse said how it goes instead.
func (b *Browser) PlantWebCanary(ctx context.Context, marker string) error {
	b.mu.Lock()
	refuse := b.refuse
	b.canary = marker
	b.mu.Unlock()
	if refuse != nil {
		return refuse(ctx)
	}
	return nil
}

// Closed tells whether it has ended.
func (b *Browser) Closed() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.closed }

// Canary is the marker that was planted last.
func (b *Browser) Canary() string { b.mu.Lock(); defer b.mu.Unlock(); return b.canary }

// Gone yields when it ended.
func (b *Browser) Gone() <-chan error { return b.gone }

// Close ends it.
func (b *Browser) Close() error { b.Crash(); return nil }

// Crash ends it without anybody asking.
func (b *Browser) Crash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.gone)
	}
}

// Stage is a display without one.
type Stage struct {
	mu      sync.Mutex
	session bool
	window  uint32
	beside  int
	idle    time.Duration
}

// ShowSession uncovers the session that is drawn into window.
func (s *Stage) ShowSession(window uint32) error {
	s.mu.Lock()
	s.session, s.window, s.beside = true, window, 0
	s.mu.Unlock()
	return nil
}

// Window is the one of the session that was shown last.
func (s *Stage) Window() uint32 { s.mu.Lock(); defer s.mu.Unlock(); return s.window }

// ShowShell covers it.
func (s *Stage) ShowShell() error {
	s.mu.Lock()
	s.session, s.beside = false, 0
	s.mu.Unlock()
	return nil
}

// ShowBeside shows the session in window beside the shell's page.
func (s *Stage) ShowBeside(window uint32, left int) error {
	s.mu.Lock()
	s.session, s.window, s.beside = false, window, left
	s.mu.Unlock()
	return nil
}

// Beside is the column from which the session is seen beside the shell's page, or 0.
func (s *Stage) Beside() int { s.mu.Lock(); defer s.mu.Unlock(); return s.beside }

// Size is that of a session's display.
func (s *Stage) Size() (width, height int) { return 1280, 728 }

// Session tells which of both is seen.
func (s *Stage) Session() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.session }

// Idle is what SetIdle said.
func (s *Stage) Idle() (time.Duration, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.idle, nil }

// SetIdle sets the time since the last input.
func (s *Stage) SetIdle(d time.Duration) { s.mu.Lock(); s.idle = d; s.mu.Unlock() }

// Shell keeps the last view.
type Shell struct {
	actions chan shell.Action

	mu      sync.Mutex
	view    shell.View
	screens []shell.Screen // as they came, without repeats
	changed chan struct{}
}

func newShell() *Shell {
	return &Shell{actions: make(chan shell.Action), changed: make(chan struct{})}
}

// Show keeps a view and wakes whoever waits for one.
func (s *Shell) Show(v shell.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = v
	if n := len(s.screens); n == 0 || s.screens[n-1] != v.Screen {
		s.screens = append(s.screens, v.Screen)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// Actions yields what the test presses.
func (s *Shell) Actions() <-chan shell.Action { return s.actions }

// View is the last view, and a channel that is closed at the next one.
func (s *Shell) View() (shell.View, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view, s.changed
}

// Screens lists the screens that were shown, in order.
func (s *Shell) Screens() []shell.Screen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]shell.Screen(nil), s.screens...)
}

// Pages is a shell's browser that shows nothing.
type Pages struct {
	mu     sync.Mutex
	opened int
	lost   chan error
}

// Open opens it.
func (p *Pages) Open(context.Context) (<-chan error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	p.lost = make(chan error, 1)
	return p.lost, nil
}

// Opened counts the openings.
func (p *Pages) Opened() int { p.mu.Lock(); defer p.mu.Unlock(); return p.opened }

// Lose ends it.
func (p *Pages) Lose() { p.mu.Lock(); defer p.mu.Unlock(); p.lost <- errors.New("it crashed") }

// Disk can be full for an agent's journal.
type Disk struct {
	mu   sync.Mutex
	full bool
}

// Fill makes it full, or not.
func (d *Disk) Fill(full bool) { d.mu.Lock(); d.full = full; d.mu.Unlock() }

// Full tells whether it is.
func (d *Disk) Full() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.full }

// diskJournal is a journal on such a disk.
type diskJournal struct {
	*journal.Journal
	disk *Disk
}

// Commit writes nothing on a full disk, as the journal does.
func (j diskJournal) Commit(s journal.Step) error {
	if j.disk.Full() {
		return fmt.Errorf("cannot write the journal: %w", journal.ErrFull)
	}
	return j.Journal.Commit(s)
}
