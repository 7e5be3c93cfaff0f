package warden

import "golang.org/x/sys/unix"

// sysSetresuid takes users of 32 bits: the call of that name here takes 16.
const sysSetresuid = unix.SYS_SETRESUID32
