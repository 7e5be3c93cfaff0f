package server

import (
	"context"
	"time"

	"borne/controller/accounts"
	"borne/controller/attend"
	"borne/controller/audit"
	"borne/controller/compliance"
	"borne/controller/config"
	"borne/controller/consent"
	"borne/controller/directory"
	"borne/controller/ledger"
	"borne/controller/report"
	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/tell"
)

// purge deletes what is over, now and then each hour.
func (s *Server) purge(ctx context.Context) {
	t := time.NewTicker(purgeEvery)
	defer t.Stop()
	for {
		n, err := retention.Run(ctx, s.st, kept(s.cfg), purges(), s.now(), s.log)
		if err != nil && ctx.Err() == nil {
			s.log.Error("retention", "error", err)
		}
		s.metrics.purged.Add(float64(n))
		gone, err := sweepAside(s.cfg.State, s.now())
		if err != nil {
			s.log.Error("retention", "error", err)
		}
		if gone > 0 {
			s.log.Info("what a restore set aside was deleted", "files", gone)
		}
		if err := s.api.RemindHeads(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("reminders", "error", err)
		}
		if err := s.tellKept(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot tell people how long things are kept", "error", err)
		}
		if err := s.closeDays(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot write down how long sites were open", "error", err)
		}
		if err := s.api.WarmReports(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot read the reports' figures", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// tellKept has terminals tell people how long things are kept, by the rule that
// holds now.
func (s *Server) tellKept(ctx context.Context) error {
	r := retention.At(kept(s.cfg), s.now())
	changed := false
	err := s.st.Decide(ctx, func(tx store.Tx) (err error) {
		changed, err = compliance.SetKept(tx, store.Kept{Usage: r.Usage, Security: r.Security, Account: r.Account, Audit: r.Audit, Technical: r.Technical})
		return err
	})
	if err != nil || !changed {
		return err
	}
	return s.terminals.Publish(ctx, "", "")
}

// kept is how long the configuration keeps each class.
func kept(c config.Config) []retention.Rules {
	var all []retention.Rules
	for _, r := range c.Retention {
		all = append(all, retention.Rules{From: r.From, Usage: r.Usage, Security: r.Security, Account: r.Account, Audit: r.Audit, Technical: r.Technical,
			Traffic: r.Traffic, Hold: r.Hold})
	}
	return all
}

// purges are the tables' own, and those that a room knows how to delete.
func purges() []retention.Purge {
	return append(append(retention.Tables(), ledger.Purges()...),
		// First how many badges a month had, then its key.
		retention.Purge{Class: "technical", Table: store.KindPresence, Delete: func(tx store.Tx, _, now time.Time) (int, error) {
			return report.CountHolders(tx, func(month string) bool { return directory.Over(month, now) })
		}},
		retention.Purge{Class: "technical", Table: store.KindMonthKey, Delete: func(tx store.Tx, _, now time.Time) (int, error) { return directory.DestroyKeys(tx, now) }},
		retention.Purge{Class: "account", Table: store.KindHolder, Waits: true, Delete: func(tx store.Tx, before, now time.Time) (int, error) {
			return directory.Forget(tx, before, now, retention.Chunk)
		}},
		retention.Purge{Class: "minutes", Table: store.KindBadgeWindow, Delete: directory.SweepWindows},
		retention.Purge{Class: "minutes", Table: store.KindDayCode, Delete: directory.SweepCodes},
		retention.Purge{Class: "account", Table: store.KindIdentity, Delete: func(tx store.Tx, _, _ time.Time) (int, error) { return accounts.OrphanIdentities(tx, retention.Chunk) }},
		retention.Purge{Class: "account", Table: store.KindPasskey, Delete: func(tx store.Tx, _, _ time.Time) (int, error) { return accounts.OrphanPasskeys(tx, retention.Chunk) }},
		retention.Purge{Class: "minutes", Table: store.KindLogin, Delete: func(tx store.Tx, _, now time.Time) (int, error) { return accounts.Sweep(tx, now) }},
		retention.Purge{Class: "security", Table: store.KindToken, Delete: accounts.SweepTokens},
		retention.Purge{Class: "account", Table: store.KindStaffBadge, Delete: func(tx store.Tx, _, now time.Time) (int, error) { return directory.SweepStaff(tx, now) }},
		retention.Purge{Class: "account", Table: store.KindConsent, Delete: consent.Purge},
		retention.Purge{Class: "audit", Table: store.KindAudit, Delete: audit.Purge},
		retention.Purge{Class: "technical", Table: store.KindMatter, Waits: true, Delete: attend.Purge},
		retention.Purge{Class: "minutes", Table: store.KindTold, Delete: tell.Purge},
		retention.Purge{Class: "account", Table: store.KindWatch, Delete: tell.Forget},
	)
}
