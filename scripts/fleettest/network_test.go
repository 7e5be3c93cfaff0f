package fleettest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/attend"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/ui/catalogues"
)

// proxy is an HTTP proxy of a school's network. One that is silent takes
// connections, and never says a word.
type proxy struct {
	silent bool
	asked  atomic.Int32 // how often somebody connected
}

// dial connects a terminal to the proxy, whose other side is the terminal's network.
func (p *proxy) dial(ctx context.Context, x *terminal) (net.Conn, error) {
	p.asked.Add(1)
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		if p.silent {
			io.Copy(io.Discard, there)
			return
		}
		r := bufio.NewReader(there)
		req, err := http.ReadRequest(r)
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		up, err := x.net.Dial(context.Background(), "tcp", req.Host)
		if err != nil {
			fmt.Fprint(there, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		defer up.Close()
		fmt.Fprint(there, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			defer up.Close()
			io.Copy(up, r)
		}()
		io.Copy(there, up)
	}()
	return here, nil
}

const (
	silentProxy = "10.9.9.9:3128"
	goodProxy   = "10.9.9.8:3128"
)

// trialTime is how long a terminal tries a network, as it is by default.
const trialTime = 2 * time.Minute

// schooled is a terminal in a network with both proxies.
func (w *world) schooled(name string) (x *terminal, silent, good *proxy) {
	w.t.Helper()
	silent, good = &proxy{silent: true}, &proxy{}
	x = w.machine(name)
	x.proxies = map[string]*proxy{silentProxy: silent, goodProxy: good}
	must(w.t, x.enrol(w.console.code(w.site, w.space, name, "")))
	x.on()
	x.serves()
	return x, silent, good
}

// publish changes the site's rules, which keep their sections.
func (w *world) publish(atOnce bool, section string, change func(*policy.Policy)) {
	w.t.Helper()
	v := w.console.policy(w.site)
	change(&v.Policy)
	in := map[string]any{"own": append(v.Own, section), "policy": v.Policy, "atOnce": atOnce}
	if code := w.console.ask(http.MethodPut, "/api/sites/"+w.site+"/policy", in, nil, strconv.FormatUint(v.Rev, 10)); code != http.StatusOK {
		w.t.Fatalf("publish: %d", code)
	}
}

// proxied publishes rules whose proxy to the controller is the one given.
func (w *world) proxied(proxy string, atOnce bool) {
	w.t.Helper()
	w.publish(atOnce, "network", func(p *policy.Policy) { p.Network.Line.Proxy = "http://" + proxy })
}

// matters lists the codes of what is to be seen to.
func (w *world) matters() string {
	w.t.Helper()
	var v struct{ Matters []struct{ Code string } }
	w.console.call(http.MethodGet, "/api/matters", nil, &v)
	var all []string
	for _, m := range v.Matters {
		all = append(all, m.Code)
	}
	return strings.Join(all, " ")
}

// back waits until the controller has it that a terminal put its network back, and
// obeys the rest.
func (x *terminal) back(ok bool) {
	x.t.Helper()
	until(x.t, fmt.Sprintf("%s is online with the network before: %v", x.name, ok), func() bool {
		x.Tick(0)
		for _, a := range x.w.console.policy(x.w.site).Applied {
			if a.Terminal == x.id {
				return a.Applied == a.Wanted && a.Refused == "" && (a.Reverted != "") == ok && x.w.console.terminal(x.id).Online
			}
		}
		return false
	})
}

// TestANetworkOverWhichTheControllerIsLostGoesBack: a proxy that does not answer is
// published to a real terminal, which puts the network before back by itself, stays
// online, says so, and is not offered the same again.
func TestANetworkOverWhichTheControllerIsLostGoesBack(t *testing.T) {
	w := newWorld(t)
	x, silent, good := w.schooled("Poste 1")
	w.proxied(silentProxy, true)
	until(t, "the terminal tries it", func() bool { return silent.asked.Load() > 0 })
	began := x.Clock.Mono()
	x.Pass(trialTime - 5*time.Second)
	if x.w.console.terminal(x.id).Online {
		t.Error("it is online through a proxy that says nothing")
	}
	x.Pass(6 * time.Second)
	x.back(true)
	t.Logf("back with the network before after %s of trial; the proxy was asked %d times", x.Clock.Mono()-began, silent.asked.Load())
	until(t, "the console says so", func() bool { return w.matters() == attend.Network })
	m := store.Matter{Code: attend.Network}
	if say, fix := attend.Say(m, catalogues.French), attend.Fix(m, catalogues.French); !strings.Contains(say, "remis le réseau d’avant") || !strings.Contains(fix, "Corrigez") {
		t.Errorf("%q, %q", say, fix)
	}
	tried := silent.asked.Load()
	// Other rules are obeyed, whatever restarts.
	w.publish(true, "session", func(p *policy.Policy) { p.Session.Minutes = 25 })
	x.back(true)
	x.kill()
	w.ctl.kill()
	w.ctl.start()
	x.on()
	w.publish(true, "session", func(p *policy.Policy) { p.Session.Minutes = 26 })
	x.back(true)
	x.Pass(2 * trialTime)
	if n := silent.asked.Load(); n != tried {
		t.Errorf("the same was tried again, %d times", n-tried)
	}
	// One that answers is kept, and the matter is over.
	w.proxied(goodProxy, true)
	x.back(false)
	until(t, "the matter is over", func() bool { return w.matters() == "" })
	if good.asked.Load() == 0 {
		t.Error("it does not go through the proxy")
	}
	x.kill()
	before := good.asked.Load()
	x.on()
	x.serves()
	if good.asked.Load() == before {
		t.Error("after a cut it does not go through the proxy that was kept")
	}
}

// TestAPowerCutInATrial: after each cut the terminal starts with the network before,
// and after the second it does not try that one again.
func TestAPowerCutInATrial(t *testing.T) {
	w := newWorld(t)
	x, silent, _ := w.schooled("Poste 1")
	w.proxied(silentProxy, true)
	for range 2 {
		before := silent.asked.Load()
		until(t, "the terminal tries it", func() bool { return silent.asked.Load() > before })
		x.kill()
		x.on()
	}
	x.back(true)
	tried := silent.asked.Load()
	x.Pass(2 * trialTime)
	x.back(true)
	if n := silent.asked.Load(); n != tried {
		t.Errorf("the same was tried again, %d times", n-tried)
	}
	t.Logf("two cuts in the trial; the proxy was asked %d times in all", tried)
}

// TestALostNetworkStopsItsRollout: the first terminal puts it back, and no other
// ever gets it.
func TestALostNetworkStopsItsRollout(t *testing.T) {
	w := newWorld(t)
	var all []*terminal
	var silent []*proxy
	for i := range 3 {
		x, s, _ := w.schooled(fmt.Sprintf("Poste %d", i+1))
		all, silent = append(all, x), append(silent, s)
	}
	w.proxied(silentProxy, false)
	first := -1
	until(t, "one terminal tries it", func() bool {
		for i, s := range silent {
			if s.asked.Load() > 0 {
				first = i
			}
		}
		return first >= 0
	})
	all[first].Pass(trialTime + time.Second)
	began := time.Now()
	until(t, "the rollout has stopped", func() bool {
		r := w.console.policy(w.site).Rollout
		return r != nil && r.State == "stopped" && r.Why == "network" && r.Culprit == all[first].id && strings.Contains(r.Detail, "not reached")
	})
	t.Logf("stopped %s after the terminal had put it back", time.Since(began).Round(time.Second))
	for i, x := range all {
		x.back(false)
		if n := silent[i].asked.Load(); i != first && n > 0 {
			t.Errorf("%s tried it %d times", x.name, n)
		}
	}
	if p := w.console.policy(w.site).Policy.Network.Line.Proxy; p != "" {
		t.Errorf("the rules still say %q", p)
	}
}
