package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"sync"

	"borne/controller/policy"
	"borne/controller/server"
	"borne/controller/wire"
)

// console is a person at the console's API, logged in by a one-time link.
type console struct {
	ctl *controller

	mu     sync.Mutex
	srv    *server.Server // that the person is logged in to
	client *http.Client
}

// login goes the way of a person, once for each life of the controller.
func (c *console) login() (*server.Server, *http.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	srv := c.ctl.server()
	if srv == c.srv {
		return c.srv, c.client
	}
	r := srv.Do(context.Background(), server.Request{Op: server.OpLink})
	url, token, ok := strings.Cut(strings.Split(r.Text, "\n")[0], "/#login=")
	if !ok {
		c.ctl.t.Fatalf("login link: %+v", r)
	}
	jar, err := cookiejar.New(nil)
	must(c.ctl.t, err)
	client := &http.Client{Jar: jar, Timeout: soon}
	if code, body := send(c.ctl, client, http.MethodPost, url+"/api/login/link", map[string]string{"token": token}, ""); code != http.StatusOK {
		c.ctl.t.Fatalf("login: %d %s", code, body)
	}
	c.srv, c.client = srv, client
	return srv, client
}

func send(c *controller, client *http.Client, method, url string, in any, match string) (int, []byte) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		must(c.t, err)
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, url, body)
	must(c.t, err)
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	req.Header.Set("Content-Type", "application/json")
	if match != "" {
		req.Header.Set("If-Match", strconv.Quote(match)) // an entity tag (RFC 9110 §8.8.3)
	}
	res, err := client.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(c.t, err)
	return res.StatusCode, b
}

// ask calls the API and returns the status.
func (c *console) ask(method, path string, in, out any, match string) int {
	c.ctl.t.Helper()
	srv, client := c.login()
	code, b := send(c.ctl, client, method, srv.ConsoleURL()+path, in, match)
	if out != nil && code < 300 {
		if err := json.Unmarshal(b, out); err != nil {
			c.ctl.t.Fatalf("%s %s: %s: %v", method, path, b, err)
		}
	}
	if code >= 300 {
		c.ctl.t.Logf("%s %s: %d %s", method, path, code, b)
	}
	return code
}

// call is ask for what must work.
func (c *console) call(method, path string, in, out any) {
	c.ctl.t.Helper()
	if code := c.ask(method, path, in, out, ""); code >= 300 {
		c.ctl.t.Fatalf("%s %s answers %d", method, path, code)
	}
}

func (c *console) site(name string) (id string) {
	c.ctl.t.Helper()
	var out struct{ ID string }
	c.call(http.MethodPost, "/api/sites", map[string]string{"name": name, "kind": "college", "commune": "Annecy"}, &out)
	return out.ID
}

func (c *console) space(site, name string) (id string) {
	c.ctl.t.Helper()
	var out struct{ ID string }
	c.call(http.MethodPost, "/api/sites/"+site+"/spaces", map[string]string{"name": name}, &out)
	return out.ID
}

// code makes an installation code, for a new terminal or in the place of one.
func (c *console) code(site, space, name, replace string) string {
	c.ctl.t.Helper()
	var out struct{ Code string }
	c.call(http.MethodPost, "/api/sites/"+site+"/enrol-codes", map[string]string{"space": space, "name": name, "replace": replace}, &out)
	return out.Code
}

// command returns the command's id, or the status of a refusal.
func (c *console) command(terminal string, kind wire.CommandKind, text string) (id string, refused int) {
	c.ctl.t.Helper()
	var out struct{ ID string }
	code := c.ask(http.MethodPost, "/api/terminals/"+terminal+"/commands", map[string]string{"kind": string(kind), "text": text}, &out, "")
	if code >= 300 {
		return "", code
	}
	return out.ID, 0
}

type policyView struct {
	Rev     uint64
	Policy  policy.Policy
	Own     []string
	Applied []struct {
		Terminal        string
		Wanted, Applied uint64
		Refused         string
		Reverted        string
	}
	Rollout *struct{ State, Why, Culprit, Detail string }
}

func (c *console) policy(site string) (v policyView) {
	c.ctl.t.Helper()
	c.call(http.MethodGet, "/api/sites/"+site+"/policy", nil, &v)
	return v
}

// rule changes a site's policy.
func (c *console) rule(site string, change func(*policy.Policy)) {
	c.ctl.t.Helper()
	v := c.policy(site)
	change(&v.Policy)
	in := map[string]any{"own": []string{"access", "energy", "hours", "permits", "session", "team"}, "policy": v.Policy, "atOnce": true}
	if code := c.ask(http.MethodPut, "/api/sites/"+site+"/policy", in, nil, strconv.FormatUint(v.Rev, 10)); code != http.StatusOK {
		c.ctl.t.Fatalf("policy of %s: %d", site, code)
	}
}

// brief is how the console shows a terminal.
type brief struct {
	ID, Name, State, Reason string
	Online                  bool
	Printer                 *struct{ Troubles []string }
}

func (c *console) terminal(id string) brief {
	c.ctl.t.Helper()
	var fleet struct {
		Sites []struct{ Spaces []struct{ Terminals []brief } }
	}
	c.call(http.MethodGet, "/api/fleet", nil, &fleet)
	for _, s := range fleet.Sites {
		for _, p := range s.Spaces {
			for _, t := range p.Terminals {
				if t.ID == id {
					return t
				}
			}
		}
	}
	c.ctl.t.Fatalf("the console does not show %s", id)
	return brief{}
}
