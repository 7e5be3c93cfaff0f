package confine

import "golang.org/x/sys/unix"

// Calls that not every processor has, or has by another name.
var (
	maps  = []uint32{unix.SYS_MMAP}
	more  = []uint32{unix.SYS_EPOLL_WAIT, unix.SYS_ARCH_PRCTL}
	opens = []uint32{unix.SYS_OPEN}
	old   = []uint32{unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_CREAT, unix.SYS_MKDIR, unix.SYS_RMDIR, unix.SYS_MKNOD, unix.SYS_UNLINK, unix.SYS_RENAME,
		unix.SYS_RENAMEAT, unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES,
		unix.SYS_FUTIMESAT, unix.SYS_INOTIFY_INIT, unix.SYS_MODIFY_LDT}
)
