package warden

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
)

// rules is what one sandbox may reach. Every value is parsed: the text for nft
// is made of these alone.
type rules struct {
	table    string
	link     linkNet
	resolver netip.Addr // the designated DNS server, which the sandbox's own resolver asks
	asker    int        // uid of that resolver
	proxies  []netip.AddrPort
	private  []netip.Prefix
	names    names
}

// closed lists the ranges that a sandbox does not reach unless policy names
// them: this machine, the local network, shared and link-local addresses (the
// metadata services of clouds are there), benchmarks, multicast and reserved.
// Source: IANA IPv4 Special-Purpose Address Registry.
func closed() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func joined(list []netip.Prefix) string {
	var b strings.Builder
	for i, p := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// nowhere lists the ranges that no request opens: this machine, link-local
// addresses (clouds give their secrets there) and what is no host's address.
func nowhere() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3")}
}

// opensNowhere tells whether p has an address of those ranges.
func opensNowhere(p netip.Prefix) bool {
	return slices.ContainsFunc(nowhere(), p.Overlaps)
}

// text returns the table: deny by default, in both directions.
func (r rules) text() string {
	var b strings.Builder
	p := func(f string, a ...any) { fmt.Fprintf(&b, f+"\n", a...) }
	never := joined(closed())
	p("table inet %s {", r.table)
	p("  chain input {")
	p("    type filter hook input priority -10; policy accept;")
	p("    iifname != %q return", r.link.host)
	p("    ip saddr %s ip daddr %s meta l4proto { tcp, udp } th dport 53 accept", r.link.ip, r.link.gw)
	p("    meta l4proto tcp reject with tcp reset")
	p("    drop")
	p("  }")
	p("  chain forward {")
	p("    type filter hook forward priority -10; policy accept;")
	p("    iifname %q jump leaving", r.link.host)
	p("    oifname %q ct state established,related accept", r.link.host)
	p("    oifname %q drop", r.link.host)
	p("  }")
	p("  chain leaving {")
	p("    ip saddr != %s drop", r.link.ip)
	p("    meta nfproto ipv6 drop")
	for _, x := range r.proxies {
		p("    ip daddr %s tcp dport %d accept", x.Addr(), x.Port())
	}
	for _, x := range r.private {
		p("    ip daddr %s tcp dport { 80, 443 } accept", x)
	}
	p("    ip daddr { %s } meta l4proto tcp reject with tcp reset", never)
	p("    ip daddr { %s } drop", never)
	p("    tcp dport { 80, 443 } accept")
	p("    meta l4proto tcp reject with tcp reset")
	p("    reject with icmpx admin-prohibited")
	p("  }")
	// The resolver lives in the machine's network: it asks one server, and
	// answers one sandbox. Each rule names the uid: the kernel's own packets
	// have none.
	p("  chain output {")
	p("    type filter hook output priority -10; policy accept;")
	p("    meta skuid %d ip daddr %s meta l4proto { tcp, udp } th dport 53 accept", r.asker, r.resolver)
	p("    meta skuid %d oifname %q ip daddr %s meta l4proto { tcp, udp } th sport 53 accept", r.asker, r.link.host, r.link.ip)
	p("    meta skuid %d reject", r.asker)
	p("  }")
	p("  chain post {")
	p("    type nat hook postrouting priority 100; policy accept;")
	p("    ip saddr %s oifname != %q masquerade", r.link.ip, r.link.host)
	p("  }")
	p("}")
	return b.String()
}

// load turns forwarding on and applies r. The switch is held until the table is
// there, which tells other wardens that it is needed.
func (r rules) load(ctx context.Context) error {
	unlock, err := lockForwarding()
	if err != nil {
		return err
	}
	defer unlock()
	if err := forwarding(ctx); err != nil {
		return err
	}
	return r.apply(ctx)
}

// apply loads the table and reads it back.
func (r rules) apply(ctx context.Context) error {
	// Declared, deleted and defined in one transaction: there is no moment
	// without rules, and no leftover of an earlier table of that name.
	text := fmt.Sprintf("table inet %s\ndelete table inet %s\n%s", r.table, r.table, r.text())
	if _, err := nft(ctx, text, "-f", "-"); err != nil {
		return fmt.Errorf("cannot load the firewall's rules: %w", err)
	}
	return r.verify(ctx)
}

