package devices

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"borne/hw"
	"borne/hw/meter"
	"borne/hw/sim"
)

// OpenMeter opens an energy meter.
func OpenMeter(ctx context.Context, d hw.Device, env Env) (hw.Meter, error) {
	if err := env.usable(d, "meter", "meter", meter.Shelly1, meter.Shelly2, meter.Tasmota); err != nil {
		return nil, err
	}
	if d.Sim {
		return openSimMeter(ctx, d, env)
	}
	host, channel, err := meterPlace(d)
	if err != nil {
		return nil, err
	}
	m, err := meter.Open(ctx, d.String(), d.Driver, host, channel)
	if err != nil {
		return nil, err // not m: a nil *Meter is not a nil hw.Meter
	}
	return m, nil
}

// checkMeter says whether a meter's name can be used.
func checkMeter(d hw.Device) error {
	if d.Sim {
		_, err := simDialect(d)
		return err
	}
	_, _, err := meterPlace(d)
	return err
}

// meterPlace takes host and channel from a meter's path.
func meterPlace(d hw.Device) (host, channel string, err error) {
	host, channel, _ = strings.Cut(d.Path, "/")
	if _, port, ok := strings.Cut(host, ":"); ok {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", "", fmt.Errorf("cannot use device %q: port %s must be between 1 and 65535", d, port)
		}
	}
	return host, channel, nil
}

func simDialect(d hw.Device) (string, error) {
	dialect, ok := d.Options["dialect"]
	if !ok {
		return meter.Shelly2, nil
	}
	for _, known := range meter.Dialects() {
		if dialect == known {
			return dialect, nil
		}
	}
	return "", fmt.Errorf("cannot use device %q: option dialect=%s must be one of %s", d, dialect, strings.Join(meter.Dialects(), ", "))
}

// openSimMeter opens the real driver on the bench's meter.
func openSimMeter(ctx context.Context, d hw.Device, env Env) (hw.Meter, error) {
	dialect, err := simDialect(d)
	if err != nil {
		return nil, err
	}
	srv, err := env.Bench.OpenMeter(dialect)
	if err != nil {
		return nil, err
	}
	m, err := meter.Open(ctx, d.String(), dialect, srv.Host, "0")
	if err != nil {
		return nil, errors.Join(err, srv.Close())
	}
	return simMeter{m, srv}, nil
}

// simMeter is a meter and what serves it.
type simMeter struct {
	*meter.Meter
	srv *sim.MeterServer
}

func (m simMeter) Close() error { return errors.Join(m.Meter.Close(), m.srv.Close()) }
