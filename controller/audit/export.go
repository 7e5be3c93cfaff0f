package audit

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"borne/controller/store"
)

// Exported is one entry as it leaves the controller. Everything that its hash
// covers is there, so that whoever has the file can verify the chain.
type Exported struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Site   string    `json:"site,omitempty"`
	Scope  string    `json:"scope,omitempty"`
	Target string    `json:"target,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Prev   string    `json:"prev,omitempty"`
	Hash   string    `json:"hash"`
}

func exported(it store.Item[store.AuditEntry]) Exported {
	r := it.Row
	return Exported{r.Seq, r.At, r.Actor, r.Action, it.Site, it.Scope, r.Target, r.Detail, hex.EncodeToString(r.Prev), hex.EncodeToString(r.Hash)}
}

// After yields at most n entries that follow the one of a number.
func After(tx store.Tx, seq uint64, n int) ([]Exported, error) {
	var all []Exported
	for it, err := range store.List[store.AuditEntry](tx, id(seq+1), "", false) {
		if err != nil {
			return nil, err
		}
		if len(all) == n {
			break
		}
		all = append(all, exported(it))
	}
	return all, nil
}

// WriteJSON writes the whole audit, one entry a line.
func WriteJSON(tx store.Tx, w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	for it, err := range store.List[store.AuditEntry](tx, "", "", false) {
		if err == nil {
			err = e.Encode(exported(it))
		}
		if err != nil {
			return fmt.Errorf("cannot export the audit: %w", err)
		}
	}
	return b.Flush()
}

// WriteCSV writes it for a spreadsheet: with a BOM, so that accents show, and with
// no cell that a spreadsheet would take for a formula.
func WriteCSV(tx store.Tx, w io.Writer) error {
	if _, err := io.WriteString(w, "\xef\xbb\xbf"); err != nil {
		return fmt.Errorf("cannot export the audit: %w", err)
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	rows := [][]string{{"seq", "at", "actor", "action", "site", "scope", "target", "detail", "prev", "hash"}}
	for it, err := range store.List[store.AuditEntry](tx, "", "", false) {
		if err != nil {
			return fmt.Errorf("cannot export the audit: %w", err)
		}
		x := exported(it)
		rows = append(rows, []string{strconv.FormatUint(x.Seq, 10), x.At.Format(time.RFC3339Nano), x.Actor, x.Action, x.Site, x.Scope, x.Target, x.Detail, x.Prev, x.Hash})
		if len(rows) < 256 {
			continue
		}
		if err := writeRows(c, rows); err != nil {
			return err
		}
		rows = rows[:0]
	}
	return writeRows(c, rows)
}

func writeRows(c *csv.Writer, rows [][]string) error {
	for _, r := range rows {
		for i, v := range r {
			if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
				r[i] = "'" + v
			}
		}
		if err := c.Write(r); err != nil {
			return fmt.Errorf("cannot export the audit: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("cannot export the audit: %w", err)
	}
	return nil
}

// maxLine bounds one exported entry, in bytes.
const maxLine = 64 << 10

// VerifyFile verifies what WriteJSON wrote, without any store: where it begins is
// believed, and everything behind that is proven. A head that was noted shows
// whether its end was cut off.
func VerifyFile(r io.Reader, want *Head) (first, head Head, err error) {
	met := want == nil
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 4096), maxLine)
	for line := 1; in.Scan(); line++ {
		d := json.NewDecoder(bytes.NewReader(in.Bytes()))
		d.DisallowUnknownFields()
		var x Exported
		if err := d.Decode(&x); err != nil || d.More() {
			return first, head, &Broken{Seq: head.Seq + 1, Why: fmt.Sprintf("line %d of the file is no entry", line)}
		}
		prev, err1 := hex.DecodeString(x.Prev)
		sum, err2 := hex.DecodeString(x.Hash)
		row := store.AuditEntry{Seq: x.Seq, At: x.At, Actor: x.Actor, Action: x.Action, Target: x.Target, Detail: x.Detail, Prev: prev}
		switch {
		case x.Seq == 0 || line > 1 && x.Seq != head.Seq+1:
			return first, head, &Broken{Seq: head.Seq + 1, Why: "it was removed or moved"}
		case line > 1 && !bytes.Equal(prev, head.Hash):
			return first, head, &Broken{Seq: x.Seq, Why: "it does not follow the entry before it: one of the two was changed"}
		case errors.Join(err1, err2) != nil || !bytes.Equal(sum, hash(store.Meta{Site: x.Site, Scope: x.Scope}, row)):
			return first, head, &Broken{Seq: x.Seq, Why: "its content was changed"}
		}
		head = Head{Seq: x.Seq, Hash: sum}
		if line == 1 {
			first = head
		}
		if want != nil && want.Seq == x.Seq {
			if met = bytes.Equal(want.Hash, sum); !met {
				return first, head, &Broken{Seq: x.Seq, Why: "it is not the entry that was noted: the chain was written anew"}
			}
		}
	}
	if err := in.Err(); err != nil {
		return first, head, &Broken{Seq: head.Seq + 1, Why: "it cannot be read: " + err.Error()}
	}
	if !met && want.Seq < first.Seq {
		return first, head, ErrOld
	}
	if !met {
		return first, head, &Broken{Seq: head.Seq + 1, Why: fmt.Sprintf("the file ends before the entry %d that was noted", want.Seq)}
	}
	return first, head, nil
}
