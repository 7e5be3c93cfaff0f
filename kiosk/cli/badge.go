package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/kiosk/uplink"
)

// tellBadge reads a badge and prints what the rules know a staff badge by: the
// digest of its key at this terminal's group of sites, never its number.
func tellBadge(ctx context.Context, c *call) error {
	if len(c.rest) > 0 {
		return usageError{errors.New("cannot read a badge: badge takes no word")}
	}
	i := slices.IndexFunc(slices.Sorted(maps.Keys(c.cfg.Devices)), func(name string) bool {
		r, err := hw.RoleOf(name)
		return err == nil && r.Kind == hw.KindReader
	})
	if i < 0 {
		return errors.New("cannot read a badge: the configuration has no badge-reader under [devices]")
	}
	if running(c) {
		return errors.New("cannot read a badge while the terminal works: stop it first (systemctl stop borne-kiosk)")
	}
	folder, err := uplink.OpenFolder(filepath.Join(c.cfg.State, "agent", "identity"))
	if err != nil {
		return err
	}
	id, err := folder.Load()
	if err != nil {
		return fmt.Errorf("cannot read a badge, which looks different at each group of sites: %w", err)
	}
	key, err := hw.NewBadgeKey(id.BadgeKey)
	if err != nil {
		return err
	}
	mono := clock.NewMonotonic()
	env := devices.Env{Clock: mono, Key: key, Log: c.log}
	if env.Prove, err = prover(c, key); err != nil {
		return err
	}
	if c.cfg.Sim {
		env.Bench = sim.NewBench(mono, 1)
	}
	name := slices.Sorted(maps.Keys(c.cfg.Devices))[i]
	t := &trial{call: c, role: name, device: c.cfg.Devices[name], env: env}
	r, err := devices.OpenReader(ctx, t.device, env)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := t.badge(ctx, r, "Posez le badge sur le lecteur…", func(b *sim.Bench) error { return b.Tap(0, []byte{0x04, 0xA1, 0xB2, 0xC3}) })
	if err != nil {
		return err
	}
	if b.Random || b.Suspect {
		return errors.New("cannot use this badge: it is another one each time, or claims keys that it does not have; take another badge")
	}
	fmt.Fprintf(c.Stdout, "\nEmpreinte à recopier dans les règles du site (Impression, Badges de l'équipe) :\n%s\n", staffDigest(b.Key))
	return nil
}

// staffDigest is policy.Staff's name for a badge.
func staffDigest(key [32]byte) string {
	sum := sha256.Sum256(key[:])
	return hex.EncodeToString(sum[:])
}
