package warden

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/kiosk/sandbox"
)

// shelf is a clock whose alarm can be lost.
type shelf struct {
	at    time.Time
	off   time.Duration // what it reads, from what was set
	drops bool
	fails error
}

func (s *shelf) SetAlarm(at time.Time) (time.Time, error) {
	if s.fails != nil {
		return time.Time{}, s.fails
	}
	if s.at = at.Add(s.off); s.drops {
		s.at = time.Time{}
	}
	return s.at, nil
}
func (s *shelf) Alarm() (time.Time, bool, error) { return s.at, !s.at.IsZero(), s.fails }
func (s *shelf) ClearAlarm() error               { s.at = time.Time{}; return s.fails }

// power asks for a verb and gives the answer's part about power.
func power(t *testing.T, c *sandbox.Client, r sandbox.Request) (sandbox.Powered, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a, _, err := c.Do(ctx, r)
	if a.Power == nil {
		return sandbox.Powered{}, err
	}
	return *a.Power, err
}

// TestOnlyAnAlarmThatReadsBackSwitchesOff: whatever the agent says.
func TestOnlyAnAlarmThatReadsBackSwitchesOff(t *testing.T) {
	wake := time.Now().Add(8 * time.Hour).Truncate(time.Minute)
	for name, c := range map[string]struct {
		clock *shelf
		halt  time.Time
		admit bool
		sim   bool
		want  string // of the error; empty: it goes off
	}{
		"set":              {clock: &shelf{}, halt: wake},
		"a minute later":   {clock: &shelf{off: time.Minute}, halt: wake},
		"no clock":         {halt: wake, want: "no clock"},
		"lost":             {clock: &shelf{drops: true}, halt: wake, want: "no alarm set"},
		"unreadable":       {clock: &shelf{fails: errors.New("cannot read the alarm: it broke")}, halt: wake, want: "it broke"},
		"another time":     {clock: &shelf{off: time.Hour}, halt: wake, want: "instead of"},
		"past":             {clock: &shelf{}, halt: time.Now().Add(-time.Minute), want: "within a day"},
		"never":            {clock: &shelf{}, want: "within a day"},
		"in two days":      {clock: &shelf{}, halt: wake.Add(48 * time.Hour), want: "within a day"},
		"a session":        {clock: &shelf{}, halt: wake, admit: true, want: "in a session"},
		"simulated":        {halt: wake, sim: true},
		"simulated, past":  {halt: time.Now().Add(-time.Hour), sim: true, want: "within a day"},
		"simulated, inuse": {halt: wake, sim: true, admit: true, want: "in a session"},
	} {
		offs := 0
		w := &warden{c: Config{Sim: c.sim}, off: func(context.Context) error { offs++; return nil }, boxes: map[string]*box{"s": {}}}
		if c.clock != nil {
			w.c.Clock = c.clock
		}
		if c.admit {
			w.boxes["s"].sess = "somebody"
		}
		client := served(t, w)
		if c.clock != nil && c.clock.fails == nil {
			if _, err := power(t, client, sandbox.Request{Wake: &sandbox.Wake{At: wake}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		p, err := power(t, client, sandbox.Request{Halt: &sandbox.Halt{WakeAt: c.halt}})
		real := c.want == "" && !c.sim
		switch {
		case c.want == "" && (err != nil || p.Alarm.Sub(wake).Abs() > time.Minute || p.Sim != c.sim):
			t.Errorf("%s: %+v, %v", name, p, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if real != (offs == 1) {
			t.Errorf("%s: switched off %d times", name, offs)
		}
	}
}

func TestTheAlarmIsSetAndCleared(t *testing.T) {
	clock := &shelf{}
	c := served(t, &warden{c: Config{Clock: clock}})
	wake := time.Now().Add(time.Hour)
	if p, err := power(t, c, sandbox.Request{Wake: &sandbox.Wake{At: wake}}); err != nil || !p.Alarm.Equal(wake) {
		t.Errorf("set: %+v, %v", p, err)
	}
	for _, at := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(25 * time.Hour)} {
		if _, err := power(t, c, sandbox.Request{Wake: &sandbox.Wake{At: at}}); err == nil {
			t.Errorf("an alarm at %v is taken", at)
		}
	}
	if !clock.at.Equal(wake) {
		t.Errorf("what is refused moved the alarm to %v", clock.at)
	}
	if _, err := power(t, c, sandbox.Request{Wake: &sandbox.Wake{}}); err != nil || !clock.at.IsZero() {
		t.Errorf("cleared: %v, %v", clock.at, err)
	}
	if _, err := power(t, served(t, &warden{}), sandbox.Request{Wake: &sandbox.Wake{At: wake}}); err == nil || !strings.Contains(err.Error(), "no clock") {
		t.Errorf("without a clock: %v", err)
	}
}

// cpus makes a folder like sysfs' with processors under these governors.
func cpus(t *testing.T, governors ...string) (string, func() []string) {
	t.Helper()
	root := t.TempDir()
	var files []string
	for i, g := range governors {
		dir := filepath.Join(root, "policy"+string(rune('0'+i)))
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "scaling_governor"), []byte(g+"\n"), 0o644),
			os.WriteFile(filepath.Join(dir, "scaling_available_governors"), []byte("performance ondemand powersave \n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(dir, "scaling_governor"))
	}
	return root, func() []string {
		var out []string
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, strings.TrimSpace(string(b)))
		}
		return out
	}
}

func TestTheProcessorIsSlowedAndLetGo(t *testing.T) {
	root, now := cpus(t, "schedutil", "performance")
	c := served(t, &warden{speed: governor{root: root}})
	for _, low := range []bool{true, true, false, false, true, false} {
		p, err := power(t, c, sandbox.Request{Govern: &sandbox.Govern{Low: low}})
		want := []string{"schedutil", "performance"}
		if low {
			want = []string{saving, saving}
		}
		if got := now(); err != nil || !slices.Equal(got, want) || p.Governor != want[1] {
			t.Fatalf("low %v: %v, answer %+v, %v", low, got, p, err)
		}
	}

	// A warden that died in between left it slow; the next one does not know what was before.
	next := &governor{root: root}
	if _, err := (&governor{root: root}).set(true); err != nil {
		t.Fatal(err)
	}
	if _, err := next.set(false); err != nil || !slices.Equal(now(), []string{"ondemand", "ondemand"}) {
		t.Errorf("after a death: %v, %v", now(), err)
	}

	// A simulated terminal's machine is somebody's own.
	own, seen := cpus(t, "schedutil")
	sim := served(t, &warden{c: Config{Sim: true}, speed: governor{root: own}})
	for low, want := range map[bool]string{true: saving, false: "schedutil"} {
		if p, err := power(t, sim, sandbox.Request{Govern: &sandbox.Govern{Low: low}}); err != nil || !p.Sim || p.Governor != want || seen()[0] != "schedutil" {
			t.Errorf("simulated, low %v: %+v, %v, and the machine's own is %v", low, p, err, seen())
		}
	}

	// A machine without frequencies is no error; one that is broken is.
	if p, err := power(t, served(t, &warden{speed: governor{root: t.TempDir()}}), sandbox.Request{Govern: &sandbox.Govern{Low: true}}); err != nil || p.Governor != "" {
		t.Errorf("without frequencies: %+v, %v", p, err)
	}
	bad, _ := cpus(t, "../../evil")
	if _, err := (&governor{root: bad}).set(true); err == nil || !strings.Contains(err.Error(), "no governor") {
		t.Errorf("a name that is none: %v", err)
	}
}
