package devices

import (
	"fmt"
	"slices"
	"time"

	"borne/hw"
	"borne/hw/wedge"
)

// wedgeOptions reads the options of a reader that types.
func wedgeOptions(d hw.Device) (wedge.Options, error) {
	o := wedge.Options{Name: d.String(), Format: wedge.Format(d.Options["format"]), End: wedge.End(d.Options["end"])}
	bad := func(opt, want string) (wedge.Options, error) {
		return o, fmt.Errorf("cannot use device %q: option %s=%s must be %s", d, opt, d.Options[opt], want)
	}
	if o.Format != "" && !slices.Contains(wedge.Formats(), o.Format) {
		return bad("format", fmt.Sprintf("one of %v", wedge.Formats()))
	}
	if o.End != "" && !slices.Contains(wedge.Ends(), o.End) {
		return bad("end", fmt.Sprintf("one of %v", wedge.Ends()))
	}
	if v, ok := d.Options["gap"]; ok {
		g, err := time.ParseDuration(v)
		if err != nil || g < wedge.MinGap || g > wedge.MaxGap {
			return bad("gap", fmt.Sprintf("a duration between %v and %v, for example %v", wedge.MinGap, wedge.MaxGap, wedge.DefaultGap))
		}
		o.Gap = g
	}
	return o, nil
}

func openWedge(d hw.Device, env Env) (hw.Reader, error) {
	o, err := wedgeOptions(d)
	if err != nil {
		return nil, err
	}
	o.Clock, o.Log = env.Clock, env.Log
	r, err := wedge.Open(d.Path, o, env.Key)
	if err != nil {
		return nil, err // not r: a nil *Reader is not a nil hw.Reader
	}
	return r, nil
}
