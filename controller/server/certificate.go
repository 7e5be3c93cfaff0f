package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/certificate"
	"borne/controller/store"
)

// certificateVerify tells whether a certificate is one that this controller
// made: its file by the signature, paper by the digest that it bears.
func (c *core) certificateVerify(ctx context.Context, args map[string]string) (Reply, error) {
	digest := ""
	var signed time.Time // when a certificate whose signature holds was made
	var b strings.Builder
	if file := args["file"]; file != "" {
		doc, sum, err := certificate.Open([]byte(file), c.keys.SignKeys())
		switch {
		case errors.Is(err, certificate.ErrKey):
			b.WriteString("note   no key that is believed now signed it: the audit decides\n")
		case err != nil:
			return Reply{Found: true, Text: "WRONG  " + err.Error() + "\n"}, nil
		default:
			signed = doc.Made
			fmt.Fprintf(&b, "ok     the signature: %s, %s, made %s\n", doc.Name, doc.Month, doc.Made.In(c.zone).Format("2006-01-02 15:04"))
		}
		digest = sum
	}
	if args["digest"] != "" {
		sum, err := certificate.Printed(args["digest"])
		if err != nil {
			return Reply{}, err
		}
		if digest != "" && sum != digest {
			fmt.Fprintf(&b, "WRONG  the digest on the paper is not this file's, which is %s\n", digest)
			return Reply{Found: true, Text: b.String()}, nil
		}
		digest = sum
	}
	if digest == "" {
		return Reply{}, errors.New("cannot verify a certificate: give its file, or the digest that it bears")
	}
	var made certificate.Made
	var since time.Time // of the audit that is kept
	err := c.st.View(ctx, func(tx store.Tx) (err error) {
		if _, err = audit.Verify(tx, nil); err == nil {
			if first, err := store.First(store.List[store.AuditEntry](tx, "", "", false)); err == nil {
				since = first.Row.At
			}
			made, err = certificate.Find(tx, digest)
		}
		return err
	})
	switch {
	case errors.Is(err, audit.ErrBroken):
		fmt.Fprintf(&b, "WRONG  the audit does not hold: %v\n", err)
		return Reply{Found: true, Text: b.String()}, nil
	case errors.Is(err, store.ErrNotFound) && !signed.IsZero() && signed.Before(since):
		fmt.Fprintf(&b, "note   it was made before the oldest entry that the audit still holds, of %s: its signature alone speaks for it\ndigest %s\n", since.In(c.zone).Format("2006-01-02"), digest)
		return Reply{Text: b.String()}, nil
	case errors.Is(err, store.ErrNotFound):
		fmt.Fprintf(&b, "WRONG  no entry of the audit bears the digest %s: it was not made here, or before what the audit still holds\n", digest)
		return Reply{Found: true, Text: b.String()}, nil
	case err != nil:
		return Reply{}, fmt.Errorf("cannot verify the certificate: %w", err)
	}
	fmt.Fprintf(&b, "ok     the audit: entry %d of %s, for %s, %s\ndigest %s\n", made.Seq, made.At.In(c.zone).Format("2006-01-02 15:04"), made.Site, made.Month, digest)
	return Reply{Text: b.String()}, nil
}
