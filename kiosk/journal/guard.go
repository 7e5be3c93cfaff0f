package journal

import (
	"fmt"
	"runtime/debug"
)

// guarded runs f and turns a panic into an error. bbolt reads the file through
// a memory map and trusts it: a damaged file makes it panic, and one that was
// cut short makes the processor fault.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return f()
}
