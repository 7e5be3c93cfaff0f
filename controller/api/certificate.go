package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"borne/controller/certificate"
	"borne/controller/store"
)

type certifyIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body CertificateRequest
}

// CertificateRequest names the month to certify.
type CertificateRequest struct {
	Month string `json:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"2006-01"`
}

// CertificateView is a certificate to print, and the signed bytes to keep with
// the paper: the file that borne-controller certificate verify reads.
type CertificateView struct {
	Certificate certificate.Certificate `json:"certificate"`
	Digest      string                  `json:"digest" doc:"SHA-256 of the envelope's payload, hex; also in the audit"`
	Envelope    EnvelopeView            `json:"envelope"`
}

// certify reads a month, signs what it found, and records the digest in the
// audit: paper that bears it can be told from paper that somebody made up.
func (a *API) certify(ctx context.Context, in *certifyIn) (*out[CertificateView], error) {
	var v CertificateView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		site, err := store.Get[store.Site](tx, in.ID)
		if err != nil {
			return err
		}
		zone, err := zoneOf(site.Row)
		if err != nil {
			return err
		}
		v.Certificate, err = certificate.Build(tx, certificate.Ask{Site: in.ID, Month: in.Body.Month, Zone: zone, Now: a.Now(), Build: a.Version})
		return err
	})
	if errors.Is(err, certificate.ErrMonth) {
		return nil, newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"body.month", "choisissez un mois déjà commencé"})
	}
	if err != nil {
		return nil, a.fail(opCertify, err)
	}
	payload, err := json.Marshal(v.Certificate)
	if err != nil {
		return nil, a.fail(opCertify, fmt.Errorf("cannot write the certificate: %w", err))
	}
	e := a.Sealer.SignCertificate(payload)
	v.Envelope = EnvelopeView{Kid: e.Kid, Domain: string(e.Domain), Payload: e.Payload, Sig: e.Sig}
	v.Digest = hex.EncodeToString(e.Digest())
	err = a.Store.Decide(ctx, func(tx store.Tx) error {
		return certificate.Record(tx, a.Now(), person(ctx).ID, in.ID, in.Body.Month, v.Digest)
	})
	if err != nil {
		return nil, a.fail(opCertify, err)
	}
	return answer(v), nil
}
