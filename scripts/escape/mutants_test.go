package escape

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"borne/scripts/internet"
)

// patch is a change to one source file of the terminal, made for a build of the
// test's own: the shipped program has no switch that opens anything.
type patch struct{ file, old, new string }

// mutant is a terminal without some of its guards.
type mutant struct {
	name    string
	removes []guard
	patches []patch
	spoil   func(h *hall) error // for what is taken away at work
}

// without the policy the browser keeps what it needs to reach the test's web
// and its own first page.
var noPolicy = patch{"kiosk/browser/policies.go", "\treturn encode(all)\n}\n\nfunc pick", `	for name := range all {
		if !strings.Contains(" CACertificates ProxySettings DownloadDirectory HomepageLocation HomepageIsNewTabPage NewTabPageLocation ShowHomeButton RestoreOnStartup DnsOverHttpsMode BuiltInDnsClientEnabled ", " "+name+" ") {
			delete(all, name)
		}
	}
	return encode(all)
}

func pick`}

var anyAnswer = patch{"kiosk/resolver/decide.go", "func (r *Resolver) mayLeadTo(a netip.Addr) bool {\n", "func (r *Resolver) mayLeadTo(a netip.Addr) bool {\n\tif a.IsValid() {\n\t\treturn true\n\t}\n"}

var noGrabs = patch{"kiosk/stage/keys.go", "for _, g := range shellGrabs() {", "for _, g := range shellGrabs()[:0] {"}

var noShellPolicy = patch{"kiosk/warden/shell.go", "json.Marshal(shellPolicy(origin))", "json.Marshal(map[string]any{\"HomepageIsNewTabPage\": shellPolicy(origin)[\"HomepageIsNewTabPage\"]})"}

// blind is an agent that does not see that a session's browser is gone.
var blind = patch{"kiosk/agent/boxes.go", "\t\tb.close(x)\n\t\tb.lost(x)\n", "\t\t_ = x\n"}

var stockKeys = patch{"kiosk/warden/programs.go", "func openboxConfig() []byte {\n", `func openboxConfig() []byte {
	if stock, err := os.ReadFile("/etc/xdg/openbox/rc.xml"); err == nil {
		return stock
	}
`}

