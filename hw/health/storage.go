package health

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	point    string
	readOnly bool // here
	superRO  bool // for everybody: what the kernel does to a file system with errors
}

// parseMounts reads mountinfo; lines that make no sense are skipped.
func parseMounts(s string) (out []mount) {
	for line := range strings.Lines(s) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if dash < 6 || len(f) < dash+4 {
			continue
		}
		out = append(out, mount{point: unescape(f[4]), readOnly: has(f[5], "ro"), superRO: stopped(f[dash+3])})
	}
	return out
}

// stopped says whether a file system takes no writes. Since Linux 6.15 an ext4
// with errors stays rw and says emergency_ro; one that was shut down says so.
func stopped(super string) bool {
	return has(super, "ro") || has(super, "emergency_ro") || has(super, "shutdown")
}

func has(options, o string) bool { return slices.Contains(strings.Split(options, ","), o) }

// unescape undoes \040 and the like.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// holds says whether folder is below a mount point.
func holds(point, folder string) bool {
	return point == "/" || folder == point || strings.HasPrefix(folder, point+"/")
}

// writable lists the mount points that fstab(5) wants writable.
func writable(fstab string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(fstab) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") || !strings.HasPrefix(f[1], "/") || has(f[3], "ro") {
			continue
		}
		out[unescape(f[1])] = true
	}
	return out
}

// mounts looks at the file system that holds the state, and at those that
// fstab wants writable.
func mounts(t tree, state string) (out []reading) {
	info, err := t.read("proc/self/mountinfo", maxMounts)
	if err != nil {
		return []reading{unread(ReadOnly, everything)}
	}
	fstab, _ := t.read("etc/fstab", maxFstab) // none is fine
	want := writable(fstab)
	top := map[string]mount{} // by point: the last one covers those before
	home := ""
	for _, m := range parseMounts(info) {
		top[m.point] = m
		if state != "" && holds(m.point, state) && len(m.point) >= len(home) {
			home = m.point
		}
	}
	if home != "" {
		out = append(out, boolean(key{ReadOnly, subject(state)}, top[home].readOnly || top[home].superRO, 0))
	}
	for p, m := range top {
		// The service may see a mount as read-only by its own unit's wish: only
		// what the file system itself is counts here.
		if want[p] && p != home && len(out) < maxEntries {
			out = append(out, boolean(key{ReadOnly, subject(p)}, m.superRO, 0))
		}
	}
	return out
}

// fsErrors reads what ext4 counted since the last repair, kept in the file
// system itself (Documentation/ABI/testing/sysfs-fs-ext4).
func fsErrors(t tree) (out []reading) {
	for _, d := range t.list("sys/fs/ext4", "") {
		name, attr := subject("ext4 "+d), "sys/fs/ext4/"+d+"/errors_count"
		if n, ok := t.number(attr); ok && n >= 0 {
			out = append(out, boolean(key{StorageErrors, name}, n > 0, n))
		} else if t.there(attr) {
			out = append(out, unread(StorageErrors, name))
		}
	}
	return out
}

// tolerance is how many errors a bus may count after the first look: a card is
// asked again, and nothing is lost. More are a contact or a card that goes.
const tolerance = 10

// diskErrors counts what disks and cards reported since the first look: what
// came before, at start, is how they are found out about.
type diskErrors struct{ first map[string]int64 }

func (e *diskErrors) look(t tree) (out []reading) {
	now, blind := map[string]int64{}, map[string]bool{}
	for _, d := range t.list("sys/block", "") {
		// SCSI and USB: Documentation/ABI says nothing, drivers/scsi/scsi_sysfs.c does.
		if n, ok := t.number("sys/block/" + d + "/device/ioerr_cnt"); ok && n >= 0 {
			now[subject(d)] = n
		} else if t.there("sys/block/" + d + "/device/ioerr_cnt") {
			blind[subject(d)] = true
		}
	}
	// Only root sees debugfs.
	for _, host := range t.list("sys/kernel/debug", "mmc") {
		if s, err := t.read("sys/kernel/debug/"+host+"/err_stats", maxAttr); err == nil {
			now[subject(host)] = sumErrors(s)
		} else if t.there("sys/kernel/debug/" + host + "/err_stats") {
			blind[subject(host)] = true
		}
	}
	for d, n := range now {
		base, known := e.first[d]
		if !known || n < base { // new, or its driver started anew
			if e.first == nil {
				e.first = map[string]int64{}
			}
			e.first[d], base = n, n
		}
		out = append(out, boolean(key{StorageErrors, d}, n-base > tolerance, n-base))
	}
	for d := range blind {
		out = append(out, unread(StorageErrors, d))
	}
	for d := range e.first {
		if _, here := now[d]; !here && !blind[d] {
			delete(e.first, d)
		}
	}
	return out
}

// sumErrors adds up lines of the form "# Data CRC Errors Occurred:\t 3"
// (drivers/mmc/core/debugfs.c).
func sumErrors(s string) (sum int64) {
	for line := range strings.Lines(s) {
		_, v, ok := strings.Cut(line, ":")
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32); ok && err == nil && n > 0 {
			sum += n
		}
	}
	return sum
}

// wear reads what an eMMC says of itself (JEDEC JESD84-B51, 7.4: PRE_EOL_INFO
// and DEVICE_LIFE_TIME_EST; Documentation/driver-api/mmc/mmc-dev-attrs.rst).
// SD cards say nothing.
func wear(t tree) (out []reading) {
	for _, d := range t.list("sys/block", "mmcblk") {
		if strings.Contains(d, "boot") {
			continue
		}
		dev := path.Join("sys/block", d, "device")
		eol, known := t.number(dev + "/pre_eol_info") // 1: normal, 2: 80 % of the spare blocks are used, 3: 90 %
		if !known && t.there(dev+"/pre_eol_info") {
			out = append(out, unread(StorageWorn, subject(d)))
			continue
		}
		worst := int64(0)
		life, _ := t.word(dev + "/life_time") // two areas, each in tenths of its life; 11: more
		for _, f := range strings.Fields(life) {
			if n, err := strconv.ParseInt(f, 0, 16); err == nil && n > 0 {
				worst, known = max(worst, n), true
			}
		}
		if known && (eol > 0 || worst > 0) {
			out = append(out, boolean(key{StorageWorn, subject(d)}, eol >= 2 || worst >= 10, worst))
		}
	}
	return out
}
