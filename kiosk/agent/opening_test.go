package agent

import (
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
)

func TestOpeningIsAskedAnewWhereItMayChange(t *testing.T) {
	day := []policy.Span{{From: 8 * 60, To: 18 * 60}}
	rules := func(sig string, spans []policy.Span) Rules {
		return Rules{Policy: policy.Policy{Hours: policy.Hours{Weekly: policy.Week{spans, spans, spans, spans, spans, spans, spans}}}, Signed: wire.Envelope{Sig: []byte(sig)}}
	}
	r := rules("a", day)
	var o opening
	eight := time.Date(2026, 11, 26, 8, 0, 0, 0, policy.Location())
	for at := eight.Add(-3 * time.Minute); at.Before(eight.Add(3 * time.Minute)); at = at.Add(700 * time.Millisecond) {
		if got, want := o.at(r, at, nil), r.Hours.At(at, policy.Location()); got.Open != want.Open || !got.Until.Equal(want.Until) {
			t.Fatalf("at %s %+v, want %+v", at, got, want)
		}
	}
	at := eight.Add(time.Hour)
	if !o.at(r, at, nil).Open || o.at(rules("b", nil), at, nil).Open {
		t.Error("new rules within the same minute are not asked")
	}
	if o.at(r, eight.Add(-time.Second), nil).Open {
		t.Error("a clock that was put back is not asked anew")
	}
}
