package warden

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
)

// Chromium's own frame has buttons that take the only window away.
func TestTheSessionsBrowserHasNoFrameOfItsOwn(t *testing.T) {
	w := &warden{c: Config{Net: netip.MustParsePrefix("10.99.0.0/24"), Programs: func(Job) ([]Program, error) { return nil, nil }}}
	b := &box{id: "s0", uids: boxUIDs{browser: 61010, display: 61030, press: 61050}, rules: &rules{}}
	s, err := w.sessionSpec(b, Plan{Lang: "fr", Limits: defaultLimits})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Files, func(f file) bool { return f.Path == "/home/session/profile/Default/Preferences" })
	if i < 0 {
		t.Fatal("no preferences are written")
	}
	var prefs struct {
		Browser struct {
			Frame *bool `json:"custom_chrome_frame"`
		} `json:"browser"`
	}
	if err := json.Unmarshal(s.Files[i].Data, &prefs); err != nil || prefs.Browser.Frame == nil || *prefs.Browser.Frame {
		t.Errorf("preferences %s: %v", s.Files[i].Data, err)
	}
	for _, dir := range []string{"/home/session/profile", "/home/session/profile/Default"} {
		if !slices.Contains(s.Folders, folder{dir, b.uids.browser}) {
			t.Errorf("%s is not the session's own: its browser could not write there", dir)
		}
	}
	if s.Files[i].UID != b.uids.browser {
		t.Errorf("preferences belong to %d", s.Files[i].UID)
	}
}
