package store

import "time"

// CalendarRow is the school holidays of one zone, as they were imported last.
// Meta.ID is the zone: A, B or C. A failed import changes Failed and Error
// alone: the last good calendar stays in force.
type CalendarRow struct {
	Breaks   []CalendarBreak `json:"breaks" inventory:"school holidays of the zone;none-personal;life"`
	Until    string          `json:"until" inventory:"last day that the calendar knows;none-personal;life"`
	Format   string          `json:"format,omitempty" inventory:"form of its file;none-personal;life"`
	Source   CalendarSource  `json:"source,omitempty" inventory:"whether a file or an address gave it;none-personal;life"`
	Imported time.Time       `json:"imported,omitzero" inventory:"when it was imported;none-personal;life"`
	By       string          `json:"by,omitempty" inventory:"user who imported it;public-task;audit"`
	Version  uint64          `json:"version" inventory:"rises with each change in the controller;none-personal;life"`

	Address  string    `json:"address,omitempty" inventory:"address that it is read from each week;none-personal;life"`
	ETag     string    `json:"etag,omitempty" inventory:"mark of the file at that address;none-personal;life"`
	Modified string    `json:"modified,omitempty" inventory:"mark of the file at that address;none-personal;life"`
	Tried    time.Time `json:"tried,omitzero" inventory:"when the address was asked last;none-personal;life"`
	Failed   time.Time `json:"failed,omitzero" inventory:"when an import failed last;none-personal;life"`
	Error    string    `json:"error,omitempty" inventory:"why it failed, for staff;none-personal;life"`
}

// CalendarSource is where a calendar came from.
type CalendarSource string

// Sources.
const (
	CalendarFile    CalendarSource = "file"
	CalendarAddress CalendarSource = "address"
)

// CalendarBreak is one holiday, by its days without class.
type CalendarBreak struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

func (CalendarRow) Table() Kind      { return KindCalendar }
func (CalendarRow) Indexes() []Index { return nil }
