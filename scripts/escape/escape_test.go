package escape

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// binaries is where make build puts the two programs.
func binaries(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a terminal's sandboxes need root")
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"borne-kiosk", "borne-controller"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Fatalf("%v: run make build first", err)
		}
	}
	return bin
}

// chosen narrows the table to what ESCAPE_ONLY matches, for somebody at work on it.
func chosen(rows []row) []row {
	only := regexp.MustCompile(os.Getenv("ESCAPE_ONLY"))
	kept := rows[:0:0]
	for _, r := range rows {
		if only.MatchString(r.category + "/" + r.name) {
			kept = append(kept, r)
		}
	}
	return kept
}

// drawn takes some of each category, by a seed that is printed: the whole table
// is make escape. What ends a session takes longest and is drawn once.
func drawn(t *testing.T, rows []row) []row {
	if os.Getenv("ESCAPE") == "all" || os.Getenv("ESCAPE_ONLY") != "" {
		return rows
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("ESCAPE_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("some of each category, drawn with ESCAPE_SEED=%d; ESCAPE=all tries all", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	most := map[string]int{"dialogs": 1, "files": 1, "storage": 1, "survivors": 1, "ends": 1, "bombs": 1, "network": 5}
	taken, order := map[int]bool{}, dice.Perm(len(rows))
	count := map[string]int{}
	for _, i := range order {
		limit := most[rows[i].category]
		if limit == 0 {
			limit = 2
		}
		if count[rows[i].category]++; count[rows[i].category] <= limit {
			taken[i] = true
		}
	}
	var kept []row
	for i, r := range rows {
		if taken[i] {
			kept = append(kept, r)
		}
	}
	return kept
}

// TestNobodyGetsOut tries the table. An attempt that could not be made is a
// failure too: it proves nothing.
func TestNobodyGetsOut(t *testing.T) {
	bin := binaries(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	h := newHall(t, ctx, bin)
	var all []outcome
	broken := 0
	for _, r := range drawn(t, chosen(table())) {
		o := h.try(r)
		all = append(all, o)
		if testing.Verbose() {
			t.Logf("%s/%s: %s %s (%s)", r.category, r.name, o.verdict(), o.saw, o.took.Round(time.Millisecond))
		}
		switch {
		case o.err != nil:
			t.Errorf("%s/%s: not tried: %v", r.category, r.name, o.err)
			if broken++; broken == 4 {
				t.Fatal("four attempts in a row could not be made")
			}
			continue
		case o.saw != "":
			t.Errorf("%s/%s: ESCAPE: %s", r.category, r.name, o.saw)
		}
		broken = 0
	}
	level := h.levels()
	if level != "full" && os.Getenv("ESCAPE_REDUCED") == "" {
		t.Errorf("the sessions ran at level %q, want full (borne-kiosk doctor says what is missing; ESCAPE_REDUCED=1 tries all the same)", level)
	}
	report(t, all, level)
}
