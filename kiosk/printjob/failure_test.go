package printjob

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestFailureOf(t *testing.T) {
	f := Fail(WhyEncrypted, io.ErrUnexpectedEOF)
	f.Unsure = true
	if got := FailureOf(fmt.Errorf("cannot count: %w", f), WhyUnreadable); got.Why != WhyEncrypted || !got.Unsure || !errors.Is(got, io.ErrUnexpectedEOF) {
		t.Errorf("%+v", got)
	}
	if got := FailureOf(io.EOF, WhyUnreadable); got.Why != WhyUnreadable || got.Unsure || !errors.Is(got, io.EOF) || got.Error() != "EOF" {
		t.Errorf("%+v", got)
	}
	if got := Fail(WhyFull, nil); got.Error() != "full" {
		t.Errorf("%v", got)
	}
}
