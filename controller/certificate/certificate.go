// Package certificate makes a site's monthly certificate of erasure: what its
// terminals proved, read anew from the signed receipts as they came. No verdict
// that was stored counts in a terminal's favour here; it may only count against
// it.
package certificate

import (
	"errors"
	"fmt"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// Certificate is what the DPO of a site prints. Its JSON is signed, and leaves
// the controller: it holds no session's id, no time of a session, and no count
// of people below Small.
type Certificate struct {
	Format      int          `json:"format" doc:"1"`
	Issuer      string       `json:"issuer" doc:"Name of the Département's service"`
	Site        string       `json:"site" doc:"Id of the site"`
	Name        string       `json:"name"`
	Kind        string       `json:"kind"`
	Commune     string       `json:"commune"`
	Month       string       `json:"month" doc:"2006-01, of the site's time zone"`
	From        time.Time    `json:"from"`
	To          time.Time    `json:"to" doc:"First moment that is no longer covered"`
	Made        time.Time    `json:"made"`
	Build       string       `json:"build" doc:"Version of the controller that made it"`
	Running     bool         `json:"running" doc:"The month was not over when it was made"`
	Simulated   bool         `json:"simulated" doc:"Receipts came from simulated hardware: they prove nothing"`
	Erased      []string     `json:"erased" doc:"Tables of which retention has deleted rows of this month, or earlier ones that a chain goes back to" enum:"session,receipt"`
	Total       Tally        `json:"total"`
	Terminals   []Terminal   `json:"terminals"`
	Refused     []Refused    `json:"refused" doc:"Receipts that the controller refused"`
	Quarantines []Quarantine `json:"quarantines" doc:"Begun in the month, or not over when it began"`
	Findings    []Finding    `json:"findings" doc:"Where what is stored does not fit itself"`
	More        int          `json:"more" doc:"Lines left out of the three lists before, which are bounded"`
	Audit       Audit        `json:"audit"`
}

// Tally counts sessions that began in the month, and what became of them.
type Tally struct {
	Sessions   Count `json:"sessions"`
	Clean      Count `json:"clean" doc:"Followed by a receipt that proves a complete wipe, verified anew"`
	Full       Count `json:"full" doc:"Of the clean ones: every property of isolation held"`
	Reduced    Count `json:"reduced" doc:"Of the clean ones: some property was missing"`
	Power      Count `json:"power" doc:"Ended by a power cut or a restart"`
	Crash      Count `json:"crash" doc:"Ended because a program was lost"`
	Failed     int   `json:"failed" doc:"Followed by a receipt that does not prove a complete wipe"`
	Missing    int   `json:"missing" doc:"Without a receipt"`
	Awaited    int   `json:"awaited" doc:"Still going on, or not heard of since: the receipt may come"`
	Rough      int   `json:"rough" doc:"Of those ended by a power cut or a crash: not proven clean"`
	Challenges int   `json:"challenges" doc:"Wipes asked for as a verification, proven clean"`
	Unproven   int   `json:"unproven" doc:"Wipes asked for as a verification, not proven clean"`
}

// Terminal is one terminal's month.
type Terminal struct {
	ID    string      `json:"id"`
	Name  string      `json:"name"`
	Space string      `json:"space"`
	State string      `json:"state" enum:"waiting,active,quarantined,revoked"`
	Tally Tally       `json:"tally"`
	Chain ChainResult `json:"chain" enum:"none,holds,open,broken"`
	Heads []Head      `json:"heads" doc:"Last receipt of each chain, at the end of the month"`
}

// ChainResult is what following a terminal's receipts showed.
type ChainResult string

// Results of a chain.
const (
	ChainNone   ChainResult = "none"   // no receipt in the month
	ChainHolds  ChainResult = "holds"  // each follows from the one before, up to the present
	ChainOpen   ChainResult = "open"   // as holds, but its beginning was deleted by retention
	ChainBroken ChainResult = "broken" // see the findings
)

// Head is where one chain stood.
type Head struct {
	Key    string `json:"key" doc:"Id of the key that signs it"`
	Digest string `json:"digest" doc:"SHA-256 of the last receipt, hex"`
}

// Refused is a receipt that the controller did not accept when it came.
type Refused struct {
	Terminal string      `json:"terminal" doc:"Its name, and its space's"`
	On       string      `json:"on" doc:"2006-01-02: the hour would be the end of somebody's session"`
	Reason   wire.Reason `json:"reason"`
}

// Quarantine is one time that a terminal was stopped, and how that ended.
type Quarantine struct {
	Terminal string      `json:"terminal" doc:"Its name, and its space's"`
	Reason   wire.Reason `json:"reason"`
	Since    string      `json:"since" doc:"2006-01-02"`
	Until    string      `json:"until,omitempty" doc:"2006-01-02"`
	End      End         `json:"end" enum:"released,replaced,revoked,open"`
}

// End is how a quarantine ended.
type End string

// Ends of a quarantine.
const (
	EndReleased End = "released" // a wipe with a fresh nonce was proven clean
	EndReplaced End = "replaced" // other hardware, with new keys, took its place
	EndRevoked  End = "revoked"  // it was shut out for good
	EndOpen     End = "open"     // it still lasts
)

// Finding is one thing that does not fit.
type Finding struct {
	Terminal string `json:"terminal" doc:"Its name, and its space's"`
	Code     Code   `json:"code" enum:"signature,digest,verdict,nonce,gap,link,head"`
	Receipt  string `json:"receipt,omitempty" doc:"Id of the receipt that shows it"`
}

// Code says what does not fit.
type Code string

// Codes of findings.
const (
	FoundSignature Code = "signature" // accepted once, and no key of the terminal signed it
	FoundDigest    Code = "digest"    // its digest is not the one under which it was kept
	FoundVerdict   Code = "verdict"   // accepted once, and it does not prove a wipe
	FoundNonce     Code = "nonce"     // accepted once, and it does not answer its permit
	FoundGap       Code = "gap"       // a receipt between two others is gone
	FoundLink      Code = "link"      // it does not follow from the one before
	FoundHead      Code = "head"      // the newest receipts are gone, or others than those that came
)

// Audit is what verifying the whole audit showed: the quarantines are read there.
type Audit struct {
	Holds   bool   `json:"holds"`
	Why     string `json:"why,omitempty" doc:"What does not hold, in English"`
	Entries uint64 `json:"entries"`
	Head    string `json:"head" doc:"number:hash, as borne-controller audit verify prints it"`
}

// Ask says what to certify.
type Ask struct {
	Site  string
	Month string // 2006-01
	Zone  *time.Location
	Now   time.Time
	Build string
}

// ErrMonth reports a month that cannot be certified.
var ErrMonth = errors.New("this month cannot be certified")

// bounds returns the month's first moment and the one after its last.
func (a Ask) bounds() (from, to time.Time, err error) {
	from, err = time.ParseInLocation("2006-01", a.Month, a.Zone)
	if err != nil || from.After(a.Now) || from.Year() < 2020 {
		return from, to, fmt.Errorf("cannot certify %.20q: write a month that has begun as 2006-01: %w", a.Month, ErrMonth)
	}
	return from, from.AddDate(0, 1, 0), nil
}

// maxLines bounds each list: a certificate is read on paper.
const maxLines = 100

// Build reads one site's month. It only reads: the caller signs and records.
func Build(tx store.Tx, a Ask) (Certificate, error) {
	from, to, err := a.bounds()
	if err != nil {
		return Certificate{}, err
	}
	site, err := store.Get[store.Site](tx, a.Site)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{Format: 1, Site: a.Site, Name: site.Row.Name, Kind: site.Row.Type, Commune: site.Row.Commune, Month: a.Month,
		From: from.UTC(), To: to.UTC(), Made: a.Now.UTC().Truncate(time.Second), Build: a.Build, Running: to.After(a.Now),
		Erased: []string{}, Terminals: []Terminal{}, Refused: []Refused{}, Quarantines: []Quarantine{}, Findings: []Finding{}}
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	c.Issuer = set.Row.Name
	gone, err := erased(tx)
	if err != nil {
		return c, err
	}
	if gone[store.KindSession].After(from) {
		c.Erased = append(c.Erased, string(store.KindSession))
	}
	if gone[store.KindReceipt].After(from) {
		c.Erased = append(c.Erased, string(store.KindReceipt))
	}
	var tallies []*sums
	for t, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return c, err
		}
		if t.Site != a.Site || len(t.Row.ReceiptKey) == 0 {
			continue
		}
		space, err := store.Get[store.Space](tx, t.Row.Space)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return c, err
		}
		m := month{tx: tx, t: t, label: label(t.Row.Name, space.Row.Name), from: from, to: to, zone: a.Zone, gone: gone[store.KindReceipt]}
		if err := m.read(); err != nil {
			return c, err
		}
		c.Terminals = append(c.Terminals, Terminal{ID: t.ID, Name: t.Row.Name, Space: space.Row.Name, State: string(t.Row.State), Chain: m.chain, Heads: m.heads})
		tallies = append(tallies, &m.sums)
		c.Simulated = c.Simulated || m.simulated
		c.Refused = limited(&c, c.Refused, m.refused)
		c.Findings = limited(&c, c.Findings, m.findings)
		stops, err := quarantines(tx, t.ID, m.label, from, to, a.Zone)
		if err != nil {
			return c, err
		}
		c.Quarantines = limited(&c, c.Quarantines, stops)
	}
	c.Total = disclose(tallies, func(i int, t Tally) { c.Terminals[i].Tally = t })
	c.Audit, err = verifyAudit(tx)
	return c, err
}

// label names a terminal on paper: many spaces have a « Poste 1 ».
func label(name, space string) string {
	if space == "" {
		return name
	}
	return name + ", " + space
}

// limited appends up to maxLines lines, and counts the others.
func limited[T any](c *Certificate, have, more []T) []T {
	keep := min(len(more), maxLines-len(have))
	c.More += len(more) - keep
	return append(have, more[:keep]...)
}

// erased returns, by table, up to when retention has deleted rows.
func erased(tx store.Tx) (map[store.Kind]time.Time, error) {
	up := map[store.Kind]time.Time{}
	for p, err := range store.List[store.Purge](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if k := store.Kind(p.Row.What); p.Row.Count > 0 && p.Row.Before.After(up[k]) {
			up[k] = p.Row.Before
		}
	}
	return up, nil
}
