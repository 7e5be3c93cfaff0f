package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryOfTheTerminal(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  int
	}{
		"no control groups": {nil, 3906},
		"v1, limited above": {map[string]string{
			"proc/self/cgroup": "9:memory:/a/b\n0::/\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":         "1073741824\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes":       "9223372036854771712\n",
			"sys/fs/cgroup/memory/a/b/other/memory.limit_in_bytes": "1048576\n"}, 1024},
		"v2": {map[string]string{
			"proc/self/cgroup":                                    "0::/system.slice/borne.service\n",
			"sys/fs/cgroup/system.slice/memory.max":               "max\n",
			"sys/fs/cgroup/system.slice/borne.service/memory.max": "2147483648\n"}, 2048},
		"v2 without a limit": {map[string]string{
			"proc/self/cgroup":                      "0::/system.slice\n",
			"sys/fs/cgroup/system.slice/memory.max": "max\n"}, 3906},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put := func(path, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			put("proc/meminfo", "MemTotal:        4000000 kB\nMemFree:  1 kB\n")
			for path, text := range tc.files {
				put(path, text)
			}
			if got, err := memoryMB(root); err != nil || got != tc.want {
				t.Errorf("%d MB, %v; want %d", got, err, tc.want)
			}
		})
	}
	if _, err := memoryMB(t.TempDir()); err == nil {
		t.Error("a machine that tells nothing has memory")
	}
}
