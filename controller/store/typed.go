package store

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Row is a type of row: it names its table and what it is found by.
type Row interface {
	Table() Kind
	Indexes() []Index
}

// Item is a row and where it belongs.
type Item[T Row] struct {
	Meta
	Row T
}

// Get returns one row, or ErrNotFound.
func Get[T Row](tx Tx, id string) (Item[T], error) {
	var it Item[T]
	m, doc, err := tx.Get(it.Row.Table(), id)
	if err != nil {
		return it, err
	}
	return decode[T](m, doc)
}

// Put writes a row. it.Rev must be the row's present Rev, 0 for a new one; a
// row that changed meanwhile gives ErrConflict.
func Put[T Row](tx Tx, it Item[T]) error {
	doc, err := json.Marshal(it.Row)
	if err != nil {
		return fmt.Errorf("cannot encode %s %q: %w", it.Row.Table(), it.ID, err)
	}
	return tx.Put(it.Row.Table(), it.Meta, doc, it.Row.Indexes()...)
}

// Update reads a row, lets fn change it and writes it back.
func Update[T Row](tx Tx, id string, fn func(*Item[T]) error) error {
	it, err := Get[T](tx, id)
	if err != nil {
		return err
	}
	if err := fn(&it); err != nil {
		return err
	}
	return Put(tx, it)
}

// List yields rows with ids in [from, to), "" being open; desc turns the order.
// A row that cannot be read is yielded with its error.
func List[T Row](tx Tx, from, to string, desc bool) iter.Seq2[Item[T], error] {
	var z T
	return items[T](tx.List(z.Table(), from, to, desc))
}

// Find yields the rows whose index has the value, in id order.
func Find[T Row](tx Tx, name, value string) iter.Seq2[Item[T], error] {
	var z T
	return items[T](tx.ByIndex(z.Table(), name, value, "", "", false))
}

// FindRange is Find for ids in [from, to), "" being open; desc turns the order.
func FindRange[T Row](tx Tx, name, value, from, to string, desc bool) iter.Seq2[Item[T], error] {
	var z T
	return items[T](tx.ByIndex(z.Table(), name, value, from, to, desc))
}

// First returns the first row of a sequence, or ErrNotFound.
func First[T Row](seq iter.Seq2[Item[T], error]) (Item[T], error) {
	for it, err := range seq {
		return it, err
	}
	var none Item[T]
	return none, fmt.Errorf("cannot find %s: %w", none.Row.Table(), ErrNotFound)
}

func items[T Row](rows iter.Seq2[Meta, json.RawMessage]) iter.Seq2[Item[T], error] {
	return func(yield func(Item[T], error) bool) {
		for m, doc := range rows {
			if !yield(decode[T](m, doc)) {
				return
			}
		}
	}
}

func decode[T Row](m Meta, doc json.RawMessage) (Item[T], error) {
	it := Item[T]{Meta: m}
	if err := json.Unmarshal(doc, &it.Row); err != nil {
		return it, fmt.Errorf("cannot read %s %q: %w; restore a backup", it.Row.Table(), m.ID, err)
	}
	return it, nil
}

// TimeID makes an id that sorts by time: rows written together then lie
// together, which terminal-first ids would not.
func TimeID(at time.Time, suffix string) string {
	return at.UTC().Format("20060102T150405.000Z") + "-" + suffix
}

// RollupID is the id of a terminal's day (2006-01-02, local).
func RollupID(day, terminal string) string { return day + "/" + terminal }

// Table and Indexes of each row type.

func (Site) Table() Kind           { return KindSite }
func (Site) Indexes() []Index      { return nil }
func (Space) Table() Kind          { return KindSpace }
func (Space) Indexes() []Index     { return nil }
func (EnrolCode) Table() Kind      { return KindCode }
func (EnrolCode) Indexes() []Index { return nil }
func (PolicyRow) Table() Kind      { return KindPolicy }
func (PolicyRow) Indexes() []Index { return nil }
func (Terminal) Table() Kind       { return KindTerminal }

// Indexes: space.
func (t Terminal) Indexes() []Index { return []Index{{"space", t.Space}} }

