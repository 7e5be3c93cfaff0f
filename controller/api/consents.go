package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/consent"
	"borne/controller/policy"
	"borne/controller/store"
)

type consentLookIn struct{ Body ConsentToken }

type consentAnswerIn struct{ Body ConsentAnswer }

type consentAskIn struct {
	ID        string `path:"id" maxLength:"200"`
	Agreement string `path:"agreement" maxLength:"200"`
}

type consentDecideIn struct {
	ID        string `path:"id" maxLength:"200"`
	Agreement string `path:"agreement" maxLength:"200"`
	Body      ConsentDecision
}

// lookConsent shows what a head is asked. It changes nothing, whoever opens it.
func (a *API) lookConsent(ctx context.Context, in *consentLookIn) (*out[ConsentAsked], error) {
	var v consent.Asked
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = consent.Look(tx, in.Body.Token, a.Now())
		return err
	})
	if err != nil {
		return nil, a.consentProblem(ctx, opConsent, err)
	}
	return answer(consentAsked(v)), nil
}

func (a *API) answerConsent(ctx context.Context, in *consentAnswerIn) (*out[ConsentAsked], error) {
	var v consent.Asked
	// A look first: a wrong link must cost no write transaction.
	err := a.Store.View(ctx, func(tx store.Tx) error { _, err := consent.Look(tx, in.Body.Token, a.Now()); return err })
	if err == nil {
		err = a.Store.Decide(ctx, func(tx store.Tx) (err error) {
			v, err = consent.AnswerByLink(tx, in.Body.Token, policy.Answer(in.Body.Answer), address(ctx), a.URL(), a.Now())
			return err
		})
	}
	if err != nil {
		return nil, a.consentProblem(ctx, opAnswerConsent, err)
	}
	a.publish(ctx, v.Site.ID, "")
	return answer(consentAsked(v)), nil
}

func (a *API) consentProblem(ctx context.Context, op string, err error) error {
	if !errors.Is(err, consent.ErrLink) {
		return a.fail(op, err)
	}
	if a.Accounts.Failed(address(ctx)) {
		return errRate()
	}
	return newProblem(http.StatusGone, "Ce lien n’est plus valable : il a déjà servi, il est trop ancien, ou l’ouverture est passée. Demandez un nouveau message à la personne qui gère les ordinateurs.")
}

// decideConsent keeps the answer of a head who is logged in.
func (a *API) decideConsent(ctx context.Context, in *consentDecideIn) (*out[ConsentAsked], error) {
	var v consent.Asked
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		v, err = consent.AnswerAs(tx, in.ID, in.Agreement, policy.Answer(in.Body.Answer), person(ctx).ID, address(ctx), a.URL(), a.Now())
		return err
	})
	if errors.Is(err, consent.ErrOver) {
		err = errOver()
	}
	if err != nil {
		return nil, a.fail(opDecideConsent, err)
	}
	a.publish(ctx, in.ID, "")
	return answer(consentAsked(v)), nil
}

func errOver() *problem {
	return newProblem(http.StatusConflict, "Cette ouverture est passée : il n’y a plus rien à demander.")
}

// askAgain sends the head a new link.
func (a *API) askAgain(ctx context.Context, in *consentAskIn) (*out[ConsentView], error) {
	var v ConsentView
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		if !a.Mails {
			return errNoMails()
		}
		if err := consent.Again(tx, in.ID, in.Agreement, person(ctx).ID, a.URL(), a.Now()); err != nil {
			return err
		}
		it, err := store.Get[store.Consent](tx, in.Agreement)
		v = consentView(it)
		return err
	})
	switch {
	case errors.Is(err, consent.ErrSoon):
		err = newProblem(http.StatusConflict, "Un message est parti il y a moins de dix minutes. Attendez un peu avant d’en envoyer un autre.")
	case errors.Is(err, consent.ErrOver):
		err = errOver()
	}
	if err != nil {
		return nil, a.fail(opAskConsent, err)
	}
	return answer(v), nil
}

func errNoMails() *problem {
	return newProblem(http.StatusConflict, "Ce serveur n’envoie pas de messages : l’administrateur doit d’abord écrire un serveur de messagerie dans sa configuration.")
}

