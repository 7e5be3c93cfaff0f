package audit_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"borne/controller/audit"
	"borne/controller/store"
)

func export(t testing.TB, st store.Store, write func(store.Tx, io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := st.View(context.Background(), func(tx store.Tx) error { return write(tx, &b) }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportedChainIsVerifiedWithoutAStore(t *testing.T) {
	st := open(t)
	fill(t, st, 6)
	decide(t, st, func(tx store.Tx) error {
		return audit.Append(tx, audit.Entry{At: t0, Actor: "u1", Action: "command", Target: "t", Detail: "<message> « été »"})
	})
	want, err := verify(t, st, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := export(t, st, audit.WriteJSON)
	first, head, err := audit.VerifyFile(bytes.NewReader(b), &want)
	if err != nil || head.String() != want.String() || first.Seq != 1 {
		t.Fatalf("%v to %v, want %v: %v", first, head, want, err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
	join := func(l ...string) string { return strings.Join(l, "") }
	for name, c := range map[string]struct {
		text string
		seq  uint64
	}{
		"changed":       {strings.Replace(string(b), `"target":"t3"`, `"target":"t2"`, 1), 4},
		"removed":       {join(append(append([]string{}, lines[:2]...), lines[3:]...)...), 3},
		"moved":         {join(lines[0], lines[2], lines[1], lines[3], lines[4], lines[5], lines[6]), 2},
		"cut":           {join(lines[:5]...), 6},
		"twice":         {join(lines[0], lines[0]), 2},
		"broken off":    {string(b[:len(b)-30]), 7},
		"nothing":       {"", 1},
		"other words":   {join(lines[0], "{}\n"), 2},
		"unknown field": {join(lines[0], `{"seq":2,"more":1}`+"\n"), 2},
		"long":          {join(lines[0], `{"detail":"`+strings.Repeat("x", 1<<17)+`"}`), 2},
	} {
		var broken *audit.Broken
		if _, _, err := audit.VerifyFile(strings.NewReader(c.text), &want); !errors.As(err, &broken) || broken.Seq != c.seq {
			t.Errorf("%s: %v, want entry %d named", name, err, c.seq)
		}
	}
}

func TestExportForASpreadsheet(t *testing.T) {
	st := open(t)
	fill(t, st, 300)
	decide(t, st, func(tx store.Tx) error {
		return audit.Append(tx, audit.Entry{At: t0, Actor: "u1", Action: "command", Detail: `=cmd("calc"), été`})
	})
	b := export(t, st, audit.WriteCSV)
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))).ReadAll()
	if err != nil || len(rows) != 302 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	if last := rows[301]; last[0] != "301" || last[7] != `'=cmd("calc"), été` || rows[1][8] != "" || rows[2][8] != rows[1][9] {
		t.Errorf("rows %q %q %q", rows[1], rows[2], last)
	}
}

func TestAfter(t *testing.T) {
	st := open(t)
	fill(t, st, 5)
	err := st.View(context.Background(), func(tx store.Tx) error {
		all, err := audit.After(tx, 2, 2)
		if err == nil && (len(all) != 2 || all[0].Seq != 3 || all[1].Seq != 4) {
			err = fmt.Errorf("%+v", all)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func FuzzVerifyFile(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2026-03-02T08:00:00Z","actor":"u1","action":"policy.changed","hash":"00"}`))
	f.Add([]byte("{}\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, head, err := audit.VerifyFile(bytes.NewReader(b), nil); err == nil && head.Seq == 0 && len(bytes.TrimSpace(b)) > 0 {
			t.Errorf("%q is a chain of nothing", b)
		}
	})
}
