package warden

import (
	"os"
	"strings"
	"testing"
)

func TestUIDsOfOthersAreRefused(t *testing.T) {
	dir := t.TempDir()
	const base = "root:x:0:0:root:/root:/bin/bash\nborne-agent:x:61000:61000::/:/usr/sbin/nologin\n# a remark\nbroken:x\n"
	r := uidRange{61000, 61109}
	for _, c := range []struct{ name, passwd, subuid, want string }{
		{"nobody", "", "", ""},
		{"before", "marie:x:60999:60999::/home/marie:/bin/sh\n", "marie:60000:1000\n", ""},
		{"behind", "marie:x:61110:61110::/home/marie:/bin/sh\n", "marie:61110:65536\n", ""},
		{"first", "marie:x:61000:61000::/home/marie:/bin/sh\n", "", "marie"},
		{"last", "marie:x:61109:100::/home/marie:/bin/sh\n", "", "marie"},
		{"containers, from before", "", "luc:60000:1001\n", "luc"},
		{"containers, from within", "", "luc:61109:65536\n", "luc"},
		{"containers, around", "", "luc:1:4294967295\n", "luc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, os.WriteFile(dir+"/passwd", []byte(base+c.passwd), 0o600))
			must(t, os.WriteFile(dir+"/subuid", []byte(c.subuid), 0o600))
			err := checkAccounts(r, dir+"/passwd", dir+"/subuid")
			if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "uid_base")) {
				t.Errorf("error %v", err)
			}
		})
	}
	must(t, checkAccounts(r, dir+"/none", dir+"/none"))
}

// TestAStartSparesAnAccount: nothing is ended before the uids are known to be free.
func TestAStartSparesAnAccount(t *testing.T) {
	c := lightConfig(t, 13)
	c.passwd = c.Run + ".passwd"
	must(t, os.WriteFile(c.passwd, []byte("marie:x:302610:302610::/:/bin/sh\n"), 0o600))
	sleep := startAs(t, 302610)
	_, _, err := open(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "marie") {
		t.Fatalf("error %v", err)
	}
	if p, err := readProcess(sleep.Process.Pid); err != nil || p.zombie() {
		t.Errorf("her process is ended: %v", err)
	}
}

func TestSecondWardenOnTheSameUIDsIsRefused(t *testing.T) {
	c := lightConfig(t, 14)
	openTest(t, c)
	other := lightConfig(t, 14)
	other.UIDBase += uidCount - 1 // one is shared
	if _, _, err := open(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another terminal on this machine") {
		t.Errorf("error %v", err)
	}
	other.UIDBase++
	openTest(t, other)
}
