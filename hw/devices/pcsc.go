package devices

import (
	"context"

	"borne/hw"
	"borne/hw/pcsc"
)

func openPCSC(ctx context.Context, d hw.Device, env Env) (hw.Reader, error) {
	r, err := pcsc.Open(ctx, pcsc.Options{Name: d.String(), Match: d.Path, Prove: env.Prove, Clock: env.Clock, Log: env.Log}, env.Key)
	if err != nil {
		return nil, err // not r: a nil *Reader is not a nil hw.Reader
	}
	return r, nil
}
