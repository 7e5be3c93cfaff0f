// Package scan looks for bytes where they should not be: in files written since
// a moment, in files that have no name any more, and in the memory of living
// processes. It needs root.
package scan

import (
	"context"
	"time"
)

// Files searches every regular file under roots whose content or inode changed
// at or after since; file systems below a root are entered, pseudo ones are not.
func Files(ctx context.Context, marker string, since time.Time, roots ...string) (Result, error) {
	return New(marker).Files(ctx, since, roots...)
}

// Memory searches the readable memory of every process but those in except.
func Memory(ctx context.Context, marker string, except ...int) (Result, error) {
	return New(marker).Memory(ctx, except...)
}
