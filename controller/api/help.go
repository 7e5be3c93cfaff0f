package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/wire"
)

// HelpBrief is somebody at a terminal who waits for help.
type HelpBrief struct {
	ID     string    `json:"id" doc:"Of this call"`
	Since  time.Time `json:"since"`
	Coming bool      `json:"coming" doc:"Staff answered, and the person reads that somebody comes"`
	By     string    `json:"by,omitempty" doc:"Who comes"`
	Times  int       `json:"times" doc:"They called, half a minute apart at least"`
}

// HelpAnswer answers a call.
type HelpAnswer struct {
	Call string `json:"call" minLength:"16" maxLength:"16" doc:"Id of the call that is answered"`
	Done bool   `json:"done" doc:"They were helped, or it is over; false: somebody comes"`
}

type helpIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body HelpAnswer
}

// helpOf is the call that stands at a terminal; nil when nobody waits there, or it
// is away.
func (a *API) helpOf(tx store.Tx, terminal string, live LiveState) *HelpBrief {
	h := live.Status.Help
	if !live.Online || h == nil {
		return nil
	}
	b := &HelpBrief{ID: h.ID, Since: h.At.UTC(), Coming: h.Coming, Times: h.Times}
	if now := a.Now().UTC(); b.Since.After(now) { // a clock that is ahead
		b.Since = now
	}
	if h.Coming {
		b.By = a.whoComes(tx, terminal, h.ID)
	}
	return b
}

// lately is how many of a terminal's commands are looked through for an answer.
const lately = 20

// whoComes names who answered a call.
func (a *API) whoComes(tx store.Tx, terminal, call string) string {
	people, n := names{tx: tx, by: map[string]string{}}, 0
	for c, err := range store.FindRange[store.CommandRow](tx, "terminal", terminal, "", "", true) {
		if n++; err != nil || n > lately {
			break
		}
		var said wire.Command
		if c.Row.Kind == wire.CmdHelpComing && json.Unmarshal(c.Row.Envelope.Payload, &said) == nil && said.Job == call {
			return people.of(c.Row.By)
		}
	}
	return ""
}

func (a *API) answerHelp(ctx context.Context, in *helpIn) (*out[Accepted], error) {
	live, _ := a.Live.Live(in.ID)
	h := live.Status.Help
	if !live.Online || h == nil || h.ID != in.Body.Call {
		return nil, newProblem(http.StatusConflict, "Cette demande d’aide est terminée : la personne est partie, ou quelqu’un l’a déjà aidée.")
	}
	if h.Coming && !in.Body.Done {
		return nil, newProblem(http.StatusConflict, "Quelqu’un vient déjà d’y aller.")
	}
	o := Order{Terminal: in.ID, Kind: wire.CmdHelpComing, Job: h.ID, By: person(ctx).ID}
	if in.Body.Done {
		o.Kind = wire.CmdHelpDone
	}
	id, err := a.Orders.Order(ctx, o)
	if errors.Is(err, ErrRefused) {
		return nil, newProblem(http.StatusConflict, "Ce poste ne peut pas être joint en ce moment.")
	}
	if err != nil {
		return nil, a.fail(opHelp, err)
	}
	return answer(Accepted{ID: id}), nil
}

// PhoneRequest sets a site's telephone number.
type PhoneRequest struct {
	Phone string `json:"phone" maxLength:"30" doc:"For who gets no help at a terminal; empty: none is told"`
}

type phoneIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PhoneRequest
}

// phone refuses what is no telephone number.
func phone(s string) error {
	digits := 0
	for _, r := range s {
		if '0' <= r && r <= '9' {
			digits++
		} else if !strings.ContainsRune(" .+-()", r) {
			return invalid("body.phone", "écrivez un numéro de téléphone, par exemple 04 50 00 00 00")
		}
	}
	if s != "" && digits < 4 {
		return invalid("body.phone", "écrivez un numéro de téléphone, par exemple 04 50 00 00 00")
	}
	return nil
}

func (a *API) putPhone(ctx context.Context, in *phoneIn) (*out[PhoneRequest], error) {
	number := strings.Join(strings.Fields(in.Body.Phone), " ")
	if err := phone(number); err != nil {
		return nil, err
	}
	var terminals []string
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		terminals = nil
		err := store.Update(tx, in.ID, func(it *store.Item[store.Site]) error { it.Row.Phone = number; return nil })
		if err != nil {
			return err
		}
		for t, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if t.Site == in.ID {
				terminals = append(terminals, t.ID)
			}
		}
		return audit.Append(tx, audit.Entry{At: a.Now(), Actor: person(ctx).ID, Action: "site.phone", Site: in.ID, Target: in.ID, Detail: number})
	})
	if err != nil {
		return nil, a.fail(opPhone, err)
	}
	for _, id := range terminals {
		a.Live.Greet(id)
	}
	return answer(PhoneRequest{Phone: number}), nil
}
