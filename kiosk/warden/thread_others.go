//go:build !arm

package warden

import "golang.org/x/sys/unix"

const sysSetresuid = unix.SYS_SETRESUID
