package browser

import (
	"os/exec"
	"testing"
	"time"
)

// A window that is minimised would be gone for good: there is no task bar.
func TestNoWindowStaysAway(t *testing.T) {
	s, c := openSession(t, "<!doctype html><title>Portail</title><h1>Bonjour</h1>")
	if _, err := exec.LookPath("openbox"); err != nil {
		t.Fatal("cannot test windows: openbox is missing; run scripts/setup")
	}
	wm := exec.Command("openbox", "--sm-disable")
	wm.Env = []string{"DISPLAY=" + c.display, "HOME=" + t.TempDir(), "PATH=/usr/bin:/bin"}
	start(t, wm)
	ctx := testContext(t, 60*time.Second)
	type window struct {
		ID     int `json:"windowId"`
		Bounds struct {
			State string `json:"windowState"`
		} `json:"bounds"`
	}
	look := func() (w window) {
		for _, p := range s.pages() {
			if s.p.Call(ctx, "", "Browser.getWindowForTarget", map[string]any{"targetId": p.target}, &w) == nil {
				return w
			}
		}
		return w
	}
	eventually(t, "the window fills the screen", func() bool { return look().Bounds.State == "maximized" })
	for _, away := range []string{"minimized", "normal"} {
		set := map[string]any{"windowId": look().ID, "bounds": map[string]any{"windowState": away}}
		if err := s.p.Call(ctx, "", "Browser.setWindowBounds", set, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it comes back after it was "+away, func() bool { return look().Bounds.State == "maximized" })
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is seen", func() bool {
			var seen bool
			return s.eval(ctx, front, 0, "document.visibilityState === 'visible'", &seen) == nil && seen
		})
	}
}
