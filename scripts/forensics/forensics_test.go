package forensics

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"borne/scripts/stand"
)

// Environment of a run.
const (
	cyclesEnv = "FORENSICS_CYCLES" // how many; 0: one for each end that does not take a minute
	seedEnv   = "FORENSICS_SEED"   // of the order of ends
	endEnv    = "FORENSICS_END"    // only ends whose name holds one of these, between commas
)

// cycle is one session: what was planted, what was seen before its end.
type cycle struct {
	n       int
	end     end
	plan    map[string]string // canaries by sink
	refused map[string]string // why a sink did not take its own
	skipped map[string]string // why a sink is not on this machine
	found   map[string]string // where a sink's canary was seen
	before  int               // hits
	said    string            // of its end
}

func (c *cycle) planted() int { return len(c.plan) - len(c.refused) }

// tally counts one sink over all cycles.
type tally struct {
	planted, found, inconclusive, skipped, survived int
	why                                             string
	where                                           map[string]int
}

func TestForensics(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a terminal's sandboxes and a search of all memory need root")
	}
	seed := seedOf(t)
	order := plan(seed)
	limit := 4*time.Minute + time.Duration(len(order))*40*time.Second
	for _, e := range order {
		if e.slow {
			limit += 90 * time.Second
		}
	}
	h := newHall(t, limit, seed)
	t.Logf("seed %d (%s=%d repeats the order): %d cycles, %d sinks, forms %s", seed, seedEnv, seed, len(order), len(sinks()), strings.Join(h.finder.Forms(), " "))
	totals, levels := map[string]*tally{}, map[string]int{}
	for i, e := range order {
		h.cycle(&cycle{n: i + 1, end: e}, totals, levels)
		if t.Failed() && h.log.Now() == "broken" {
			t.Fatalf("the terminal is out of service\n%s", h.log.Tail(60))
		}
	}
	all := h.whole()
	if len(all.Hits) > 0 {
		t.Errorf("in a search of every file changed since the run began, and of all memory: canaries are left\n%s", h.list(all.Hits))
	}
	t.Logf("the whole machine: %d files changed since the run began, %d processes, %d MB in %.1fs; %d hits, %d not readable",
		all.files, all.processes, all.Bytes>>20, all.took.Seconds(), len(all.Hits), len(all.Skipped))
	summary(t, totals, levels)
	t.Run("Survivors", func(t *testing.T) { h.survivors(t) })
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	if s := os.Getenv(seedEnv); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
		return seed
	}
	var b [4]byte
	rand.Read(b[:])
	return uint64(binary.LittleEndian.Uint32(b[:]))
}

// cycle opens a session, plants, sees that the search finds, ends it, and
// searches everything once its receipt is accepted.
func (h *hall) cycle(c *cycle, totals map[string]*tally, levels map[string]int) {
	t := h.t
	t.Helper()
	start := time.Now()
	switch c.end.name {
	case "time":
		h.give(limits{minutes: 1, idle: usual.idle})
	case "idle":
		h.give(limits{minutes: usual.minutes, idle: 30})
	default:
		h.give(usual)
	}
	b := h.plant(c)
	ending := time.Now()
	c.said = c.end.run(h, b)
	within := 40 * time.Second
	if c.end.slow {
		within += time.Minute
	}
	r, reason, err := h.receipt(within)
	if err != nil {
		t.Fatalf("cycle %d, %s: %v\n%s", c.n, c.end.name, err, h.log.Tail(60))
	}
	if !slices.Contains(c.end.reasons, reason) {
		t.Errorf("cycle %d: the session ended by %q, want %q", c.n, reason, c.end.reasons)
	}
	levels[r.Level]++
	if r.Level != "full" {
		t.Errorf("cycle %d ran at level %q, without %v: the suite proves something of %q only; see borne-kiosk doctor", c.n, r.Level, h.missing(r), "full")
	}
	proven := time.Now()
	after := h.sweep(start.Add(-time.Second))
	if len(after.Hits) > 0 {
		t.Errorf("cycle %d, %s: canaries are left\n%s", c.n, c.end.name, h.list(after.Hits))
	}
	inconclusive := c.count(totals)
	for _, x := range after.Hits {
		if _, s, ok := h.canaries.of(x); ok {
			totals[sinks()[s].name].survived++
		}
	}
	said := c.end.name
	if c.said != "" {
		said += " (" + c.said + ")"
	}
	t.Logf("%3d  %-6s ended by %-8s %s: sinks %d planted, %d found before (%d hits), %d inconclusive%s, %d skipped; after %d files, %d processes, %d MB: %d hits; %.1fs (plant %.1f, end %.1f, search %.1f)",
		c.n, r.Level, reason, said, c.planted(), len(c.found), c.before, len(inconclusive), named(inconclusive), len(c.skipped), after.files, after.processes,
		after.Bytes>>20, len(after.Hits), time.Since(start).Seconds(), ending.Sub(start).Seconds(), proven.Sub(ending).Seconds(), after.took.Seconds())
}

