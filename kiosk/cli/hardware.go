package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
)

// testWithin is how long hw test waits for a person to do something.
const testWithin = 30 * time.Second

// hardware lists the devices, or tries one out.
func hardware(ctx context.Context, c *call) error {
	switch {
	case len(c.rest) == 1 && c.rest[0] == "list":
		return listDevices(c)
	case len(c.rest) == 2 && c.rest[0] == "test":
		d, ok := c.cfg.Devices[c.rest[1]]
		if !ok {
			return usageError{fmt.Errorf("cannot test %.40q: the configuration has no device of that role", c.rest[1])}
		}
		ctx, cancel := context.WithTimeout(ctx, testWithin)
		defer cancel()
		return testDevice(ctx, c, d)
	}
	return usageError{errors.New("cannot run hw: write hw list, or hw test ROLE")}
}

func listDevices(c *call) error {
	roles := make([]string, 0, len(c.cfg.Devices))
	for r := range c.cfg.Devices {
		roles = append(roles, r)
	}
	slices.Sort(roles)
	for _, r := range roles {
		say := "ok"
		if err := devices.Check(c.cfg.Devices[r]); err != nil {
			say = err.Error()
		}
		fmt.Fprintf(c.Stdout, "%-16s %-40s %s\n", r, c.cfg.Devices[r], say)
	}
	if len(roles) == 0 {
		fmt.Fprintln(c.Stdout, "Aucun périphérique : ajoutez-les sous [devices] dans la configuration.")
	}
	return nil
}

// testDevice opens one device by itself: the terminal must not be running.
func testDevice(ctx context.Context, c *call, d hw.Device) error {
	mono := clock.NewMonotonic()
	// A key of the moment: what is printed can be compared with nothing.
	secret := make([]byte, hw.MinBadgeKey)
	rand.Read(secret)
	key, err := hw.NewBadgeKey(secret)
	if err != nil {
		return err
	}
	env := devices.Env{Clock: mono, Key: key, Log: c.log}
	if c.cfg.Sim {
		env.Bench = sim.NewBench(mono, 1)
		if err := env.Bench.Tap(0, []byte{0x04, 0xA1, 0xB2, 0xC3}); err != nil {
			return err
		}
	}
	switch d.Driver {
	case "case", "call":
		in, err := devices.OpenInput(ctx, d, env)
		if err != nil {
			return err
		}
		defer in.Close()
		levels, err := in.Watch(ctx)
		if err != nil {
			return err
		}
		level, ok := <-levels
		if !ok || level == hw.Unknown {
			return fmt.Errorf("cannot read %s: its state is unknown; check its wires", d)
		}
		fmt.Fprintf(c.Stdout, "%s : lu (%s)\n", d, map[hw.Level]string{hw.On: "actif", hw.Off: "au repos"}[level])
		return nil
	case "mfrc522":
		r, err := devices.OpenReader(ctx, d, env)
		if err != nil {
			return err
		}
		defer r.Close()
		fmt.Fprintf(c.Stdout, "%s : ouvert. Présentez un badge…\n", d)
		tap, err := r.Next(ctx)
		if err != nil {
			return fmt.Errorf("cannot read a badge (hold one to the reader within %s): %w", testWithin, err)
		}
		for _, b := range tap.Badges {
			fmt.Fprintf(c.Stdout, "badge de %d octets lu\n", b.Bytes)
		}
		return nil
	}
	return fmt.Errorf("cannot test %s: this kind of device has no test", d)
}
