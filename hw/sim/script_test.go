package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"borne/hw/sim"
)

func TestScriptIsPlayedInTime(t *testing.T) {
	clk := sim.NewVirtualClock()
	b := sim.NewBench(clk, 1)
	s, err := sim.ParseScript([]byte("# a morning\n\n0s case {\"open\":true}\n1s  alarm   {\"armed\":true}\n1s tap {\"uids\":[\"04a1b2c3\"]}\n5s reader {\"plugged\":false}\n"))
	if err != nil {
		t.Fatal(err)
	}
	start := clk.Now()
	if err := s.Play(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if st := b.State(); st.Case != "open" || st.Alarm != "armed" || st.Reader.Plugged {
		t.Errorf("after the script: %+v", st)
	}
	if took := clk.Now() - start; took != 5*time.Second {
		t.Errorf("the script took %v, want 5s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Play(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("a script goes on after its end: %v", err)
	}
}

func TestScriptsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"soon tap {}":                        "line 1",
		"1s":                                 "cannot do \"\"",
		"1s dance {}":                        "cannot do \"dance\"",
		"\n1s tap {\"uids\":[]}":             "line 2",
		"1s case {\"open\":true,\"x\":1}":    "unknown argument",
		"2s lift {}\n1s lift {}":             "order of time",
		"25h lift {}":                        "up to 24h",
		"-1s lift {}":                        "write when",
		"1s fault {\"bit_errors\":2}":        "probabilities",
		"1s fault {\"stuck_miso\":\"x\"}":    "low or high",
		"1s fault {\"pull_at\":-1}":          "count from now",
		"1s fault {\"identity\":300}":        "a byte",
		strings.Repeat("1s lift {}\n", 1001): "1000 steps",
		strings.Repeat("# long\n", 10_000):   "65536 bytes",
	} {
		if _, err := sim.ParseScript([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if _, err := sim.ReadScript("/nonexistent"); err == nil {
		t.Error("a script that is not there is read")
	}
}

// TestFaultsCome: the chip's faults follow the script's words.
func TestFaultsCome(t *testing.T) {
	b := sim.NewBench(sim.NewVirtualClock(), 1)
	port, err := b.OpenReader()
	if err != nil {
		t.Fatal(err)
	}
	c, err := port.Connect(1_000_000_000_000, 0, 8) // 1 MHz in µHz
	if err != nil {
		t.Fatal(err)
	}
	version := func() (byte, error) {
		r := make([]byte, 2)
		err := c.Tx([]byte{0x37<<1 | 0x80, 0}, r)
		return r[1], err
	}
	well, err := version()
	if err != nil || well != 0x92 {
		t.Fatalf("version 0x%02X, %v", well, err)
	}
	for args, want := range map[string]byte{`{"stuck_miso":"low"}`: 0, `{"stuck_miso":"high"}`: 0xFF, `{"identity":18}`: 18, `{}`: well} {
		if err := b.Do("fault", []byte(args)); err != nil {
			t.Fatal(err)
		}
		if v, err := version(); err != nil || v != want {
			t.Errorf("%s: version 0x%02X, %v, want 0x%02X", args, v, err, want)
		}
	}
	if err := b.Do("fault", []byte(`{"bus_error":true}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := version(); err == nil {
		t.Error("the bus has an error and works")
	}
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("1s tap {\"uids\":[\"04a1b2c3\"]}\n2s fault {\"drop\":0.5}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := sim.ParseScript(b)
		if err == nil {
			if err := s.Play(t.Context(), sim.NewBench(sim.NewVirtualClock(), 1)); err != nil {
				t.Errorf("a script that was accepted does not play: %v", err)
			}
		}
	})
}