// RemindHeads reminds heads who have not answered, each once.
func (a *API) RemindHeads(ctx context.Context) error {
	if !a.Mails {
		return nil
	}
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		_, err := consent.Remind(tx, a.URL(), a.Now())
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot remind heads of establishments: %w", err)
	}
	return nil
}

func consentAsked(v consent.Asked) ConsentAsked {
	g := v.Agreement()
	out := ConsentAsked{Site: v.Site.Row.Name, Commune: v.Site.Row.Commune, From: g.From, To: g.To, Key: g.Key, Answer: string(g.Answer), Answered: g.Answered, Expires: v.Expires, Places: []ConsentPlace{}}
	for _, p := range v.Places {
		out.Places = append(out.Places, ConsentPlace{p.Name, p.Openings})
	}
	return out
}

func consentView(it store.Item[store.Consent]) ConsentView {
	return ConsentView{Agreement: it.ID, Asked: it.Row.Asked, Reminded: timed(it.Row.Reminded), Expires: it.Row.Expires}
}

// consents are what was asked about the agreements of hours.
func consents(tx store.Tx, h policy.Hours) ([]ConsentView, error) {
	all := []ConsentView{}
	for _, g := range h.Agreements {
		if g.ID == "" {
			continue
		}
		it, err := store.Get[store.Consent](tx, g.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, consentView(it))
	}
	return all, nil
}

// carried puts the head's answers into the hours of a change, wherever they come
// from: a form, another site's, or the history. It answers which agreements the
// head has to be asked about.
func (a *API) carried(tx store.Tx, site string, was policy.Hours, next map[string]json.RawMessage, now time.Time, p accounts.Person) (asked []string, err error) {
	raw, ok := next["hours"]
	if !ok {
		return nil, nil
	}
	var h policy.Hours
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, fmt.Errorf("cannot read the hours of a change: %w", err)
	}
	if p.Role == accounts.Building && a.Mails && policy.Unasked(was, h) {
		return nil, newProblem(http.StatusForbidden, "Ici, une nouvelle ouverture se demande au chef d’établissement : écrivez son adresse électronique, il recevra un message. Seul le correspondant ou l’administrateur peut noter un accord reçu autrement.")
	}
	if p.Role == accounts.Building {
		if err := onlyHeads(tx, was, h, site); err != nil {
			return nil, err
		}
	}
	cal, err := calendarOf(tx, h.School.Zone)
	if err != nil {
		return nil, err
	}
	h.School.Breaks = compliance.Breaks(cal)
	h, places := policy.Consents(was, h, now.In(policy.Location()), consent.NewID)
	for _, i := range places {
		if !a.Mails {
			return nil, unfit(fmt.Sprintf("body.policy.hours.agreements[%d].head", i), errNoMails().Detail)
		}
		asked = append(asked, h.Agreements[i].ID)
	}
	next["hours"], err = hoursDoc(&h)
	return asked, err
}

// onlyHeads refuses an address that nobody but building staff vouches for: who may
// choose whom to ask could ask themselves. It has to stand in the hours already, or
// to be that of a head with an account for the site.
func onlyHeads(tx store.Tx, was, is policy.Hours, site string) error {
	known := map[string]bool{"": true}
	for _, g := range was.Agreements {
		known[strings.ToLower(g.Head)] = true
	}
	for u, err := range store.List[store.User](tx, "", "", false) {
		if err != nil {
			return err
		}
		if u.Row.Disabled || u.Row.Role != string(accounts.Head) {
			continue
		}
		who, err := accounts.Holder(tx, u)
		if err != nil {
			return err
		}
		if who.Holds(site, accounts.Head) {
			known[strings.ToLower(u.Row.Email)] = true
		}
	}
	for i, g := range is.Agreements {
		if !known[strings.ToLower(strings.TrimSpace(g.Head))] {
			return newProblem(http.StatusForbidden, "L’adresse du chef d’établissement n’est pas encore connue ici. Demandez au correspondant de l’écrire une première fois ; ensuite vous pourrez lui demander d’autres ouvertures.",
				field{fmt.Sprintf("body.policy.hours.agreements[%d].head", i), "cette adresse n’est pas celle du chef d’établissement"})
		}
	}
	return nil
}
