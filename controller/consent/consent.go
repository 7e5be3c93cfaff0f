// Package consent asks the head of an establishment whether one opening of it may
// take place, by a mail with a link that answers once, and keeps the answer where
// the hours are. They need no account. Whoever has the link can answer about that
// one agreement and do nothing else.
package consent

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/compliance"
	"borne/controller/mail"
	"borne/controller/policy"
	"borne/controller/rollout"
	"borne/controller/store"
)

// ByLink is the actor of whoever answered by the link.
const ByLink = "head-by-link"

// Errors that callers tell apart.
var (
	ErrLink = errors.New("the link is unknown, was used, or expired")
	ErrSoon = errors.New("a message left a short while ago")
	ErrOver = errors.New("the opening is over")
)

// Times of what is asked.
const (
	linkFor     = 30 * 24 * time.Hour // how long the first link answers
	remindAfter = 5 * 24 * time.Hour
	againAfter  = 10 * time.Minute
)

// Place is one place that opens under the agreement.
type Place struct {
	Layer     store.Item[store.PolicyRow]
	Space     string // empty: the site's own hours
	Name      string
	Agreement policy.Agreement
	Openings  []policy.OpeningGroup
	at        int // the agreement's place in the hours
}

// Asked is what the head is asked about, all of it.
type Asked struct {
	ID      string // of the agreement
	Site    store.Item[store.Site]
	Places  []Place
	Expires time.Time // of the link
}

// Agreement is what all the places say alike.
func (a Asked) Agreement() policy.Agreement { return a.Places[0].Agreement }

// Ask keeps that the head is asked about an agreement that was just written, and
// sends them the mail. by is who wants it.
func Ask(tx store.Tx, site, id, by, console string, now time.Time) error {
	a, err := find(tx, site, id, now)
	if err != nil {
		return err
	}
	row := store.Item[store.Consent]{Meta: store.Meta{ID: id, Site: site}}
	if err := send(tx, a, row, console, "", now); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "agreement.asked", Site: site, Target: id, Detail: period(a.Agreement()) + " · " + a.Agreement().Head})
}

// Again sends the head a new link; the one before answers no more.
func Again(tx store.Tx, site, id, by, console string, now time.Time) error {
	row, err := store.Get[store.Consent](tx, id)
	if err != nil {
		return err
	}
	if row.Site != site {
		return store.ErrNotFound
	}
	if now.Sub(row.Row.Asked) < againAfter {
		return ErrSoon
	}
	a, err := find(tx, site, id, now)
	if err != nil {
		return err
	}
	if err := send(tx, a, row, console, "", now); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "agreement.asked", Site: site, Target: id, Detail: period(a.Agreement()) + " · " + a.Agreement().Head})
}

// Remind reminds each head once who was asked some days ago and did not answer.
func Remind(tx store.Tx, console string, now time.Time) (n int, err error) {
	var due []store.Item[store.Consent]
	for it, err := range store.List[store.Consent](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if it.Row.Reminded.IsZero() && now.Sub(it.Row.Asked) >= remindAfter {
			due = append(due, it)
		}
	}
	for _, it := range due {
		a, err := find(tx, it.Site, it.ID, now)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrOver) {
			continue
		}
		if err != nil {
			return n, err
		}
		if a.Agreement().Answer != policy.AnswerAsked || a.Agreement().Suspended {
			continue
		}
		it.Row.Reminded = now.UTC()
		if err := send(tx, a, it, console, "Rappel : ", now); err != nil {
			return n, err
		}
		err = audit.Append(tx, audit.Entry{At: now, Actor: audit.Controller, Action: "agreement.reminded", Site: it.Site, Target: it.ID, Detail: period(a.Agreement())})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// send makes a new link, keeps its digest, and queues the mail.
func send(tx store.Tx, a Asked, row store.Item[store.Consent], console, prefix string, now time.Time) error {
	token := newToken()
	ends, err := over(a.Agreement())
	if err != nil {
		return err
	}
	row.Row.Until, row.Row.Asked, row.Row.Digest = a.Agreement().To, now.UTC(), digest(token)
	row.Row.Expires = ends.UTC()
	// Whoever agreed may suspend until the end; a question waits a month.
	if a.Agreement().Answer == policy.AnswerAsked && ends.Sub(now) > linkFor {
		row.Row.Expires = now.Add(linkFor).UTC()
	}
	row.Row.Mails++
	if err := store.Put(tx, row); err != nil {
		return err
	}
	subject, text := letter(a, prefix, console+"/#accord="+token, row.Row.Expires)
	m := store.Meta{ID: fmt.Sprintf("consent-%s-%d", a.ID, row.Row.Mails), Site: row.Site}
	return mail.Queue(tx, m, a.Agreement().Head, subject, text, now)
}

// Look tells what the link is about. It changes nothing: programs that open the
// links of a mail see it too.
func Look(tx store.Tx, token string, now time.Time) (Asked, error) {
	row, err := linked(tx, token, now)
	if err != nil {
		return Asked{}, err
	}
	a, err := find(tx, row.Site, row.ID, now)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrOver) {
		return Asked{}, ErrLink
	}
	a.Expires = row.Row.Expires
	return a, err
}

