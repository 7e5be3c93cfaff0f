package confine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (linux/seccomp.h); all of our machines are
// little-endian.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16 // 8 bytes each
)

func auditArch(goarch string) (uint32, error) {
	switch goarch {
	case "amd64":
		return unix.AUDIT_ARCH_X86_64, nil
	case "arm64":
		return unix.AUDIT_ARCH_AARCH64, nil
	case "arm":
		return unix.AUDIT_ARCH_ARM, nil
	}
	return 0, fmt.Errorf("cannot filter system calls: processor %s is unknown", goarch)
}

const allow = uint32(unix.SECCOMP_RET_ALLOW)

func deny(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

// is passes over the next n unless the loaded word is k.
func is(k uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: n, K: k}
}

// bits passes over the next n unless the loaded word has a bit of k.
func bits(k uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: n, K: k}
}

func ret(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }

func arg(n uint32) uint32 { return dataArgs + 8*n } // its lower half

// begin refuses another processor's calls, which have other numbers, and loads
// the call's number.
func begin(arch uint32) []unix.SockFilter {
	p := []unix.SockFilter{
		load(dataArch), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: arch}, ret(deny(unix.ENOSYS)),
		load(dataNumber),
	}
	if arch == unix.AUDIT_ARCH_X86_64 { // x32 calls are numbered from here on
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: 0x40000000}, ret(deny(unix.ENOSYS)))
	}
	return p
}

// rule is a piece of a program that returns when the number is one of its own.
type rule []unix.SockFilter

// when tests an argument of a call: with a bit of mask set it gives yes, otherwise no.
func when(nr, n, mask, yes, no uint32) rule {
	return rule{is(nr, 4), load(arg(n)), bits(mask, 1), ret(yes), ret(no)}
}

// same tests that an argument is k.
func same(nr, n, k, yes, no uint32) rule {
	return rule{is(nr, 4), load(arg(n)), is(k, 1), ret(yes), ret(no)}
}

// to gives one answer for a call.
func to(nr, v uint32) rule { return rule{is(nr, 1), ret(v)} }

func join(p []unix.SockFilter, rules []rule, otherwise uint32) []unix.SockFilter {
	for _, r := range rules {
		p = append(p, r...)
	}
	return append(p, ret(otherwise))
}

// alone is the program for Alone: a list of what may be done. A process may
// signal itself only, and start threads only; nothing new becomes executable.
func alone(arch, self uint32) []unix.SockFilter {
	no := deny(unix.EPERM)
	rules := []rule{
		same(unix.SYS_TGKILL, 0, self, allow, no),
		when(unix.SYS_CLONE, 0, unix.CLONE_THREAD, allow, no),
		to(unix.SYS_CLONE3, deny(unix.ENOSYS)),
		when(unix.SYS_MPROTECT, 2, unix.PROT_EXEC, no, allow),
	}
	for _, nr := range maps {
		rules = append(rules, when(nr, 2, unix.PROT_EXEC, no, allow))
	}
	for _, nr := range append([]uint32{
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_PREAD64, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_LSEEK, unix.SYS_FCNTL,
		unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK, unix.SYS_MREMAP,
		unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_RESTART_SYSCALL,
		unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRANDOM,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
		unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_GETRUSAGE,
		// A program that is linked with the C library starts threads with these.
		unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_SET_TID_ADDRESS,
	}, more...) {
		rules = append(rules, to(nr, allow))
	}
	return join(begin(arch), rules, no)
}

// reader is the program for Reader: a list of what may not be done. exec is
// allowed, because it is how the program begins; whatever is begun stays in here.
func reader(arch, self uint32) []unix.SockFilter {
	const changes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC | unix.O_APPEND
	no := deny(unix.EPERM)
	rules := []rule{
		same(unix.SYS_TGKILL, 0, self, allow, no),
		when(unix.SYS_CLONE, 0, unix.CLONE_THREAD, allow, no),
		to(unix.SYS_CLONE3, deny(unix.ENOSYS)), // its flags are in memory; the C library then takes clone
		when(unix.SYS_OPENAT, 2, changes, no, allow),
		to(unix.SYS_OPENAT2, deny(unix.ENOSYS)),
		// Limits may be read, which passes a null pointer.
		{is(unix.SYS_PRLIMIT64, 6), load(arg(2)), is(0, 3), load(arg(2) + 4), is(0, 1), ret(allow), ret(no)},
	}
	for _, nr := range append([]uint32{
		unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
		unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMSG,
		unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
		unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
		unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
		unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_MOUNT_SETATTR,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_SETRLIMIT, unix.SYS_MEMFD_CREATE,
		unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN,
		unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_UNLINKAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT,
		unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_TRUNCATE, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE,
		unix.SYS_UTIMENSAT, unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_INOTIFY_INIT1, unix.SYS_FANOTIFY_INIT,
		unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID, unix.SYS_CAPSET,
	}, old...) {
		rules = append(rules, to(nr, no))
	}
	for _, nr := range opens {
		rules = append(rules, when(nr, 1, changes, no, allow))
	}
	return join(begin(arch), rules, allow)
}
