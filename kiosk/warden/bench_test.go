package warden

import (
	"slices"
	"testing"

	"borne/kiosk/sandbox"
)

// BenchmarkSessionEnd measures from the kill to the last check, with the real
// browser: go test -run - -bench SessionEnd -benchtime 20x ./kiosk/warden
func BenchmarkSessionEnd(b *testing.B) {
	w := openTest(b, realConfig(b, 24))
	p := realPlan(b, w.c)
	shell, err := w.openShell(b.Context(), sandbox.Shell{Origin: "http://127.0.0.1:9", Width: 1280, Height: 800})
	if err != nil {
		b.Fatal(err)
	}
	defer sandbox.CloseAll(shell)
	var ms []int
	for b.Loop() {
		info, files, err := w.prepare(b.Context(), p)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.admit(b.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "bench"}); err != nil {
			b.Fatal(err)
		}
		ev, err := w.wipe(b.Context(), sandbox.Wipe{Session: "bench", Attempt: 1})
		sandbox.CloseAll(files)
		if err != nil || ev.Failure != "" {
			b.Fatalf("%s, %v", jsonString(ev), err)
		}
		ms = append(ms, ev.Millis)
	}
	slices.Sort(ms)
	b.ReportMetric(float64(ms[len(ms)/2]), "median-ms")
	b.ReportMetric(float64(ms[len(ms)-1]), "worst-ms")
}
