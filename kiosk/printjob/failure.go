package printjob

import (
	"context"
	"errors"
	"os"
)

// Failure is why a document cannot be counted or sent, beside what went wrong.
// It holds nothing of the document.
type Failure struct {
	Why    Why
	Unsure bool // bytes were sent, and no answer came: it may be printing
	Err    error
}

// Fail wraps err, which may be nil.
func Fail(why Why, err error) *Failure { return &Failure{Why: why, Err: err} }

func (f *Failure) Error() string {
	if f.Err == nil {
		return string(f.Why)
	}
	return f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// FailureOf finds the Failure in err; another error becomes one with that Why.
func FailureOf(err error, otherwise Why) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return Fail(otherwise, err)
}

// Counter counts the pages of a document: a sealed descriptor, read from its
// beginning and never through its offset. Its error carries a Failure.
type Counter interface {
	Count(ctx context.Context, doc *os.File) (Format, int, error)
}