// verify reads the table back from the kernel: both hooks are there, with the
// number of rules that text has.
func (r rules) verify(ctx context.Context) error {
	out, err := nft(ctx, "", "-j", "list", "table", "inet", r.table)
	if err != nil {
		return fmt.Errorf("cannot read the firewall's rules back: %w", err)
	}
	var l struct {
		Nftables []struct {
			Chain *struct{ Name, Hook, Type string }
			Rule  *struct{ Chain string }
		}
	}
	if err := json.Unmarshal(out, &l); err != nil {
		return fmt.Errorf("cannot read the firewall's rules back: %w", err)
	}
	hooks, count := map[string]string{}, map[string]int{}
	for _, e := range l.Nftables {
		if e.Chain != nil {
			hooks[e.Chain.Name] = e.Chain.Hook
		}
		if e.Rule != nil {
			count[e.Rule.Chain]++
		}
	}
	want := map[string]int{"input": 4, "forward": 3, "leaving": 7 + len(r.private) + len(r.proxies), "output": 3, "post": 1}
	for chain, n := range want {
		if count[chain] != n {
			return fmt.Errorf("cannot trust the firewall: chain %s has %d rules, want %d", chain, count[chain], n)
		}
	}
	if hooks["input"] != "input" || hooks["forward"] != "forward" || hooks["output"] != "output" || hooks["post"] != "postrouting" {
		return fmt.Errorf("cannot trust the firewall: hooks are %v", hooks)
	}
	return nil
}

// remove deletes the table.
func (r rules) remove(ctx context.Context) error {
	// Declared first: deleting one that is gone is then no error.
	if _, err := nft(ctx, fmt.Sprintf("table inet %s\ndelete table inet %s\n", r.table, r.table), "-f", "-"); err != nil {
		return fmt.Errorf("cannot delete firewall table %s: %w", r.table, err)
	}
	return nil
}

func nft(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, nftPath(), args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}
	cmd.Stdin = strings.NewReader(stdin)
	var errText bytes.Buffer
	cmd.Stderr = &errText
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("nft: %w: %.300s", err, strings.TrimSpace(errText.String()))
	}
	return out, nil
}

func nftPath() string {
	for _, p := range []string{"/usr/sbin/nft", "/sbin/nft"} {
		if exists(p) {
			return p
		}
	}
	return "/usr/sbin/nft" // and the error names it
}

// inetTables lists the machine's tables of family inet.
func inetTables(ctx context.Context) ([]string, error) {
	out, err := nft(ctx, "", "-j", "list", "tables")
	if err != nil {
		return nil, fmt.Errorf("cannot list firewall tables: %w", err)
	}
	var l struct {
		Nftables []struct {
			Table *struct{ Family, Name string }
		}
	}
	if err := json.Unmarshal(out, &l); err != nil {
		return nil, fmt.Errorf("cannot list firewall tables: %w", err)
	}
	var names []string
	for _, e := range l.Nftables {
		if e.Table != nil && e.Table.Family == "inet" {
			names = append(names, e.Table.Name)
		}
	}
	return names, nil
}

// tables lists this instance's tables that exist.
func tables(ctx context.Context, tag string) ([]string, error) {
	all, err := inetTables(ctx)
	return slices.DeleteFunc(all, func(n string) bool { return !strings.HasPrefix(n, tablePrefix(tag)) }), err
}

func tablePrefix(tag string) string { return "borne_" + tag + "_" }

// sweepTables deletes every table of this instance but theirs.
func (l beside) sweepTables(ctx context.Context, tag string) error {
	ours, err := tables(ctx, tag)
	if err != nil {
		return err
	}
	for _, t := range ours {
		if l.table(t) {
			continue
		}
		if err := (rules{table: t}).remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fenceShell lets the shell's browser, which lives in the machine's own
// network, reach its page and nothing else. Each rule names the uid: the
// kernel's own packets, a reset to a closed port among them, have none.
func (w *warden) fenceShell(ctx context.Context, uid int, origin netip.AddrPort) error {
	name := shellTable(w.c.tag())
	if err := dropFences(ctx, uid); err != nil {
		return err
	}
	text := fmt.Sprintf(`table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
  chain output {
    type filter hook output priority -10; policy accept;
    meta skuid %[2]d ip daddr %[3]s tcp dport %[4]d accept
    meta skuid %[2]d ct state established accept
    meta skuid %[2]d reject
  }
}
`, name, uid, origin.Addr(), origin.Port())
	if _, err := nft(ctx, text, "-f", "-"); err != nil {
		return fmt.Errorf("cannot fence the shell's browser: %w", err)
	}
	return nil
}

// dropFences removes every fence of this uid, whichever instance left it: one
// that died with another state folder would hold the shell from its own page.
func dropFences(ctx context.Context, uid int) error {
	list, err := nft(ctx, "", "list", "tables", "inet")
	if err != nil {
		return fmt.Errorf("cannot list the fences of the shell's browser: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		if len(f) != 3 || !strings.HasPrefix(f[2], shellTable("")) {
			continue
		}
		text, err := nft(ctx, "", "list", "table", "inet", f[2])
		if err != nil || !strings.Contains(string(text), fmt.Sprintf("meta skuid %d reject", uid)) {
			continue // gone meanwhile, or somebody else's
		}
		if err := (rules{table: f[2]}).remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

func shellTable(tag string) string { return "borne_shell_" + tag }

// unfenceShell removes the shell's table; one that is gone is no error.
func (w *warden) unfenceShell(ctx context.Context) error {
	return rules{table: shellTable(w.c.tag())}.remove(ctx)
}
