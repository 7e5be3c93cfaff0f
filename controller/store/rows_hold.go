package store

import "time"

// Hold keeps rows of some sites and classes past their time, for a réquisition that
// names them. One person asks for it and another one confirms it: until then it holds
// nothing. Meta.ID is random.
type Hold struct {
	Reference   string    `json:"reference" inventory:"reference of the requisition;legal-duty;audit"`
	Authority   string    `json:"authority" inventory:"authority that made the requisition;legal-duty;audit"`
	Sites       []string  `json:"sites" inventory:"sites whose rows wait;legal-duty;audit"`
	Classes     []string  `json:"classes" inventory:"retention classes whose rows wait;legal-duty;audit"`
	Begins      time.Time `json:"begins" inventory:"from when rows wait;legal-duty;audit"`
	Ends        time.Time `json:"ends" inventory:"until when at most rows wait;legal-duty;audit"`
	AskedBy     string    `json:"askedBy" inventory:"user who asked for the hold;legal-duty;audit"`
	AskedAt     time.Time `json:"askedAt" inventory:"when the hold was asked for;legal-duty;audit"`
	ConfirmedBy string    `json:"confirmedBy,omitempty" inventory:"other user who confirmed the hold;legal-duty;audit"`
	ConfirmedAt time.Time `json:"confirmedAt,omitzero" inventory:"when the hold was confirmed;legal-duty;audit"`
	// Of a hold that stands somebody asks for its end, and somebody else confirms it.
	EndAskedBy string    `json:"endAskedBy,omitempty" inventory:"user who asked for the end of the hold;legal-duty;audit"`
	EndAskedAt time.Time `json:"endAskedAt,omitzero" inventory:"when the end of the hold was asked for;legal-duty;audit"`
	LiftedBy   string    `json:"liftedBy,omitempty" inventory:"user who lifted the hold;legal-duty;audit"`
	LiftedAt   time.Time `json:"liftedAt,omitzero" inventory:"when the hold was lifted;legal-duty;audit"`
	// Closed is when the controller noted that it ended by itself.
	Closed time.Time `json:"closed,omitzero" inventory:"when the hold ended by itself;legal-duty;audit"`
}

func (Hold) Table() Kind      { return KindHold }
func (Hold) Indexes() []Index { return nil }

// TrafficDecision says whether traffic data may be kept: it may not until a DPO
// decided so. Meta.ID is TrafficDecisionID.
type TrafficDecision struct {
	On        bool      `json:"on" inventory:"whether traffic data may be kept;legal-duty;life"`
	Day       string    `json:"day" inventory:"day of the decision about traffic data;legal-duty;life"`
	Reference string    `json:"reference" inventory:"reference of the decision about traffic data;legal-duty;life"`
	By        string    `json:"by" inventory:"account of the DPO who decided;legal-duty;life"`
	At        time.Time `json:"at" inventory:"when the decision was entered;legal-duty;life"`
}

// TrafficDecisionID is the id of the one TrafficDecision.
const TrafficDecisionID = "traffic"

func (TrafficDecision) Table() Kind      { return KindTrafficDecision }
func (TrafficDecision) Indexes() []Index { return nil }

// Traffic is the address from which a session's connections left: what the law may
// ask of whoever offers the public a connection. It has no destination, no name and
// no page, and no row while no TrafficDecision is on. Meta.ID is TimeID of its begin
// and its place, Meta.Scope the terminal.
type Traffic struct {
	Terminal string    `json:"terminal" inventory:"where it was;legal-duty;traffic"`
	Session  string    `json:"session" inventory:"random id, never an identity;legal-duty;traffic"`
	Address  string    `json:"address" inventory:"address from which the session's connections left;legal-duty;traffic"`
	Ports    string    `json:"ports,omitempty" inventory:"source ports of the session's connections;legal-duty;traffic"`
	Begun    time.Time `json:"begun" inventory:"from when it had that address;legal-duty;traffic"`
	Ended    time.Time `json:"ended" inventory:"until when it had that address;legal-duty;traffic"`
}

func (Traffic) Table() Kind { return KindTraffic }

// Indexes: session.
func (t Traffic) Indexes() []Index { return []Index{{"session", t.Session}} }
