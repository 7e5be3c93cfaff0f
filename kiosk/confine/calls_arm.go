package confine

import "golang.org/x/sys/unix"

// Calls that not every processor has, or has by another name. ARM's own begin
// at 0x0f0000 (asm/unistd.h): the runtime needs set_tls and, on the oldest, cacheflush.
var (
	maps = []uint32{unix.SYS_MMAP2}
	more = []uint32{unix.SYS_EPOLL_WAIT, unix.SYS_FSTAT64, unix.SYS__LLSEEK, unix.SYS_FCNTL64, unix.SYS_SIGRETURN, unix.SYS_UGETRLIMIT,
		unix.SYS_FUTEX_TIME64, unix.SYS_CLOCK_GETTIME64, unix.SYS_CLOCK_NANOSLEEP_TIME64, 0xf0005, 0xf0002}
	opens = []uint32{unix.SYS_OPEN}
	old   = []uint32{unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_CREAT, unix.SYS_MKDIR, unix.SYS_RMDIR, unix.SYS_MKNOD, unix.SYS_UNLINK, unix.SYS_RENAME,
		unix.SYS_RENAMEAT, unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_CHOWN32, unix.SYS_LCHOWN32,
		unix.SYS_FCHOWN32, unix.SYS_UTIMES, unix.SYS_FUTIMESAT, unix.SYS_UTIMENSAT_TIME64, unix.SYS_TRUNCATE64, unix.SYS_FTRUNCATE64,
		unix.SYS_SETUID32, unix.SYS_SETGID32, unix.SYS_SETREUID32, unix.SYS_SETREGID32, unix.SYS_SETRESUID32, unix.SYS_SETRESGID32,
		unix.SYS_INOTIFY_INIT, unix.SYS_SEND, unix.SYS_SHMGET, unix.SYS_MSGGET}
)
