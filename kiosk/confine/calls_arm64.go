package confine

import "golang.org/x/sys/unix"

// Calls that not every processor has, or has by another name.
var (
	maps  = []uint32{unix.SYS_MMAP}
	more  []uint32
	opens []uint32
	old   = []uint32{unix.SYS_RENAMEAT}
)
