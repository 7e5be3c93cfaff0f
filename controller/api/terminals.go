package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/wire"
)

func (a *API) terminal(ctx context.Context, in *byID) (*out[TerminalDetail], error) {
	var d TerminalDetail
	err := a.Store.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, in.ID)
		if err != nil {
			return err
		}
		d, err = a.detail(tx, it, person(ctx))
		return err
	})
	if err != nil {
		return nil, a.fail(opTerminal, err)
	}
	return answer(d), nil
}

const (
	alertsFor   = 7 * 24 * time.Hour
	maxAlerts   = 12
	maxRecords  = 500 // looked through for alerts
	maxSaidCode = 40
)

// alerts lists what a terminal told staff lately, and what staff did there, latest first.
func (a *API) alerts(tx store.Tx, terminal string) ([]AlertBrief, []StaffAct, error) {
	all, acts := []AlertBrief{}, []StaffAct{}
	from := store.TimeID(a.Now().Add(-alertsFor), "")
	seen := 0
	for it, err := range store.FindRange[store.RecordRow](tx, "terminal", terminal, from, "", true) {
		if err != nil {
			return nil, nil, err
		}
		if seen++; seen > maxRecords || len(all) == maxAlerts && len(acts) == maxAlerts {
			break
		}
		var alert wire.Alert
		var did wire.StaffDone
		rec := it.Row.Record
		if rec.Kind == wire.KindStaff && json.Unmarshal(rec.Body, &did) == nil && did.Valid() && len(acts) < maxAlerts {
			acts = append(acts, StaffAct{At: rec.At, Do: string(did.Do), By: strings.ToValidUTF8(did.By, ""), Until: timed(did.Until), Minutes: did.Minutes, Jobs: did.Jobs})
		}
		if rec.Kind == wire.KindAlert && len(all) < maxAlerts && json.Unmarshal(rec.Body, &alert) == nil && alert.Code != "" && len(alert.Code) <= maxSaidCode {
			all = append(all, AlertBrief{At: rec.At, Code: alert.Code})
		}
	}
	return all, acts, nil
}

func (a *API) detail(tx store.Tx, it store.Item[store.Terminal], p accounts.Person) (TerminalDetail, error) {
	t := it.Row
	live, _ := a.Live.Live(it.ID)
	d := TerminalDetail{Terminal: a.brief(tx, it), Build: t.Build, Machine: t.Machine, Enrolled: timed(t.Enrolled),
		PolicyApplied: t.Policy, PolicyRefused: t.PolicyError, Permits: live.Status.Permits, Epoch: t.Epoch,
		Unacked: live.Status.Metrics.Unacked, DiskFree: live.Status.Metrics.DiskFree, ClockSure: live.Status.Metrics.ClockSure,
		Segment: t.Chain.Segment, Index: t.Chain.Index, Commands: commandsFor(p)}
	if live.Online && live.Status.Policy > 0 {
		d.PolicyApplied, d.PolicyRefused = live.Status.Policy, live.Status.Refused
	}
	if t.State == store.StateQuarantined {
		d.Quarantine = &QuarantineView{Reason: string(t.Reason), Detail: t.Detail, Since: timed(t.Since), Lifting: t.Challenge != ""}
	}
	site, err := store.Get[store.Site](tx, it.Site)
	if err != nil {
		return d, err
	}
	space, err := store.Get[store.Space](tx, t.Space)
	if err != nil {
		return d, err
	}
	d.SiteName, d.SpaceName = site.Row.Name, space.Row.Name
	wanted, err := Effective(tx, it.Site, t.Space, it.ID)
	if err != nil {
		return d, err
	}
	d.PolicyWanted = wanted.Version
	cur, err := tx.Cursor(it.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	d.Cursor, d.Gaps = cur.Seq, cur.Gaps
	if d.Alerts, d.Staff, err = a.alerts(tx, it.ID); err != nil {
		return d, err
	}
	printer, err := a.printerTroubles(tx, it.ID)
	if err != nil {
		return d, err
	}
	d.Alerts = append(printer, d.Alerts...)
	if p := d.Terminal.Power; p != nil && p.Trouble != "" && p.Since != nil {
		d.Alerts = append([]AlertBrief{{At: *p.Since, Code: p.Trouble}}, d.Alerts...)
	}
	if p.Holds(it.Site, a.table[opReceipt].Roles...) {
		r, err := store.First(store.FindRange[store.ReceiptRow](tx, "terminal", it.ID, "", "", true))
		if err == nil {
			b, _ := receiptBrief(r)
			d.LastReceipt = &b
		} else if !errors.Is(err, store.ErrNotFound) {
			return d, err
		}
	}
	return d, nil
}

// commandsFor lists the kinds of command that the person may send.
func commandsFor(p accounts.Person) []string {
	may := []string{}
	for kind, roles := range commandRoles() {
		if slices.Contains(roles, p.Role) {
			may = append(may, kind)
		}
	}
	slices.Sort(may)
	return may
}

func (a *API) sessions(ctx context.Context, in *page) (*out[SessionPage], error) {
	p := SessionPage{Sessions: []SessionBrief{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		p.Sessions, p.Next = p.Sessions[:0], ""
		return paged(store.FindRange[store.SessionRow](tx, "terminal", in.ID, "", in.Before, true), in.Limit, &p.Next,
			func(it store.Item[store.SessionRow]) error {
				r := it.Row
				p.Sessions = append(p.Sessions, SessionBrief{ID: r.Session, Started: r.Begun, Ended: timed(r.Ended), Reason: string(r.Reason),
					Profile: r.Profile, Lang: r.Lang, Seconds: r.Seconds, Active: r.Active, Pages: r.Pages, Unsure: r.Unsure,
					Wipes: r.Wipes, WipeMS: r.WipeMS, Receipt: r.Receipt})
				return nil
			})
	})
	if err != nil {
		return nil, a.fail(opSessions, err)
	}
	return answer(p), nil
}

func (a *API) receipts(ctx context.Context, in *page) (*out[ReceiptPage], error) {
	p := ReceiptPage{Receipts: []ReceiptBrief{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		p.Receipts, p.Next = p.Receipts[:0], ""
		return paged(store.FindRange[store.ReceiptRow](tx, "terminal", in.ID, "", in.Before, true), in.Limit, &p.Next,
			func(it store.Item[store.ReceiptRow]) error {
				b, _ := receiptBrief(it)
				p.Receipts = append(p.Receipts, b)
				return nil
			})
	})
	if err != nil {
		return nil, a.fail(opReceipts, err)
	}
	return answer(p), nil
}

// receiptBrief reads the payload that was signed. A rejected receipt may be no
// receipt at all: then the row's own fields are all there is.
func receiptBrief(it store.Item[store.ReceiptRow]) (ReceiptBrief, wire.Receipt) {
	row := it.Row
	b := ReceiptBrief{ID: it.ID, Kind: string(row.Kind), Session: row.Session, At: row.At, Verdict: string(row.Verdict),
		Reason: string(row.Reason), Detail: row.Detail, Level: string(row.Level), Segment: row.Segment, Index: row.Index}
	var r wire.Receipt
	if err := json.Unmarshal(row.Envelope.Payload, &r); err != nil {
		return b, wire.Receipt{}
	}
	b.WipeMS, b.Attempt, b.Sim = r.WipeMS, r.Attempt, r.Sim
	return b, r
}

func (a *API) receipt(ctx context.Context, in *byID) (*out[ReceiptView], error) {
	var v ReceiptView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.ReceiptRow](tx, in.ID)
		if err != nil {
			return err
		}
		b, r := receiptBrief(it)
		e := it.Row.Envelope
		v = ReceiptView{Brief: b, Terminal: it.Row.Terminal, Unsure: r.Unsure, Boot: r.Boot, Build: r.Build, Props: list(r.Props),
			Checks: list(r.Checks), Prev: list(r.Prev), Digest: e.Digest(),
			Envelope: EnvelopeView{Kid: e.Kid, Domain: string(e.Domain), Payload: list(e.Payload), Sig: list(e.Sig)}}
		t, err := store.Get[store.Terminal](tx, it.Row.Terminal)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		v.Name = t.Row.Name
		return nil
	})
	if err != nil {
		return nil, a.fail(opReceipt, err)
	}
	return answer(v), nil
}

