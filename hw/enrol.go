package hw

// Refusal says why a badge cannot be enrolled. Its words are for programs: what
// a person reads is in the catalogues.
type Refusal string

// Refusals. The empty one is none.
const (
	// RefusedRandom: its number changes at each reading (phones, cards with random
	// IDs whose keys this terminal does not have), so it would never be known again.
	RefusedRandom Refusal = "random"
	// RefusedSuspect: it claims keys and answers wrongly, as a copy does.
	RefusedSuspect Refusal = "suspect"
)

// Enrolment says whether a badge may be enrolled: empty, or why not. Suspicion
// comes first: it is what staff must hear of.
func (b Badge) Enrolment() Refusal {
	switch {
	case b.Suspect:
		return RefusedSuspect
	case b.Random:
		return RefusedRandom
	}
	return ""
}
