package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
)

const state = "/var/lib/borne-kiosk"

// board is a /sys, /proc and /etc of our own.
type board struct {
	t    *testing.T
	root string
}

func newBoard(t *testing.T, files map[string]string) board {
	b := board{t, t.TempDir()}
	for name, v := range files {
		b.put(name, v)
	}
	return b
}

func (b board) put(name, v string) {
	b.t.Helper()
	file := filepath.Join(b.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(v+"\n"), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b board) remove(name string) {
	b.t.Helper()
	if err := os.Remove(filepath.Join(b.root, name)); err != nil {
		b.t.Fatal(err)
	}
}

func (b board) removeAll(name string) {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.root, name)); err != nil {
		b.t.Fatal(err)
	}
}

func (b board) directory(name string) {
	b.t.Helper()
	if err := os.Mkdir(filepath.Join(b.root, name), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

// looks looks once and returns what changed, as text.
func (b board) looker() func() string {
	l, j := &looker{tree: tree{b.root}, state: state}, &judge{}
	return func() string { return text(j.step(l.look())) }
}

func text(all []Report) string {
	var out []string
	for _, r := range all {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s", r.Code, r.Subject))+fmt.Sprintf(" %v %d", r.State, r.Value))
	}
	return strings.Join(out, "; ")
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const (
	gpuVolt = "sys/class/hwmon/hwmon1/in0_lcrit_alarm"
	cpuTemp = "sys/class/thermal/thermal_zone0/temp"
)

// pi is a Raspberry Pi 4 with an eMMC, all well.
func pi(t *testing.T) board {
	return newBoard(t, map[string]string{
		"sys/class/hwmon/hwmon0/name":                       "cpu_thermal", // the zone again
		"sys/class/hwmon/hwmon0/temp1_input":                "48199",
		"sys/class/hwmon/hwmon1/name":                       "rpi_volt",
		gpuVolt:                                             "0",
		"sys/class/hwmon/hwmon2/name":                       "nvme",
		"sys/class/hwmon/hwmon2/temp1_input":                "40000",
		"sys/class/hwmon/hwmon2/temp1_crit":                 "74850",
		"sys/class/thermal/thermal_zone0/type":              "cpu-thermal",
		"sys/class/thermal/thermal_zone0/trip_point_0_type": "critical",
		"sys/class/thermal/thermal_zone0/trip_point_0_temp": "110000",
		cpuTemp:                                 "48199",
		"proc/meminfo":                          "MemTotal:        3884376 kB\nMemFree:          100000 kB\nMemAvailable:    1942188 kB",
		"proc/self/mountinfo":                   mountinfo("rw", "rw"),
		"etc/fstab":                             "proc /proc proc defaults 0 0\nPARTUUID=1-01 /boot/firmware vfat defaults 0 2\nPARTUUID=1-02 / ext4 defaults,noatime 0 1\n/dev/sda1 /srv ext4 ro 0 0",
		"sys/fs/ext4/mmcblk0p2/errors_count":    "0",
		"sys/fs/ext4/features/lazy_itable_init": "supported",
		"sys/block/mmcblk0/device/pre_eol_info": "0x01",
		"sys/block/mmcblk0/device/life_time":    "0x01 0x02",
		"sys/block/sda/device/ioerr_cnt":        "0x3",
		"sys/kernel/debug/mmc0/err_stats":       "# Command Timeout Occurred:\t 7\n# Data CRC Errors Occurred:\t 0",
	})
}

func mountinfo(root, super string) string {
	return "22 1 179:2 / / " + root + ",noatime shared:1 - ext4 /dev/mmcblk0p2 " + super + ",errors=remount-ro\n" +
		"30 22 179:1 / /boot/firmware rw,relatime - vfat /dev/mmcblk0p1 rw,fmask=0022,errors=remount-ro\n" +
		"31 22 8:1 / /srv ro - ext4 /dev/sda1 ro\n" +
		"nonsense"
}

const allWell = "memory-low off 500; power-low off 0; storage-errors ext4 mmcblk0p2 off 0; storage-errors mmc0 off 0; storage-errors sda off 0; " +
	"storage-read-only /boot/firmware off 0; storage-read-only /var/lib/borne-kiosk off 0; storage-worn mmcblk0 off 2; " +
	"too-hot cpu-thermal off 48199; too-hot nvme off 40000"

func TestEachAlarm(t *testing.T) {
	for _, c := range []struct {
		name, value, want string
	}{
		{gpuVolt, "1", "power-low on 0"},
		{cpuTemp, "80000", "too-hot cpu-thermal on 80000"},
		{cpuTemp, "79999", ""},
		{"sys/class/hwmon/hwmon2/temp1_input", "69850", "too-hot nvme on 69850"},
		{"proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 49 kB", "memory-low on 49"},
		{"proc/self/mountinfo", mountinfo("rw", "ro"), "storage-read-only /var/lib/borne-kiosk on 0"},
		{"proc/self/mountinfo", mountinfo("rw", "rw,emergency_ro"), "storage-read-only /var/lib/borne-kiosk on 0"},
		{"proc/self/mountinfo", mountinfo("ro", "rw"), "storage-read-only /var/lib/borne-kiosk on 0"},
		{"proc/self/mountinfo", strings.Replace(mountinfo("rw", "rw"), "rw,fmask", "ro,fmask", 1), "storage-read-only /boot/firmware on 0"},
		// A unit's own wish is not the file system's.
		{"proc/self/mountinfo", strings.Replace(mountinfo("rw", "rw"), "rw,relatime", "ro,relatime", 1), ""},
		{"sys/fs/ext4/mmcblk0p2/errors_count", "2", "storage-errors ext4 mmcblk0p2 on 2"},
		{"sys/block/mmcblk0/device/pre_eol_info", "0x02", "storage-worn mmcblk0 on 2"},
		{"sys/block/mmcblk0/device/life_time", "0x0b 0x02", "storage-worn mmcblk0 on 11"},
		{"sys/block/sda/device/ioerr_cnt", "0xd", ""}, // 10 more than at first
		{"sys/block/sda/device/ioerr_cnt", "0xe", "storage-errors sda on 11"},
		{"sys/kernel/debug/mmc0/err_stats", "# Command Timeout Occurred:\t 7\n# Data CRC Errors Occurred:\t 99", "storage-errors mmc0 on 99"},
		// What cannot be is not believed.
		{cpuTemp, "999999", "too-hot cpu-thermal unknown 0"},
		{cpuTemp, "", "too-hot cpu-thermal unknown 0"},
		{cpuTemp, "50000" + strings.Repeat(" ", 10<<10), "too-hot cpu-thermal unknown 0"},
		{gpuVolt, "on", "power-low unknown 0"},
		{"proc/meminfo", "MemTotal: 10 kB\nMemAvailable: 4900 kB", "memory-low unknown 0"},
	} {
		b := pi(t)
		look := b.looker()
		expect(t, look(), allWell)
		expect(t, look(), "") // no change, no report
		b.put(c.name, c.value)
		if got := look(); got != c.want {
			t.Errorf("%s = %.40q\ngot  %s\nwant %s", c.name, c.value, got, c.want)
		}
		expect(t, look(), "")
	}
}

func TestHeatHasHysteresis(t *testing.T) {
	b := pi(t)
	look := b.looker()
	look()
	for _, c := range []struct{ v, want string }{
		{"79000", ""}, {"81000", "too-hot cpu-thermal on 81000"}, {"79000", ""}, {"85000", ""}, {"75000", ""},
		{"74999", "too-hot cpu-thermal off 74999"}, {"79999", ""}, {"80000", "too-hot cpu-thermal on 80000"},
	} {
		b.put(cpuTemp, c.v)
		if got := look(); got != c.want {
			t.Errorf("at %s: %q, want %q", c.v, got, c.want)
		}
	}
	b.remove(cpuTemp)
	expect(t, look(), "too-hot cpu-thermal unknown 0")
	expect(t, look(), "")
	b.put(cpuTemp, "60000")
	expect(t, look(), "too-hot cpu-thermal off 60000")
}

func TestVoltageThatFlickersIsOneAlarm(t *testing.T) {
	b := pi(t)
	look := b.looker()
	look()
	var news []string
	for i := range 40 {
		b.put(gpuVolt, map[bool]string{true: "1", false: "0"}[i < 20 && i%5 == 0])
		if s := look(); s != "" {
			news = append(news, fmt.Sprint(i, " ", s))
		}
	}
	// Seen low last at 15; well for seven looks since.
	if want := []string{"0 power-low on 0", "22 power-low off 0"}; !slices.Equal(news, want) {
		t.Errorf("%q", news)
	}
}

func TestErrorsAreCounted(t *testing.T) {
	b := pi(t)
	look := b.looker()
	look()
	for _, c := range []struct{ v, want string }{{"1", "storage-errors ext4 mmcblk0p2 on 1"}, {"1", ""}, {"4", "storage-errors ext4 mmcblk0p2 on 4"}, {"0", "storage-errors ext4 mmcblk0p2 off 0"}} {
		b.put("sys/fs/ext4/mmcblk0p2/errors_count", c.v)
		if got := look(); got != c.want {
			t.Errorf("%s: %q, want %q", c.v, got, c.want)
		}
	}
	// A disk that is plugged out and in counts from where it is.
	b.removeAll("sys/block/sda")
	expect(t, look(), "")
	b.put("sys/block/sda/device/ioerr_cnt", "0x40")
	expect(t, look(), "storage-errors sda off 0")
}

// What goes with its device ends its alarm, and is told once; what is still there
// and cannot be read is not known.
func TestGoneIsNotUnread(t *testing.T) {
	for _, c := range []struct {
		file, bad, raised, subject string
		device                     string // what goes with it
	}{
		{"sys/block/sda/device/ioerr_cnt", "0xff", "storage-errors sda on 252", "storage-errors sda", "sys/block/sda"},
		{"sys/fs/ext4/mmcblk0p2/errors_count", "7", "storage-errors ext4 mmcblk0p2 on 7", "storage-errors ext4 mmcblk0p2", "sys/fs/ext4/mmcblk0p2"},
		{"sys/kernel/debug/mmc0/err_stats", "# Data CRC Errors Occurred:\t 99", "storage-errors mmc0 on 92", "storage-errors mmc0", "sys/kernel/debug/mmc0"},
		{"sys/block/mmcblk0/device/pre_eol_info", "0x03", "storage-worn mmcblk0 on 2", "storage-worn mmcblk0", "sys/block/mmcblk0"},
		{"sys/class/hwmon/hwmon2/temp1_input", "74000", "too-hot nvme on 74000", "too-hot nvme", "sys/class/hwmon/hwmon2"},
		{gpuVolt, "1", "power-low on 0", "power-low", "sys/class/hwmon/hwmon1"},
		{cpuTemp, "90000", "too-hot cpu-thermal on 90000", "too-hot cpu-thermal", "sys/class/thermal/thermal_zone0"},
	} {
		b := pi(t)
		look := b.looker()
		look()
		b.put(c.file, c.bad)
		expect(t, look(), c.raised)
		b.remove(c.file)
		b.directory(c.file) // EISDIR: it is there, and says nothing
		expect(t, look(), c.subject+" unknown 0")
		expect(t, look(), "")
		b.removeAll(c.file)
		b.put(c.file, c.bad)
		if got := look(); !strings.HasPrefix(got, c.subject+" on ") {
			t.Errorf("%s: readable again: %q", c.subject, got)
		}
		b.removeAll(c.device)
		if c.file == cpuTemp {
			b.removeAll("sys/class/hwmon/hwmon0") // the zone again
		}
		expect(t, look(), c.subject+" off 0")
		expect(t, look(), "")
	}
}

// A folder or a table that cannot be read does not say that all in it is gone.
func TestUnreadFolderIsNotGone(t *testing.T) {
	b := pi(t)
	look := b.looker()
	look()
	b.put("sys/block/sda/device/ioerr_cnt", "0xff")
	b.put("proc/self/mountinfo", mountinfo("rw", "ro"))
	b.put("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 49 kB")
	look()
	for _, name := range []string{"sys/block", "proc/self/mountinfo", "proc/meminfo"} {
		b.removeAll(name)
		if err := os.Symlink(filepath.Base(name), filepath.Join(b.root, name)); err != nil { // to itself: ELOOP
			t.Fatal(err)
		}
	}
	expect(t, look(), "memory-low unknown 0; "+
		"storage-errors sda unknown 0; storage-read-only /boot/firmware unknown 0; storage-read-only /var/lib/borne-kiosk unknown 0; storage-worn mmcblk0 unknown 0")
	expect(t, look(), "")
}

func TestNothingThere(t *testing.T) {
	b := newBoard(t, nil)
	expect(t, b.looker()(), "") // a virtual machine without sensors is not ill
}

func TestNamesOfTheKernelAreLimited(t *testing.T) {
	b := newBoard(t, map[string]string{"sys/class/thermal/thermal_zone0/type": "a\x1b[2J" + strings.Repeat("é", 100), cpuTemp: "20000"})
	for i := range 200 {
		b.put(fmt.Sprintf("sys/class/thermal/thermal_zone%d/type", i+1), "same")
		b.put(fmt.Sprintf("sys/class/thermal/thermal_zone%d/temp", i+1), "20000")
	}
	got := (&judge{}).step((&looker{tree: tree{b.root}, state: state}).look())
	if len(got) != maxEntries {
		t.Errorf("%d reports", len(got))
	}
	for _, r := range got {
		if !regexp.MustCompile(`^[ -~]{1,64}$`).MatchString(r.Subject) {
			t.Errorf("subject %q", r.Subject)
		}
	}
}

// Whatever is read, a report is news, and an alarm that was raised ends only
// after it has been well for long enough.
func TestJudgeReportsChangesOnly(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var j judge
		last := map[key]Report{}
		well := map[key]int{}
		for range 200 {
			var look []reading
			gone := map[key]bool{}
			for _, k := range []key{{TooHot, "a"}, {TooHot, "b"}, {PowerLow, ""}} {
				switch rnd.IntN(20) {
				case 0: // gone: its alarm is over
					gone[k], well[k] = true, 0
					continue
				case 1:
					look = append(look, unread(k.code, k.subject))
					well[k] = 0
					continue
				}
				r := reading{key: k, calm: 3, raise: rnd.IntN(6) == 0}
				r.clear = !r.raise && rnd.IntN(3) > 0
				if well[k]++; !r.clear {
					well[k] = 0
				}
				look = append(look, r)
			}
			for _, r := range j.step(look) {
				k := key{r.Code, r.Subject}
				if before, known := last[k]; known && before.State == r.State {
					t.Fatalf("seed %d: %v told twice", seed, r)
				} else if before.State == hw.On && r.State == hw.Off && well[k] < 4 && !gone[k] {
					t.Fatalf("seed %d: well for %d looks only", seed, well[k])
				}
				last[k] = r
			}
			for k := range gone {
				if before, known := last[k]; known && before.State != hw.Off {
					t.Fatalf("seed %d: %v is gone, and its alarm is %v", seed, k, before.State)
				}
				delete(last, k)
			}
			for _, r := range look {
				if r.raise && last[r.key].State != hw.On {
					t.Fatalf("seed %d: %v is not raised", seed, r.key)
				}
			}
		}
	}
}

func TestWatch(t *testing.T) {
	b := pi(t)
	synctest.Test(t, func(t *testing.T) {
		ch, err := Watch(t.Context(), Options{Root: b.root, State: state})
		if err != nil {
			t.Fatal(err)
		}
		var got []Report
		for range strings.Count(allWell, ";") + 2 {
			got = append(got, <-ch)
		}
		expect(t, text(got), strings.Replace(allWell, "storage", "sensors-stuck off 0; storage", 1))
		began := time.Now()
		b.put(cpuTemp, "90000")
		expect(t, text([]Report{<-ch}), "too-hot cpu-thermal on 90000")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("after %v", took)
		}
		// Nobody receives while it cools, heats and cools: the newest is told, once.
		for _, v := range []string{"20000", "95000", "30000", "20000"} {
			b.put(cpuTemp, v)
			time.Sleep(11 * time.Second)
		}
		expect(t, text([]Report{<-ch}), "too-hot cpu-thermal off 30000")
		select {
		case r := <-ch:
			t.Errorf("and then %v", r)
		case <-time.After(time.Minute):
		}
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	b := pi(t)
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine stays
		ctx, cancel := context.WithCancel(t.Context())
		ch, err := Watch(ctx, Options{Root: b.root, State: state})
		if err != nil {
			t.Fatal(err)
		}
		<-ch
		cancel()
		for range ch {
		}
	})
}

// A sensor that hangs in the kernel: opening a pipe without a writer does.
func TestASensorThatHangs(t *testing.T) {
	b := pi(t)
	b.remove(cpuTemp)
	pipe := filepath.Join(b.root, cpuTemp)
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ch, err := Watch(t.Context(), Options{Root: b.root, State: state, Stuck: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	limit := time.After(20 * time.Second)
	next := func() Report {
		t.Helper()
		select {
		case r := <-ch:
			return r
		case <-limit:
			t.Fatal("nothing is reported")
			return Report{}
		}
	}
	expect(t, text([]Report{next()}), "sensors-stuck on 0")
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("50000\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var got []Report
	for range strings.Count(allWell, ";") + 2 {
		got = append(got, next())
	}
	if s := text(got); !strings.Contains(s, "sensors-stuck off 0") || !strings.Contains(s, "too-hot cpu-thermal off 50000") {
		t.Errorf("%s", s)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{}, {State: "relative"}, {State: "/x", Every: time.Millisecond}, {State: "/x", Every: 2 * time.Hour}} {
		if _, err := Watch(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestEachCodeHasAFix(t *testing.T) {
	for _, c := range Codes() {
		if c.Fix() == "" || !regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`).MatchString(string(c)) {
			t.Errorf("code %q", c)
		}
	}
}
