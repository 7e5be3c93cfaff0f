package browser

import (
	"context"
	"time"
)

// windowsEvery is how long a window may stay away from a person's eyes.
const windowsEvery = time.Second

// keepWindows brings back windows that a menu or a page made small: there is no
// task bar here, and a window that is minimised would be gone for good.
func (s *Session) keepWindows() {
	defer s.wg.Done()
	t := time.NewTicker(windowsEvery)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
			ctx, cancel := context.WithTimeout(s.ctx, callDeadline)
			s.fillScreen(ctx)
			cancel()
		}
	}
}

// fillScreen maximises every window that is not, full screen excepted.
func (s *Session) fillScreen(ctx context.Context) {
	seen := map[int]bool{}
	pages := s.pages()
	for _, t := range pages[:min(len(pages), maxProbed)] {
		var w struct {
			ID     int `json:"windowId"`
			Bounds struct {
				State string `json:"windowState"`
			} `json:"bounds"`
		}
		if s.p.Call(ctx, "", "Browser.getWindowForTarget", map[string]any{"targetId": t.target}, &w) != nil || seen[w.ID] {
			continue // the tab is closing
		}
		seen[w.ID] = true
		var steps []string
		switch w.Bounds.State {
		case "minimized":
			steps = []string{"normal", "maximized"} // Chromium maximises only what it shows
		case "normal":
			steps = []string{"maximized"}
		}
		for _, state := range steps {
			if err := s.p.Call(ctx, "", "Browser.setWindowBounds", map[string]any{"windowId": w.ID, "bounds": map[string]any{"windowState": state}}, nil); err != nil {
				s.log.Debug("a window does not fill the screen", "error", err)
			}
		}
	}
}
