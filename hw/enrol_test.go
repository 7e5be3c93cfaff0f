package hw_test

import (
	"testing"

	"borne/hw"
)

func TestEnrolment(t *testing.T) {
	for _, c := range []struct {
		b    hw.Badge
		want hw.Refusal
	}{
		{hw.Badge{Bytes: 7, Assurance: hw.AssuranceUID}, ""},
		{hw.Badge{Bytes: 7, Assurance: hw.AssuranceMutual}, ""},
		{hw.Badge{Bytes: 4, Random: true, Assurance: hw.AssuranceUID}, hw.RefusedRandom},
		{hw.Badge{Bytes: 7, Suspect: true, Assurance: hw.AssuranceUID}, hw.RefusedSuspect},
		{hw.Badge{Bytes: 4, Random: true, Suspect: true, Assurance: hw.AssuranceUID}, hw.RefusedSuspect},
	} {
		if got := c.b.Enrolment(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.b, got, c.want)
		}
	}
}