func linked(tx store.Tx, token string, now time.Time) (store.Item[store.Consent], error) {
	var none store.Item[store.Consent]
	if len(token) != tokenLen {
		return none, ErrLink
	}
	row, err := store.First(store.Find[store.Consent](tx, "link", digest(token)))
	if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(row.Row.Expires) {
		return none, ErrLink
	}
	return row, err
}

// AnswerByLink keeps the answer of whoever has the link, which answers no more: a
// new one goes to the head, with which they change their mind. from is the address
// that the answer came from.
func AnswerByLink(tx store.Tx, token string, answer policy.Answer, from, console string, now time.Time) (Asked, error) {
	row, err := linked(tx, token, now)
	if err != nil {
		return Asked{}, err
	}
	a, err := keep(tx, row, answer, ByLink, "depuis "+from, console, now)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrOver) {
		err = ErrLink
	}
	return a, err
}

// AnswerAs keeps the answer of a head who is logged in.
func AnswerAs(tx store.Tx, site, id string, answer policy.Answer, by, from, console string, now time.Time) (Asked, error) {
	row, err := store.Get[store.Consent](tx, id)
	if err == nil && row.Site != site {
		err = store.ErrNotFound
	}
	if err != nil {
		return Asked{}, err
	}
	return keep(tx, row, answer, by, "depuis "+from, console, now)
}

func keep(tx store.Tx, row store.Item[store.Consent], answer policy.Answer, by, from, console string, now time.Time) (Asked, error) {
	if !slices.Contains([]policy.Answer{policy.AnswerAccepted, policy.AnswerRefused, policy.AnswerSuspended}, answer) {
		return Asked{}, fmt.Errorf("cannot answer %q: say accepted, refused or suspended", answer)
	}
	a, err := find(tx, row.Site, row.ID, now)
	if err != nil {
		return a, err
	}
	for i := range a.Places {
		if err := write(tx, &a.Places[i], answer, by, now); err != nil {
			return a, err
		}
	}
	if err := send(tx, a, row, console, "", now); err != nil {
		return a, err
	}
	action := map[policy.Answer]string{policy.AnswerAccepted: actionAccepted, policy.AnswerRefused: actionRefused, policy.AnswerSuspended: actionSuspended}[answer]
	return a, audit.Append(tx, audit.Entry{At: now, Actor: by, Action: action, Site: row.Site, Target: row.ID, Detail: period(a.Agreement()) + ", " + from})
}

// What is done, as the audit tells it.
const (
	actionAccepted  = "agreement.accepted"
	actionRefused   = "agreement.refused"
	actionSuspended = "agreement.suspended"
)

// write puts the answer into a place's hours, under a new version of its rules.
func write(tx store.Tx, p *Place, answer policy.Answer, by string, now time.Time) error {
	a := &p.Agreement
	a.Answer, a.Answered = answer, now.In(policy.Location()).Format(time.DateOnly)
	before := p.Layer.Row.Doc
	doc, hours, err := answered(before, p.at, *a)
	if err != nil {
		return err
	}
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return err
	}
	version := set.Row.NextPolicy()
	if err := store.Put(tx, set); err != nil {
		return err
	}
	p.Layer.Row.Doc, p.Layer.Row.Version, p.Layer.Row.Changed, p.Layer.Row.By = doc, version, now.UTC(), by
	if err := store.Put(tx, p.Layer); err != nil {
		return err
	}
	p.Layer.Rev++
	c := store.HoursChange{Layer: p.Layer.ID, At: now.UTC(), By: by, Said: []string{said(*a)}, Before: hours}
	id := store.TimeID(now, fmt.Sprintf("answer-%d", version))
	if err := store.Put(tx, store.Item[store.HoursChange]{Meta: store.Meta{ID: id, Site: p.Layer.Site, Scope: p.Layer.Scope}, Row: c}); err != nil {
		return err
	}
	r, err := store.Get[store.Rollout](tx, p.Layer.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !r.Row.Active() {
		return nil
	}
	if err != nil {
		return err
	}
	// A change of other rules is on its way to some terminals: this one reaches all.
	return rollout.Hours(tx, p.Layer.ID, now)
}

