package store

import "time"

// Matter is something that somebody has to see to, from when it was noticed until
// it was over. Meta.ID is TimeID of when it was noticed and a digest of Key; a
// matter that comes back a short while later goes on. Meta.Scope is the terminal.
type Matter struct {
	Key      string    `json:"key" inventory:"what it is about, in one word;none-personal;technical"`
	Code     string    `json:"code" inventory:"what is wrong;none-personal;technical"`
	Terminal string    `json:"terminal,omitempty" inventory:"where it is;none-personal;technical"`
	Space    string    `json:"space,omitempty" inventory:"where it is;none-personal;technical"`
	About    string    `json:"about,omitempty" inventory:"which device, consumable or zone;none-personal;technical"`
	Why      string    `json:"why,omitempty" inventory:"its reason;none-personal;technical"` // a reason code
	Level    string    `json:"level" inventory:"how urgent it is;none-personal;technical"`
	Count    int       `json:"count,omitempty" inventory:"days left, or how many;none-personal;technical"`
	Counted  bool      `json:"counted,omitempty" inventory:"whether that is known;none-personal;technical"`
	Since    time.Time `json:"since" inventory:"since when it is so;none-personal;technical"`
	Noticed  time.Time `json:"noticed" inventory:"when it was noticed;none-personal;technical"`
	Changed  time.Time `json:"changed" inventory:"when it changed last;none-personal;technical"`
	Ended    time.Time `json:"ended,omitzero" inventory:"when it was over;none-personal;technical"`

	Taken time.Time `json:"taken,omitzero" inventory:"when somebody took it on;public-task;audit"`
	By    string    `json:"by,omitempty" inventory:"user who took it on;public-task;audit"`
	Note  string    `json:"note,omitempty" inventory:"what that user wrote;public-task;audit"`
}

// Open tells whether it goes on.
func (m Matter) Open() bool { return m.Ended.IsZero() }

func (Matter) Table() Kind { return KindMatter }

// Indexes: key, and while it goes on open ("yes") and at (its subject: see
// MatterSubject).
func (m Matter) Indexes() []Index {
	ix := []Index{{"key", m.Key}}
	if m.Open() {
		ix = append(ix, Index{"open", "yes"}, Index{"at", MatterSubject(m.Terminal)})
	}
	return ix
}

// MatterSubject is the value of Matter's index "at": the terminal, or the whole
// Département.
func MatterSubject(terminal string) string {
	if terminal == "" {
		return "all"
	}
	return "terminal/" + terminal
}