func (a *API) commands(ctx context.Context, in *page) (*out[CommandPage], error) {
	p := CommandPage{Commands: []CommandView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		p.Commands, p.Next = p.Commands[:0], ""
		people := names{tx: tx, by: map[string]string{}}
		return paged(store.FindRange[store.CommandRow](tx, "terminal", in.ID, "", in.Before, true), in.Limit, &p.Next,
			func(it store.Item[store.CommandRow]) error {
				r := it.Row
				p.Commands = append(p.Commands, CommandView{ID: it.ID, Kind: string(r.Kind), Text: r.Text, By: people.of(r.By),
					Issued: r.Issued, State: a.stateOf(r), Answer: r.Answer, Done: timed(r.Changed)})
				return nil
			})
	})
	if err != nil {
		return nil, a.fail(opCommands, err)
	}
	return answer(p), nil
}

type commandIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body CommandRequest
}

func (a *API) command(ctx context.Context, in *commandIn) (*out[Accepted], error) {
	p := person(ctx)
	if !slices.Contains(commandRoles()[in.Body.Kind], p.Role) {
		return nil, newProblem(http.StatusForbidden, "Votre rôle ne permet pas cette commande.")
	}
	text := strings.TrimSpace(in.Body.Text)
	if err := checkCommand(in.Body.Kind, text, in.Body.Minutes); err != nil {
		return nil, err
	}
	var until time.Time
	if n := in.Body.Minutes; n > 0 {
		until = a.Now().UTC().Add(time.Duration(n) * time.Minute).Truncate(time.Minute)
	}
	id, err := a.Orders.Order(ctx, Order{Terminal: in.ID, Kind: wire.CommandKind(in.Body.Kind), Text: text, Until: until,
		Reason: strings.TrimSpace(in.Body.Reason), By: p.ID})
	if errors.Is(err, ErrRefused) {
		a.Log.Info("command refused", "terminal", in.ID, "kind", in.Body.Kind, "error", err)
		return nil, newProblem(http.StatusConflict, "Cette commande n’a pas de sens pour ce poste en ce moment : rechargez la page pour voir son état.")
	}
	if err != nil {
		return nil, a.fail(opCommand, err)
	}
	return answer(Accepted{ID: id}), nil
}

// checkCommand refuses a command whose parts do not go together.
func checkCommand(kind, text string, minutes int) error {
	switch {
	case kind == string(wire.CmdMessage) && text == "":
		return invalid("body.text", "écrivez le message à afficher")
	case len(text) > wire.MaxText:
		return invalid("body.text", fmt.Sprintf("le texte est trop long : %d octets au plus", wire.MaxText))
	case minutes > 0 && kind != string(wire.CmdAwake):
		return invalid("body.minutes", "cette commande ne prend pas de durée")
	}
	return nil
}