func mutants() []mutant {
	const (
		session = "kiosk/browser/session.go"
		program = "kiosk/warden/programs.go"
	)
	lastTab := []patch{{session, "if last && s.ctx.Err() == nil {", "if last && s.html == nil {"}, {program, `"--keep-alive-for-test", `, ""}}
	forsaken := []patch{blind, {"kiosk/agent/agent.go", "case err = <-lost:", "case err = <-func() chan error { _ = lost; return nil }():"}}
	window := patch{"kiosk/browser/windows.go", "\t\t\ts.fillScreen(ctx)\n", "\t\t\t_ = ctx\n"}
	return []mutant{
		{name: "policy", removes: by(policy), patches: []patch{noPolicy}},
		{name: "keys", removes: by(keys), patches: []patch{stockKeys}},
		{name: "policy-keys", removes: by(policy, keys), patches: []patch{noPolicy, stockKeys}},
		{name: "switches", removes: by(switches), patches: []patch{{program, "\"--disable-blink-features=DocumentPictureInPictureAPI\",", ""}}},
		{name: "windows", removes: by(windowed, keys, switches), patches: []patch{window, stockKeys,
			{program, "\t\tfmt.Sprintf(\"--window-size=%d,%d\", width, height),\n\t\t\"--window-position=0,0\",\n", ""}}},
		{name: "tabs", removes: by(tabs), patches: lastTab},
		{name: "stage", removes: by(stacking), patches: []patch{{"kiosk/stage/stage.go", "s.root, 0, int16(s.bar), uint16(width)", "s.root, 0, int16(-s.bar), uint16(width)"}}},
		{name: "grabs", removes: by(grabs), patches: []patch{noGrabs}},
		{name: "grabs-policy", removes: by(grabs, shellPolicy), patches: []patch{noGrabs, noShellPolicy}},
		{name: "admission", removes: by(admission), patches: []patch{{"kiosk/shell/server.go", "if err := s.admit(w, r); err != nil {", "if err := s.admit(w, r); err != nil && s.ln == nil {"}}},
		{name: "pipe", removes: by(pipe), patches: []patch{{program, `"--remote-debugging-pipe",`, `"--remote-debugging-pipe", "--remote-debugging-port=9333",`}}},
		{name: "firewall", removes: by(firewall), spoil: noTables("borne_", "borne_shell_")},
		{name: "policy-firewall", removes: by(firewall, policy), patches: []patch{noPolicy}, spoil: noTables("borne_", "borne_shell_")},
		{name: "resolver-firewall", removes: by(resolver, firewall), patches: []patch{anyAnswer}, spoil: noTables("borne_", "borne_shell_")},
		{name: "policy-resolver-firewall", removes: by(resolver, firewall, policy), patches: []patch{noPolicy, anyAnswer}, spoil: noTables("borne_", "borne_shell_")},
		{name: "resolver-netns", removes: by(resolver, netns), patches: []patch{anyAnswer}, spoil: ownLoopback},
		{name: "policy-resolver-netns", removes: by(resolver, netns, policy), patches: []patch{noPolicy, anyAnswer}, spoil: ownLoopback},
		{name: "fence", removes: by(fence), spoil: noTables("borne_shell_", "")},
		{name: "netns", removes: by(netns), spoil: ownLoopback},
		{name: "policy-netns", removes: by(netns, policy), patches: []patch{noPolicy}, spoil: ownLoopback},
		{name: "mountns", removes: by(mountns), spoil: graft},
		{name: "mountns-users", removes: by(mountns, users)},
		{name: "mountns-cookie", removes: by(mountns, cookie)},
		{name: "mountns-pidns", removes: by(pidns, mountns)},
		{name: "pidns-users", removes: by(pidns, users)},
		{name: "pidns-users-limits", removes: by(pidns, users, limits)},
		{name: "users", removes: by(users)},
		{name: "ipcns", removes: by(ipcns)},
		{name: "cookie", removes: by(cookie)},
		{name: "noexec", removes: by(noexec), spoil: remount("/home", "exec")},
		{name: "limits", removes: by(limits)},
		{name: "sizes", removes: by(sizes), spoil: remount("/tmp", "size=1g")},
		{name: "policy-revival", removes: by(policy, revival), patches: []patch{noPolicy, blind}},
		{name: "revival", removes: by(revival), patches: forsaken},
		{name: "tabs-revival", removes: by(tabs, revival), patches: append(lastTab, forsaken...)},
	}
}

// noTables deletes the firewall's tables whose names begin so, but those that
// begin with except.
func noTables(prefix, except string) func(h *hall) error {
	return func(*hall) error {
		out, err := exec.Command("nft", "list", "tables", "inet").Output()
		if err != nil {
			return fmt.Errorf("cannot list the firewall's tables: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if len(f) == 3 && strings.HasPrefix(f[2], prefix) && (except == "" || !strings.HasPrefix(f[2], except)) {
				if out, err := exec.Command("nft", "delete", "table", "inet", f[2]).CombinedOutput(); err != nil {
					return fmt.Errorf("cannot delete table %s: %w: %s", f[2], err, out)
				}
			}
		}
		return nil
	}
}

// ownLoopback puts the machine's services where the session's loopback is.
func ownLoopback(h *hall) error { return h.canaries.inside(h.init, "127.0.0.1:80") }

// remount changes a mount of the session's.
func remount(path, option string) func(h *hall) error {
	return func(h *hall) error {
		out, err := exec.Command("nsenter", "-t", fmt.Sprint(h.init), "-m", "mount", "-n", "-o", "remount,"+option, path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("cannot remount %s: %w: %s", path, err, out)
		}
		return nil
	}
}

// graft shows the session a folder of the machine, as if there were one tree.
func graft(h *hall) error {
	dir := filepath.Join(os.TempDir(), "borne-canari")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(h.root(dir), 0o755); err != nil {
		return fmt.Errorf("cannot graft a folder: %w", err)
	}
	err := internet.Thread(func() error {
		tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(tree)
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", h.init))
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
			return err
		}
		return unix.MoveMount(tree, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
	})
	if err != nil {
		return fmt.Errorf("cannot graft a folder: %w", err)
	}
	return nil
}

