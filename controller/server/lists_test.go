package server

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"borne/controller/store"
)

func packed(t *testing.T, files ...string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, files[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestListsAreImported(t *testing.T) {
	state := fresh(t)
	c := settings(t, state)
	s, stop := running(t, c)
	versionOf := func() (v uint64, rows map[string]store.ListRow) {
		rows = map[string]store.ListRow{}
		err := s.st.View(ctx, func(tx store.Tx) error {
			set, err := store.Get[store.Setting](tx, store.SettingController)
			if err != nil {
				return err
			}
			v = set.Row.Policy
			for it, err := range store.List[store.ListRow](tx, "", "", false) {
				if err != nil {
					return err
				}
				rows[it.ID] = it.Row
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return v, rows
	}
	r, ok, err := SendLists(ctx, state, packed(t, "bl/adult/domains", "a.example\nb.example\n", "bl/adult/urls", "c.example/x\n", "bl/drogue/domains", "d.example\n"))
	if err != nil || !ok || r.Error != "" || !strings.Contains(r.Text, "adult") || !strings.Contains(r.Text, "1 addresses of pages") {
		t.Fatalf("%+v, %v, %v", r, ok, err)
	}
	first, rows := versionOf()
	if rows["adult"].Names != 2 || rows["adult"].Version == 0 || rows["adult"].Version > first || rows["drogue"].Names != 1 {
		t.Errorf("version %d, %+v", first, rows)
	}
	if f, err := listsDir(state).Open(rows["adult"].Digest); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	// The same again changes nothing; one category alone leaves the other.
	if r, _, err := SendLists(ctx, state, packed(t, "adult/domains", "b.example\na.example\n")); err != nil || r.Error != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	// The controller itself publishes at its start: the version of all may rise meanwhile.
	if v, again := versionOf(); again["adult"].Version != rows["adult"].Version || again["adult"].Digest != rows["adult"].Digest || again["drogue"].Digest != rows["drogue"].Digest {
		t.Errorf("version %d after %d, %+v", v, first, again)
	}
	if r, _, err := SendLists(ctx, state, packed(t, "adult/domains", "new.example\n")); err != nil || r.Error != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	v, after := versionOf()
	if v <= first || after["adult"].Version <= first || after["adult"].Version > v || after["drogue"].Version != rows["drogue"].Version {
		t.Errorf("version %d, %+v", v, after)
	}
	if _, err := listsDir(state).Open(rows["adult"].Digest); err == nil {
		t.Error("the file of the list before is left")
	}
	if r, _, err := SendLists(ctx, state, strings.NewReader("no archive")); err != nil || !strings.HasPrefix(r.Error, "cannot read the lists") {
		t.Errorf("%+v, %v", r, err)
	}
	login(t, s)
	if r := s.Do(ctx, Request{Op: OpCheck}); r.Found {
		t.Errorf("a check: %+v", r)
	}
	if err := os.RemoveAll(string(listsDir(state))); err != nil {
		t.Fatal(err)
	}
	if r := s.Do(ctx, Request{Op: OpCheck}); !r.Found || !strings.Contains(r.Text, "import the archive again") {
		t.Errorf("a check without the files: %+v", r)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if r, err := OfflineLists(ctx, c, packed(t, "adult/domains", "new.example\n")); err != nil || r.Error != "" {
		t.Errorf("offline: %+v, %v", r, err)
	}
	if r, err := Offline(ctx, c, Request{Op: OpLists}); err != nil || !strings.Contains(r.Text, "drogue") {
		t.Errorf("offline: %+v, %v", r, err)
	}
}
