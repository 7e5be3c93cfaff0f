package warden

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestADeadInstancesFenceGoes: a fence of our shell's uid that another instance
// left behind goes; one of another uid stays.
func TestADeadInstancesFenceGoes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: nftables needs root")
	}
	w := openTest(t, lightConfig(t, 7))
	const uid = 61991
	left := func(tag string, uid int) {
		text := fmt.Sprintf("table inet %s {\n chain output {\n type filter hook output priority -10; policy accept;\n meta skuid %d reject\n }\n}\n", shellTable(tag), uid)
		_, err := nft(t.Context(), text, "-f", "-")
		must(t, err)
		t.Cleanup(func() { nft(context.Background(), "", "delete", "table", "inet", shellTable(tag)) })
	}
	left("dead01", uid)
	left("alive1", uid+1)
	must(t, w.fenceShell(t.Context(), uid, netip.MustParseAddrPort("127.0.0.1:9")))
	defer w.unfenceShell(context.Background())
	// Nobody else's packets are touched: a closed port still answers at once.
	d := net.Dialer{Timeout: 5 * time.Second}
	if _, err := d.Dial("tcp", "127.0.0.1:9"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port of this machine: %v, want a refusal", err)
	}
	list, err := nft(t.Context(), "", "list", "tables")
	must(t, err)
	for name, want := range map[string]bool{shellTable("dead01"): false, shellTable("alive1"): true, shellTable(w.c.tag()): true} {
		if got := strings.Contains(string(list), name); got != want {
			t.Errorf("table %s is there: %v, want %v", name, got, want)
		}
	}
}
