package compliance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"borne/controller/mail"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// alarmLate is how old an alert may be that somebody is sent a mail for: one that
// waited for a connection, or comes again after a restore, is no news.
const alarmLate = time.Hour

// alarmed tells whoever holds the key that the building's alarm is as nobody
// meant it. Those who are told are named by the agreement under which the place
// opens; without one the console alone tells.
func (r *Rules) alarmed(tx store.Tx, t *terminal, at time.Time, code string) error {
	if code != "alarm-armed" && code != "alarm-unarmed" {
		return nil
	}
	p, err := Effective(tx, *t)
	if err != nil {
		return err
	}
	o := p.Hours.At(at, policy.Location())
	to := p.Hours.Holders(o, at, policy.Location())
	if len(to) == 0 {
		return nil
	}
	where, err := placeOf(tx, t)
	if err != nil {
		return err
	}
	since := o.Since.In(policy.Location())
	clock := policy.Clock(since.Hour()*60 + since.Minute())
	day := policy.Day(since)
	subject, text := "L’alarme est encore en service : "+where,
		fmt.Sprintf("Le %s, %s devait ouvrir à %s, mais l’alarme du bâtiment est encore en service. Les postes restent fermés jusqu’à ce qu’elle soit arrêtée.", day, where, clock)
	if code == "alarm-unarmed" {
		subject, text = "L’alarme n’est pas remise : "+where,
			fmt.Sprintf("%s est fermé depuis le %s à %s, et l’alarme du bâtiment n’est pas remise. Merci de la remettre, ou de prévenir qui peut le faire.", where, day, clock)
	}
	text = "Bonjour,\n\n" + text + "\n\nVous recevez ce message parce que vous tenez la clé pour cette ouverture.\n"
	for _, address := range to {
		// One mail for an opening, whichever of the space's terminals told first.
		about := sha256.Sum256([]byte(strings.Join([]string{t.Row.Space, code, since.Format(time.RFC3339), address}, "\x00")))
		m := store.Meta{ID: code + "-" + hex.EncodeToString(about[:12]), Site: t.Site, Scope: t.Row.Space}
		if err := mail.Queue(tx, m, address, subject, text, r.cfg.Now()); err != nil {
			return err
		}
	}
	return nil
}

// placeOf names the terminal's site and space.
func placeOf(tx store.Tx, t *terminal) (string, error) {
	s, err := store.Get[store.Site](tx, t.Site)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	sp, err := store.Get[store.Space](tx, t.Row.Space)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	return strings.Trim(s.Row.Name+", "+sp.Row.Name, ", "), nil
}

// alert looks whether somebody has to be told; the record is kept in any case.
func (r *Rules) alert(tx store.Tx, t *terminal, rec wire.Record) error {
	a, ok := body[wire.Alert](rec)
	if ok && a.Code == wire.AlertCall { // also one that waited for a connection
		if err := r.rollup(tx, t, rec, func(u *store.Rollup) { u.Help++ }); err != nil {
			return err
		}
	}
	if !ok || rec.Unsure || r.cfg.Now().Sub(rec.At) > alarmLate {
		return nil
	}
	return r.alarmed(tx, t, rec.At, a.Code)
}
