package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"
)

// maxProbed bounds the pages and frames that one question is put to.
const maxProbed = 64

// target is what is kept of a CDP TargetInfo.
type target struct {
	ID   string   `json:"targetId"`
	Type string   `json:"type"`
	URL  ownedURL `json:"url"`
}

// isTab tells a tab from a frame and from a part of the browser's window.
func (t target) isTab() bool { return t.Type == "page" && t.URL != browserUI }

func (s *Session) targets(ctx context.Context) ([]target, error) {
	var v struct {
		TargetInfos []target `json:"targetInfos"`
	}
	if err := s.p.Call(ctx, "", "Target.getTargets", nil, &v); err != nil {
		return nil, fmt.Errorf("cannot list the session's tabs: %w", err)
	}
	return v.TargetInfos, nil
}

// pages gives the open tabs, in a stable order.
func (s *Session) pages() []tab {
	return s.list(func(t *tab) bool { return t.page })
}

// followed gives the tabs and frames that can be asked something.
func (s *Session) followed(page bool) []tab {
	return s.list(func(t *tab) bool { return t.session != "" && (t.page || !page) })
}

func (s *Session) list(want func(*tab) bool) []tab {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tabs []tab
	for _, t := range s.tabs {
		if want(t) {
			tabs = append(tabs, tab{session: t.session, target: t.target, page: t.page, at: t.at})
		}
	}
	sort.Slice(tabs, func(i, j int) bool { return tabs[i].target < tabs[j].target })
	return tabs
}