// answered is a layer's document with the answer in the agreement at a place, and
// the hours before. Everything else stays as it was written.
func answered(doc json.RawMessage, at int, a policy.Agreement) (next, before json.RawMessage, err error) {
	var layer, hours map[string]json.RawMessage
	var all []map[string]json.RawMessage
	if err := json.Unmarshal(doc, &layer); err != nil {
		return nil, nil, err
	}
	before = layer["hours"]
	if err := json.Unmarshal(before, &hours); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(hours["agreements"], &all); err != nil {
		return nil, nil, err
	}
	if at >= len(all) {
		return nil, nil, store.ErrNotFound
	}
	set := func(name, v string) (err error) { all[at][name], err = json.Marshal(v); return err }
	if err := errors.Join(set("answer", string(a.Answer)), set("answered", a.Answered)); err != nil {
		return nil, nil, err
	}
	if hours["agreements"], err = json.Marshal(all); err == nil {
		if layer["hours"], err = json.Marshal(hours); err == nil {
			next, err = json.Marshal(layer)
		}
	}
	return next, before, err
}

// find looks for the agreement in the site's hours and in those of its spaces.
func find(tx store.Tx, site, id string, now time.Time) (Asked, error) {
	a := Asked{ID: id}
	var err error
	if a.Site, err = store.Get[store.Site](tx, site); err != nil {
		return a, err
	}
	if err := a.look(tx, site, "", a.Site.Row.Name, now); err != nil {
		return a, err
	}
	for sp, err := range store.List[store.Space](tx, "", "", false) {
		if err == nil && sp.Site == site {
			err = a.look(tx, sp.ID, sp.ID, a.Site.Row.Name+", "+sp.Row.Name, now)
		}
		if err != nil {
			return a, err
		}
	}
	if len(a.Places) == 0 {
		return a, store.ErrNotFound
	}
	ends, err := over(a.Agreement())
	if err == nil && !now.Before(ends) {
		err = ErrOver
	}
	return a, err
}

func (a *Asked) look(tx store.Tx, layer, space, name string, now time.Time) error {
	row, err := store.Get[store.PolicyRow](tx, layer)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var doc struct {
		Hours struct {
			Agreements []policy.Agreement `json:"agreements"`
		} `json:"hours"`
	}
	if err := json.Unmarshal(row.Row.Doc, &doc); err != nil {
		return fmt.Errorf("cannot read the hours of %q: %w", layer, err)
	}
	at := slices.IndexFunc(doc.Hours.Agreements, func(x policy.Agreement) bool { return x.ID == a.ID && x.Head != "" })
	if at < 0 {
		return nil
	}
	p, err := compliance.Effective(tx, store.Item[store.Terminal]{Meta: store.Meta{Site: a.Site.ID}, Row: store.Terminal{Space: space}})
	if err != nil {
		return err
	}
	x := doc.Hours.Agreements[at]
	a.Places = append(a.Places, Place{Layer: row, Space: space, Name: name, Agreement: x, at: at,
		Openings: p.Hours.Openings(x, now.In(policy.Location()).Format(time.DateOnly))})
	return nil
}

// over is the end of an agreement's last day.
func over(a policy.Agreement) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, a.To, policy.Location())
	return day.AddDate(0, 0, 1), err
}

func period(a policy.Agreement) string { return a.From + " – " + a.To }

// Purge deletes what was asked about openings that are over.
func Purge(tx store.Tx, _, now time.Time) (int, error) {
	today := now.In(policy.Location()).Format(time.DateOnly)
	var ids []string
	for it, err := range store.List[store.Consent](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if it.Row.Until < today {
			ids = append(ids, it.ID)
		}
	}
	for _, id := range ids {
		if err := tx.Delete(store.KindConsent, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

const tokenLen = 22 // 128 bits, base64url

func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewID names an agreement.
func NewID() string {
	var b [10]byte
	rand.Read(b[:])
	return "acc-" + hex.EncodeToString(b[:])
}

// digest names a link. The plain hash of 128 random bits leaves nothing to guess.
func digest(token string) string {
	h := sha256.Sum256([]byte("borne/consent/1\x00" + token))
	return hex.EncodeToString(h[:])
}

// oneLine keeps what people typed from writing lines of the mail.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