func named(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// plant has a session's page, programs and person leave canaries, and looks for
// each. It returns the session's browser.
func (h *hall) plant(c *cycle) being {
	t := h.t
	t.Helper()
	c.plan, c.refused, c.skipped, c.found = map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	h.web.begin(c.plan)
	h.work()
	for i, s := range sinks() {
		if s.absent != nil {
			if why := s.absent(h); why != "" {
				c.skipped[s.name] = why
				continue
			}
		}
		c.plan[s.name] = h.canaries.value(c.n, i)
	}
	h.web.begin(c.plan)
	b, err := h.browserProcess()
	if err != nil {
		t.Fatalf("cycle %d: %v\n%s", c.n, err, h.log.Tail(20))
	}
	keys, err := h.stand.Keyboard()
	if err != nil {
		t.Fatal(err)
	}
	// The page and the programs plant at once.
	programs := make(chan map[string]string, 1)
	go func() {
		failed, err := h.plantPrograms(b, c.plan)
		if err != nil {
			failed = map[string]string{}
			for _, s := range sinks() {
				if s.by == byApp {
					failed[s.name] = err.Error()
				}
			}
		}
		programs <- failed
	}()
	h.visit()
	if back, ok := h.web.hear("kept", 30*time.Second); ok {
		c.hear(h, back.(map[string]any))
	} else {
		for _, s := range sinks() {
			if s.by == byPage && c.plan[s.name] != "" {
				c.refused[s.name] = "the page did not say"
			}
		}
	}
	maps.Copy(c.refused, <-programs)
	maps.Copy(c.refused, h.plantRoot(b, c.plan))
	h.typed(c, keys, b)
	for name := range c.refused {
		if c.plan[name] == "" {
			delete(c.refused, name)
		}
	}
	h.control(c, b)
	return b
}

// visit opens the portal's tile, whose page begins to plant.
func (h *hall) visit() {
	h.t.Helper()
	for range 20 {
		for _, k := range []string{"Tab", "Return"} {
			h.stand.Key(h.ctx, k)
		}
		if _, ok := h.web.hear("page", time.Second); ok {
			return
		}
	}
	h.t.Fatalf("the session's browser does not reach the page\n%s", h.log.Tail(20))
}

// hear takes what the page said of each sink.
func (c *cycle) hear(h *hall, back map[string]any) {
	for _, s := range sinks() {
		if s.by != byPage || c.plan[s.name] == "" {
			continue
		}
		switch v := back[s.name].(type) {
		case bool:
			if v {
				continue
			}
		case string:
			if v == "none" {
				no := false
				h.shaders = &no
				delete(c.plan, s.name)
				c.skipped[s.name] = h.noShaders()
				continue
			}
		}
		c.refused[s.name] = fmt.Sprint(back[s.name])
	}
}

// typed is the person at the keyboard: a field of a form, and a copy.
func (h *hall) typed(c *cycle, keys *stand.Keyboard, b being) {
	fail := func(why string, names ...string) {
		for _, n := range names {
			c.refused[n] = why
		}
	}
	if err := keys.Type(c.plan["form"] + "\n"); err != nil {
		fail(err.Error(), "form", "clipboard", "primary")
		return
	}
	if sent, ok := h.web.hear("form", 5*time.Second); !ok || sent != true {
		fail(fmt.Sprintf("the form was not sent as typed (%t)", ok), "form", "clipboard", "primary")
		return
	}
	if _, ok := h.web.hear("to-copy", 5*time.Second); !ok {
		fail("nothing was there to copy", "clipboard", "primary")
		return
	}
	if err := keys.Press("ctrl+c"); err != nil {
		fail(err.Error(), "clipboard", "primary")
		return
	}
	if _, ok := h.web.hear("copied", 5*time.Second); !ok {
		fail("nothing was copied", "clipboard", "primary")
		return
	}
	// Through the display server, as a paste would.
	if out, err := h.clip(b, "", "clipboard", "-out"); err != nil || out != c.plan["clipboard"] {
		fail(fmt.Sprintf("the clipboard does not hold what was copied (%v)", err), "clipboard")
	}
	// Last: the page's own selections take it over.
	_, err := h.clip(b, c.plan["primary"], "primary", "-in")
	if err == nil {
		var out string
		if out, err = h.clip(b, "", "primary", "-out"); err == nil && out != c.plan["primary"] {
			err = errors.New("the selection holds something else")
		}
	}
	if err != nil {
		fail(err.Error(), "primary")
	}
}

// clip is a program of the session that gives or takes a selection.
func (h *hall) clip(b being, text, selection, way string) (string, error) {
	c, err := h.inSession(b, "/usr/bin/xclip", "-selection", selection, way)
	if err != nil {
		return "", err
	}
	if way == "-in" { // it stays, with whatever it was given: no pipe of ours
		c.Stdin = strings.NewReader(text)
		return "", c.Run()
	}
	out, err := c.Output()
	return string(out), err
}

// control looks for each canary in the living session, where its sink keeps it.
func (h *hall) control(c *cycle, b being) {
	all := h.session(b)
	c.before = len(all)
	for i, s := range sinks() {
		if c.plan[s.name] == "" || c.refused[s.name] != "" {
			continue
		}
		if s.name == "stderr" {
			c.found[s.name] = "read by the sandbox's first process"
			continue
		}
		var places []string
		for _, x := range all {
			if n, sink, ok := h.canaries.of(x); ok && n == c.n && sink == i {
				places = append(places, x.Place)
			}
		}
		for _, re := range s.control() {
			if at := slices.IndexFunc(places, re.MatchString); at >= 0 && c.found[s.name] == "" {
				c.found[s.name] = kind(places[at])
			}
		}
	}
}

var (
	inMemory = regexp.MustCompile(`^pid \d+ \(([^)]*)\) [0-9a-f]+-[0-9a-f]+`)
	inHandle = regexp.MustCompile(`^pid \d+ \(([^)]*)\) fd `)
)

// kind says where a canary was seen, without the number of a process.
func kind(place string) string {
	if m := inMemory.FindStringSubmatch(place); m != nil {
		return "memory of " + m[1]
	}
	if m := inHandle.FindStringSubmatch(place); m != nil {
		return "file without a name"
	}
	return "file"
}

// count adds the cycle to the totals, and returns the sinks that it says nothing of.
func (c *cycle) count(totals map[string]*tally) (inconclusive []string) {
	for _, s := range sinks() {
		x := totals[s.name]
		if x == nil {
			x = &tally{where: map[string]int{}}
			totals[s.name] = x
		}
		switch {
		case c.skipped[s.name] != "":
			x.skipped++
			x.why = c.skipped[s.name]
		case c.found[s.name] != "":
			x.planted++
			x.found++
			x.where[c.found[s.name]]++
		default:
			if c.refused[s.name] == "" {
				x.planted++
			}
			x.inconclusive++
			x.why = c.refused[s.name]
			if x.why == "" {
				x.why = "planted, but not seen in the living session"
			}
			inconclusive = append(inconclusive, s.name)
		}
	}
	return inconclusive
}

// summary prints a row a sink. One that was never seen proves nothing, and fails.
func summary(t *testing.T, totals map[string]*tally, levels map[string]int) {
	t.Helper()
	live := 0
	for _, s := range sinks() {
		x := totals[s.name]
		if x == nil {
			continue
		}
		note := ""
		for _, w := range slices.Sorted(maps.Keys(x.where)) {
			note += fmt.Sprintf(" %s %d;", w, x.where[w])
		}
		switch {
		case x.skipped > 0 && x.planted == 0:
			t.Logf("%-18s SKIP: %s", s.name, x.why)
			continue
		case x.inconclusive > 0:
			note += " inconclusive: " + x.why
		}
		t.Logf("%-18s %-8s planted %3d  found before %3d  inconclusive %3d  survived %3d %s", s.name, s.by, x.planted, x.found, x.inconclusive, x.survived, note)
		if x.found == 0 {
			t.Errorf("%s: its canary was never seen before an end (%s): its row proves nothing", s.name, x.why)
			continue
		}
		live++
	}
	t.Logf("levels: %v; %d sinks with a control", levels, live)
	if live < 25 {
		t.Errorf("only %d sinks were planted and seen, want 25", live)
	}
}

// plan puts the ends in an order that the seed gives: each end once, or as many
// cycles as asked for, of which each end gets its share.
func plan(seed uint64) []end {
	all := slices.DeleteFunc(ends(), func(e end) bool {
		return !slices.ContainsFunc(strings.Split(os.Getenv(endEnv), ","), func(part string) bool { return strings.Contains(e.name, part) })
	})
	n, _ := strconv.Atoi(os.Getenv(cyclesEnv))
	return choose(all, n, seed)
}
