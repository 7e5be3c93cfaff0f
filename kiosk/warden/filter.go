package warden

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (linux/seccomp.h); all of our machines are
// little-endian.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16 // 8 bytes each
)

// filterCalls takes from this thread, and from all that it starts, the calls
// that would let a session leave something where no namespace and no
// examination reaches: kernel keyrings, which belong to a uid and outlive its
// processes, and its own core limit, because 0 (other than 1) makes a
// core_pattern that is a pipe write a dump. It needs no_new_privs.
func filterCalls() error {
	arch, err := auditArch(runtime.GOARCH)
	if err != nil {
		return err
	}
	prog := callFilter(arch)
	fp := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fp))); e != 0 {
		return fmt.Errorf("cannot filter system calls: %w", e)
	}
	return nil
}

func auditArch(goarch string) (uint32, error) {
	switch goarch {
	case "amd64":
		return unix.AUDIT_ARCH_X86_64, nil
	case "arm64":
		return unix.AUDIT_ARCH_AARCH64, nil
	case "arm":
		return unix.AUDIT_ARCH_ARM, nil
	case "386":
		return unix.AUDIT_ARCH_I386, nil
	}
	return 0, fmt.Errorf("cannot filter system calls: processor %s is unknown", goarch)
}

// callFilter is the program (seccomp(2)): allow, but for what is named.
func callFilter(arch uint32) []unix.SockFilter {
	const allow = uint32(unix.SECCOMP_RET_ALLOW)
	deny := func(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	// skip passes over the next n unless the loaded word is k.
	skip := func(k uint32, n uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: n, K: k}
	}
	ret := func(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }
	arg := func(n uint32) uint32 { return dataArgs + 8*n } // its lower half

	p := []unix.SockFilter{
		// Another processor's calls have other numbers: none of them.
		load(dataArch), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: arch}, ret(deny(unix.ENOSYS)),
		load(dataNumber),
	}
	if arch == unix.AUDIT_ARCH_X86_64 { // x32 calls are numbered from here on
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: 0x40000000}, ret(deny(unix.ENOSYS)))
	}
	for _, nr := range []uint32{unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL} {
		p = append(p, skip(nr, 1), ret(deny(unix.ENOSYS)))
	}
	return append(p,
		skip(unix.SYS_SETRLIMIT, 4),
		load(arg(0)), skip(unix.RLIMIT_CORE, 1), ret(deny(unix.EPERM)), ret(allow),
		skip(unix.SYS_PRLIMIT64, 7),
		load(arg(1)), skip(unix.RLIMIT_CORE, 5),
		load(arg(2)), skip(0, 2), // reading passes a null pointer
		load(arg(2)+4), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: 0},
		ret(deny(unix.EPERM)),
		ret(allow))
}
