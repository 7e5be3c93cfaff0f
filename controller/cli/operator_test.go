package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"borne/controller/cli"
)

// TestOperatorsPage runs each borne-controller command that the operator's page shows,
// in the page's order, with folders of the test's own for those that it names.
func TestOperatorsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/fr/exploitation.md")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	dir := filepath.Dir(s.config)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recipients := fmt.Sprintf("[backup]\nrecipients = [%q]\n", key.Recipient())
	write(s.config, string(base)+recipients)
	write(filepath.Join(dir, "essai.toml"), strings.Replace(string(base), filepath.Join(dir, "s"), filepath.Join(dir, "essai"), 1)+recipients)
	write(filepath.Join(dir, "borne.key"), key.String()+"\n")
	site, n := "", 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for _, line := range strings.Split(block[1], "\n") {
			_, command, ok := strings.Cut(line, "borne-controller borne-controller ")
			if !ok {
				if !strings.HasPrefix(line, "borne-controller config") {
					continue // systemd's and the shell's own
				}
				command = "config"
			}
			command = strings.NewReplacer("/srv/sauvegardes/", dir+"/", "/media/cle/", dir+"/", "/etc/borne/", dir+"/", "/srv/", dir+"/", "IDENTIFIANT", site).Replace(command)
			var args []string
			for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(command, -1) {
				args = append(args, strings.Trim(w, `"`))
			}
			if !strings.Contains(command, "-config") && args[0] != "config" {
				args = append(args, "-config", s.config)
			}
			code, out, stderr := run(args...)
			if code != cli.ExitOK {
				t.Errorf("%s: %d\n%s%s", line, code, out, stderr)
			}
			if strings.HasPrefix(command, "site add") {
				site = strings.TrimSpace(out)
			}
			n++
		}
	}
	if n < 22 {
		t.Errorf("only %d commands were run", n)
	}
	t.Logf("%d commands of the page were run", n)
}
