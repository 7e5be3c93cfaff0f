package cli

import (
	"os"
	"strings"
	"testing"

	"borne/controller/api"
)

// TestWhatACommandDoesTheConsoleDoes: a Département's team has a page for each command
// about people, sites and terminals. A new command fails here until its route and the
// console's call are named; nobody should need a command line for the daily work.
func TestWhatACommandDoesTheConsoleDoes(t *testing.T) {
	client, err := os.ReadFile("../../ui/console/src/api/client.ts")
	if err != nil {
		t.Fatal(err)
	}
	// A command, the route that does the same, and what the console calls.
	same := map[string][2]string{
		"user":            {"GET /api/accounts", "'/accounts"},
		"user link":       {"POST /api/accounts/{id}/link", "/accounts/${id(a)}/link"},
		"user disable":    {"PUT /api/accounts/{id}", "'PUT', `/accounts/${id(a)}`"},
		"site":            {"GET /api/sites", "get<T.SitesView>('/sites')"},
		"site add":        {"POST /api/sites", "'POST', '/sites'"},
		"site space":      {"POST /api/sites/{id}/spaces", "'POST', `/sites/${id(site)}/spaces`"},
		"terminal":        {"GET /api/fleet", "'/fleet'"},
		"terminal revoke": {"POST /api/terminals/{id}/revoke", "'POST', `/terminals/${id(t)}/revoke`"},
		"enrol-code":      {"POST /api/sites/{id}/enrol-codes", "'POST', `/sites/${id(site)}/enrol-codes`"},
	}
	routes := map[string]bool{}
	for _, acc := range api.Table() {
		routes[acc.Pattern()] = true
	}
	for _, c := range commands() {
		first, _, _ := strings.Cut(c.name, " ")
		if first != "user" && first != "site" && first != "terminal" && first != "enrol-code" {
			continue
		}
		want, ok := same[c.name]
		if !ok {
			t.Errorf("borne-controller %s: the console has nothing that does the same", c.name)
			continue
		}
		delete(same, c.name)
		if !routes[want[0]] {
			t.Errorf("borne-controller %s: there is no route %s", c.name, want[0])
		}
		if !strings.Contains(string(client), want[1]) {
			t.Errorf("borne-controller %s: the console does not call %s", c.name, want[1])
		}
	}
	for name := range same {
		t.Errorf("borne-controller %s is no command", name)
	}
}