// Painted waits until a tab has painted the portal.
func (s *Session) Painted(ctx context.Context) error {
	const painted = `new Promise((resolve) => {
  if (location.origin !== '` + PortalOrigin + `') { resolve(false); return; }
  new PerformanceObserver((list) => {
    if (list.getEntriesByName('first-contentful-paint').length) requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)));
  }).observe({ type: 'paint', buffered: true });
})`
	for {
		for _, t := range s.followed(true) {
			// A navigation ends the evaluation with an error, and a tab behind
			// another never paints: ask again.
			var ok bool
			once, cancel := context.WithTimeout(ctx, 2*time.Second)
			err := s.eval(once, t.session, 0, painted, &ok)
			cancel()
			if err == nil && ok {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot see the portal painted: %w", ctx.Err())
		case <-s.p.Done():
			return s.p.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Home shows the portal: the tab that has it, or a new one. Other tabs stay.
func (s *Session) Home(ctx context.Context) error {
	for _, t := range s.pages() {
		if t.at != portalPage {
			continue
		}
		if err := s.p.Call(ctx, "", "Target.activateTarget", map[string]any{"targetId": t.target}, nil); err != nil {
			return fmt.Errorf("cannot show the portal: %w", err)
		}
		return nil
	}
	return s.open(ctx)
}

// Back goes one page back in the tab in front, and to the portal when that tab
// has no page before.
func (s *Session) Back(ctx context.Context) error {
	front, err := s.front(ctx)
	if err != nil {
		return err
	}
	// navigation.canGoBack looks at one origin only, and the history's entries
	// would bring their addresses here; the length alone does not.
	var moved bool
	if err := s.evalApart(ctx, front, "history.length > 1 && (history.back(), true)", &moved); err != nil {
		return fmt.Errorf("cannot go one page back: %w", err)
	}
	if !moved {
		return s.Home(ctx)
	}
	return nil
}

// front gives the tab that the person sees.
func (s *Session) front(ctx context.Context) (string, error) {
	best, session := -1, ""
	for _, t := range s.followed(true) {
		var score int
		err := s.evalApart(ctx, t.session, "(document.visibilityState === 'visible' ? 1 : 0) + (document.hasFocus() ? 1 : 0)", &score)
		if err == nil && score > best {
			best, session = score, t.session
		}
	}
	if session == "" {
		return "", errors.New("cannot tell which tab is in front: no tab answers")
	}
	return session, nil
}

// playing is true for sound, and for a moving picture that is no decoration:
// a muted loop in the background must not keep a terminal for ever.
const playing = `(() => {
  const roots = [document]; let seen = 0;
  while (roots.length) {
    const root = roots.pop();
    for (const el of root.querySelectorAll('*')) {
      if (++seen > 50000) return false;
      if (el.shadowRoot) roots.push(el.shadowRoot);
      if (!(el instanceof HTMLMediaElement) || el.paused || el.ended || el.readyState < 3) continue;
      if (!el.muted && el.volume > 0) return true;
      const box = el.getBoundingClientRect();
      if (document.visibilityState === 'visible' && !el.loop && box.width * box.height * 4 >= innerWidth * innerHeight) return true;
    }
  }
  return false;
})()`

// Playing tells whether a video or a sound plays in any tab or frame. A page
// that does not answer within a second counts as silent.
func (s *Session) Playing(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	all := s.followed(false)
	if len(all) > maxProbed {
		all = all[:maxProbed]
	}
	answers := make(chan bool, len(all))
	for _, t := range all {
		go func() {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			answers <- s.playingIn(ctx, t.session)
		}()
	}
	found := false
	for range all {
		found = <-answers || found
	}
	return found
}

func (s *Session) playingIn(ctx context.Context, session string) bool {
	var v struct {
		FrameTree frameTree `json:"frameTree"`
	}
	if s.p.Call(ctx, session, "Page.getFrameTree", nil, &v) != nil {
		return false
	}
	for i, id := range v.FrameTree.ids(nil) {
		if i >= maxProbed {
			break
		}
		var yes bool
		if world, err := s.isolate(ctx, session, id); err == nil && s.eval(ctx, session, world, playing, &yes) == nil && yes {
			return true
		}
	}
	return false
}

// frameTree keeps the ids of a page's frames.
type frameTree struct {
	Frame struct {
		ID string `json:"id"`
	} `json:"frame"`
	Children []frameTree `json:"childFrames"`
}

func (f frameTree) ids(to []string) []string {
	to = append(to, f.Frame.ID)
	for _, c := range f.Children {
		to = c.ids(to)
	}
	return to
}

// isolate makes a world of ours in a frame: what the page has redefined does
// not count there.
func (s *Session) isolate(ctx context.Context, session, frame string) (int, error) {
	var v struct {
		ID int `json:"executionContextId"`
	}
	err := s.p.Call(ctx, session, "Page.createIsolatedWorld", map[string]any{"frameId": frame, "worldName": "borne"}, &v)
	return v.ID, err
}

// evalApart evaluates js in an isolated world of a tab's main frame.
func (s *Session) evalApart(ctx context.Context, session, js string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var v struct {
		FrameTree frameTree `json:"frameTree"`
	}
	if err := s.p.Call(ctx, session, "Page.getFrameTree", nil, &v); err != nil {
		return err
	}
	world, err := s.isolate(ctx, session, v.FrameTree.Frame.ID)
	if err != nil {
		return err
	}
	return s.eval(ctx, session, world, js, out)
}

// eval evaluates js and decodes its value; world 0 is the page's own.
func (s *Session) eval(ctx context.Context, session string, world int, js string, out any) error {
	params := map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true}
	if world != 0 {
		params["contextId"] = world
	}
	return evaluate(ctx, s.p, session, params, out)
}

func evaluate(ctx context.Context, p *Pipe, session string, params map[string]any, out any) error {
	var v struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct{} `json:"exceptionDetails"`
	}
	if err := p.Call(ctx, session, "Runtime.evaluate", params, &v); err != nil {
		return err
	}
	defer clear(v.Result.Value)
	if v.Exception != nil {
		return errors.New("cannot evaluate in the page: it threw")
	}
	if out == nil || len(v.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(v.Result.Value, out)
}
