// Package mail sends what the controller has to tell people who do not look at
// the console: the outbox is a table, so that whatever decides that somebody is
// told does so in its own transaction, and no restart loses it.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"borne/controller/store"
)

// TLS says how the connection to the mail server is protected.
type TLS string

// Protections.
const (
	StartTLS TLS = "starttls" // RFC 3207, required
	Implicit TLS = "tls"      // RFC 8314, port 465
	Plain    TLS = "none"     // on loopback only
)

// Server is where mails go.
type Server struct {
	Address        string // host:port; empty: no mail is sent
	From           string
	User, Password string // both empty: without login
	TLS            TLS
	Roots          *x509.CertPool // nil: the system's
}

// Times of the sender.
const (
	lookEvery  = 10 * time.Second
	sendWithin = 30 * time.Second
	giveUp     = 24 * time.Hour // nobody needs to know a day later
	keepSent   = 48 * time.Hour // without an address: so that nothing is sent twice
	maxWait    = 30 * time.Minute
)

// Queue puts a mail into the outbox. One of the same id that waits, or was sent
// in the last two days, is not sent again.
func Queue(tx store.Tx, m store.Meta, to, subject, text string, now time.Time) error {
	_, err := store.Get[store.Mail](tx, m.ID)
	if err == nil {
		return nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return store.Put(tx, store.Item[store.Mail]{Meta: m, Row: store.Mail{To: to, Subject: subject, Text: text, Queued: now.UTC()}})
}

// Sender sends what is in the outbox.
type Sender struct {
	Store  store.Store
	Server Server
	Now    func() time.Time
	Log    *slog.Logger
	Look   time.Duration // how often the outbox is looked at; 0: every ten seconds
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	look := s.Look
	if look <= 0 {
		look = lookEvery
	}
	if s.Server.Address == "" {
		s.Log.Info("no mail server is configured: alerts about alarms are on the console only")
	}
	t := time.NewTicker(look)
	defer t.Stop()
	for {
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot look after the outbox", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// round sends each mail that is due once, and forgets old ones.
func (s *Sender) round(ctx context.Context) error {
	var due []store.Item[store.Mail]
	var over []string
	now := s.Now().UTC()
	err := s.Store.View(ctx, func(tx store.Tx) error {
		due, over = nil, nil
		for it, err := range store.List[store.Mail](tx, "", "", false) {
			switch {
			case err != nil:
				return err
			case !it.Row.Sent.IsZero() && now.Sub(it.Row.Sent) > keepSent, it.Row.Sent.IsZero() && now.Sub(it.Row.Queued) > giveUp:
				over = append(over, it.ID)
			case it.Row.Sent.IsZero() && !now.Before(it.Row.Next):
				due = append(due, it)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(over) > 0 {
		s.Log.Info("mails are forgotten", "count", len(over))
		err = s.Store.Decide(ctx, func(tx store.Tx) error {
			for _, id := range over {
				if err := tx.Delete(store.KindMail, id); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if s.Server.Address == "" {
		return nil
	}
	for _, it := range due {
		sent := s.Server.send(ctx, it.Row)
		if ctx.Err() != nil {
			return nil // it waits: sent again rather than lost
		}
		if sent != nil {
			s.Log.Warn("a mail cannot be sent yet", "about", it.ID, "tries", it.Row.Tries+1, "error", sent)
		}
		if err := s.note(ctx, it.ID, sent == nil, now); err != nil {
			return err
		}
	}
	return nil
}

// note keeps what became of an attempt.
func (s *Sender) note(ctx context.Context, id string, sent bool, now time.Time) error {
	return s.Store.Decide(ctx, func(tx store.Tx) error {
		return store.Update(tx, id, func(it *store.Item[store.Mail]) error {
			if sent {
				it.Row = store.Mail{Queued: it.Row.Queued, Sent: now}
				return nil
			}
			it.Row.Tries++
			it.Row.Next = now.Add(min(time.Minute<<min(it.Row.Tries, 6), maxWait))
			return nil
		})
	})
}

// send hands one mail to the server.
func (s Server) send(ctx context.Context, m store.Mail) error {
	msg := gomail.NewMsg()
	if err := msg.From(s.From); err != nil {
		return fmt.Errorf("cannot use the sender's address: %w; mend mail.from in the configuration", err)
	}
	if err := msg.To(m.To); err != nil {
		return errors.New("cannot use the address of who is to be told; mend it with the opening's agreement") // the error would repeat it
	}
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	host, text, err := net.SplitHostPort(s.Address)
	if err != nil {
		return fmt.Errorf("cannot use the mail server's address: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("cannot use the mail server's port: %w", err)
	}
	opts := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(sendWithin),
		gomail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12})}
	switch s.TLS {
	case Implicit:
		opts = append(opts, gomail.WithSSL())
	case Plain:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthPlain), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	c, err := gomail.NewClient(host, opts...)
	if err != nil {
		return fmt.Errorf("cannot reach the mail server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	if err := c.DialAndSendWithContext(ctx, msg); err != nil {
		var refused *gomail.SendError
		if errors.As(err, &refused) { // its text repeats who the mail is for, and servers' answers do
			return fmt.Errorf("cannot send by %s: %s, the server's code is %d", s.Address, refused.Reason, refused.ErrorCode())
		}
		return fmt.Errorf("cannot send by %s: %w", s.Address, err)
	}
	return nil
}