// build makes the mutant's terminal, beside the shipped controller.
func (m mutant) build(t *testing.T, bin string) string {
	t.Helper()
	if len(m.patches) == 0 {
		return bin
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "borne-mutant-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	replaced := map[string]string{}
	for i, p := range m.patches {
		path := filepath.Join(root, p.file)
		from := path
		if replaced[path] != "" {
			from = replaced[path]
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), p.old) != 1 {
			t.Fatalf("%s has %q %d times: the guard has moved, mend the mutant %s", p.file, p.old, strings.Count(string(text), p.old), m.name)
		}
		to := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(p.file)))
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		replaced[path] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-o", filepath.Join(dir, "borne-kiosk"), "./kiosk")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the mutant %s: %v\n%s", m.name, err, out)
	}
	if err := os.Symlink(filepath.Join(bin, "borne-controller"), filepath.Join(dir, "borne-controller")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rows are those that the removed guards stop, no fewer and no others.
func (m mutant) rows() []row {
	return slices.DeleteFunc(table(), func(r row) bool {
		return len(r.guards) != len(m.removes) || slices.ContainsFunc(r.guards, func(g guard) bool { return !slices.Contains(m.removes, g) })
	})
}

// TestEachGuardIsNeeded takes the guards away in turn: every row that names
// them must then report an escape.
func TestEachGuardIsNeeded(t *testing.T) {
	wanted := os.Getenv("ESCAPE_MUTATION")
	if wanted == "" {
		t.Skip("SKIP: takes minutes; run make escape-mutation")
	}
	bin := binaries(t)
	for _, m := range mutants() {
		if wanted != "all" && wanted != m.name {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			if len(m.rows()) == 0 {
				t.Fatal("no row names these guards")
			}
			bin := m.build(t, bin)
			for _, rows := range apart(chosen(m.rows())) {
				t.Run(rows[0].category, func(t *testing.T) { m.mustFail(t, bin, rows) })
			}
		})
	}
}

// apart puts each row that leaves a terminal out of service, as it should when
// something lives on, into a group of its own: the next one needs a fresh terminal.
func apart(rows []row) (groups [][]row) {
	var together []row
	for _, r := range rows {
		if r.category == "survivors" {
			groups = append(groups, []row{r})
		} else {
			together = append(together, r)
		}
	}
	if len(together) > 0 {
		groups = append(groups, together)
	}
	return groups
}

// mustFail tries rows on a terminal of the mutant's.
func (m mutant) mustFail(t *testing.T, bin string, rows []row) {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Minute)
	defer cancel()
	h := newHall(t, ctx, bin, m.removes...)
	h.spoil = m.spoil
	var all []outcome
	for _, r := range rows {
		o := h.try(r)
		all = append(all, o)
		t.Logf("%s/%s: %s %s %v %s", r.category, r.name, o.verdict(), o.saw, o.err, o.took.Round(time.Millisecond))
		if o.verdict() != "ESCAPE" {
			h.picture(m.name + " " + r.name)
			t.Errorf("%s/%s: %s without %v: the row cannot fail (%v)", r.category, r.name, o.verdict(), m.removes, o.err)
		}
	}
	level := "(out of service)"
	if h.now() != "broken" {
		level = h.levels()
	}
	report(t, all, level)
}

// TestEveryRowCanFail: each row has a mutant that takes exactly its guards
// away, or proves itself in the run: what the wipe stops is found before it.
func TestEveryRowCanFail(t *testing.T) {
	rows := table()
	if len(rows) < 90 {
		t.Errorf("%d attempts, want 90 at least", len(rows))
	}
	covered, names := map[string]bool{}, map[string]bool{}
	for _, m := range mutants() {
		for _, r := range m.rows() {
			covered[r.category+"/"+r.name] = true
		}
	}
	for _, r := range rows {
		name := r.category + "/" + r.name
		if names[name] {
			t.Errorf("%s is there twice", name)
		}
		names[name] = true
		if r.try == "" || r.success == "" || len(r.guards) == 0 {
			t.Errorf("%s does not say what is tried, what counts and who stops it", name)
		}
		if !covered[name] && !slices.Equal(r.guards, by(wipe)) {
			t.Errorf("%s: no mutant takes %s away", name, r.stoppedBy())
		}
	}
}