func (SessionRow) Table() Kind { return KindSession }

// Indexes: session (its id), terminal, and holder (a badge's pseudonym).
func (s SessionRow) Indexes() []Index {
	ix := []Index{{"session", s.Session}, {"terminal", s.Terminal}}
	if s.Holder != "" {
		ix = append(ix, Index{"holder", s.Holder})
	}
	return ix
}

func (ReceiptRow) Table() Kind { return KindReceipt }

// Indexes: terminal, digest, and place (key, segment, index) when chained.
func (r ReceiptRow) Indexes() []Index {
	ix := []Index{{"terminal", r.Terminal}, {"digest", r.Digest}}
	if r.Chained {
		ix = append(ix, Index{"place", ReceiptPlace(r.Envelope.Kid, r.Segment, r.Index)})
	}
	return ix
}

// ReceiptPlace is the value of ReceiptRow's index "place".
func ReceiptPlace(kid string, segment, index uint64) string {
	return fmt.Sprintf("%s/%d/%d", kid, segment, index)
}

func (PermitRow) Table() Kind { return KindPermit }

// Indexes: held (terminal) while it is granted and not consumed.
func (p PermitRow) Indexes() []Index {
	if p.State == PermitGranted {
		return []Index{{"held", p.Terminal}}
	}
	return nil
}

func (CommandRow) Table() Kind { return KindCommand }

// Indexes: terminal, and open (terminal) while it waits for an answer.
func (c CommandRow) Indexes() []Index {
	ix := []Index{{"terminal", c.Terminal}}
	if c.Status == CommandPending || c.Status == CommandDelivered {
		ix = append(ix, Index{"open", c.Terminal})
	}
	return ix
}

func (User) Table() Kind      { return KindUser }
func (User) Indexes() []Index { return nil }
func (Login) Table() Kind     { return KindLogin }

// Indexes: user.
func (l Login) Indexes() []Index { return []Index{{"user", l.User}} }

func (AuditEntry) Table() Kind { return KindAudit }

// Indexes: target.
func (a AuditEntry) Indexes() []Index {
	if a.Target == "" {
		return nil
	}
	return []Index{{"target", a.Target}}
}

func (RecordRow) Table() Kind { return KindRecord }

// Indexes: terminal.
func (r RecordRow) Indexes() []Index { return []Index{{"terminal", r.Terminal}} }

func (DeviceRow) Table() Kind { return KindDevice }

// Indexes: terminal.
func (d DeviceRow) Indexes() []Index { return []Index{{"terminal", d.Terminal}} }

func (Rollup) Table() Kind       { return KindRollup }
func (Rollup) Indexes() []Index  { return nil }
func (ListRow) Table() Kind      { return KindList }
func (ListRow) Indexes() []Index { return nil }
func (Setting) Table() Kind      { return KindSetting }
func (Setting) Indexes() []Index { return nil }

// Rows returns one zero row of each table, in the order of the inventory.
func Rows() []Row {
	return []Row{Site{}, Space{}, Terminal{}, EnrolCode{}, PolicyRow{}, SessionRow{}, ReceiptRow{}, PermitRow{},
		CommandRow{}, User{}, Login{}, AuditEntry{}, RecordRow{}, DeviceRow{}, Rollup{}, Setting{}, Holder{}, MonthKey{}, Purge{}, ListRow{},
		Account{}, PrintJob{}, Grant{}, PrinterRow{}, SupplyDay{}, HoursChange{}, Mail{}, EnergyDay{}, EnergyFigures{}, CalendarRow{},
		RollupMonth{}, EnergyMonth{}, OpenDay{}, OpenMonth{}, Presence{}, HolderCount{},
		Identity{},
		BadgeWindow{}, DayCode{},
		Matter{}, Passkey{}, Erasure{}, AuditHead{},
		PolicyChange{}, Watch{}, Told{}, Rollout{},
		SiteGroup{}, Token{}, Consent{}, Hook{}, HookPost{}, Bulk{}, NetworkRow{},
		Hold{}, Traffic{}, TrafficDecision{},
		NoticeText{}, HelpPlace{}, HelpFile{}, HelpNear{}, StaffBadge{}}
}
