package attend

import "time"

// certificateOver is how long before its end the console's certificate is urgent.
const certificateOver = 3 * day

// ConsoleCertificate tells that the console's certificate ends soon, or that an
// authority gives none (missing). One that is renewed by itself is renewed long before:
// with a third of its life left (golang.org/x/crypto/acme/autocert), so that a quarter
// is late for one of any length.
func ConsoleCertificate(from, to time.Time, missing bool, now time.Time) []Found {
	left := 0
	x := Found{Code: Console, Level: Urgent, Count: &left}
	switch {
	case to.IsZero() && !missing:
		return nil
	case to.IsZero():
		return []Found{x}
	}
	warn := min(to.Sub(from)/4, CertificateDays*day)
	if to.Sub(now) >= warn {
		return nil
	}
	x.Since = to.Add(-warn)
	left = int(max(0, to.Sub(now)/day))
	if to.Sub(now) >= certificateOver {
		x.Level = Soon
	}
	return []Found{x}
}
