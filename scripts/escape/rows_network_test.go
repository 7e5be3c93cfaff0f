package escape

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"borne/scripts/internet"
)

// reached says how an attempt on the canaries ended.
func (a *attempt) reached(before int, at ...string) string {
	return a.eventually(func() string {
		if n := a.canaries.count(at...); n > before {
			return fmt.Sprintf("%d arrived at %v", n-before, at)
		}
		return ""
	})
}

// pageNetworkRows send the browser itself where no session may go.
func pageNetworkRows() []row {
	typed := func(address, canary string, guards ...guard) row {
		return row{"network", "typed " + address, "a person types " + address, "something arrives at " + canary, guards, func(a *attempt) string {
			before := a.canaries.count(canary)
			a.open("")
			a.address(address)
			return a.reached(before, canary)
		}}
	}
	page := func(name, js, canary string, guards ...guard) row {
		return row{"network", "a page: " + name, "a page does: " + js, "something arrives at " + canary, guards, func(a *attempt) string {
			before := a.canaries.count(canary)
			a.openAt("http://clair.test/", `tell("done", () => `+js+`);`)
			return a.reached(before, canary)
		}}
	}
	const lan = lan10 + ":80"
	return []row{
		typed("http://"+lan10+"/", lan, firewall),
		typed("http://"+lan172+"/", lan172+":80", firewall),
		typed("https://"+lan192+"/", lan192+":443", firewall),
		typed("http://"+metadata+"/latest/meta-data/", metadata+":80", firewall),
		typed("http://"+shared+"/", shared+":80", firewall),
		typed("http://"+benchmark+"/", benchmark+":80", firewall),
		typed("http://[::ffff:"+lan10+"]/", lan, firewall),
		typed("http://174260229/", lan, firewall), // 10.99.0.5 as one number
		typed("http://lan.test/", lan, resolver, firewall),
		typed("http://nuage.test/", metadata+":80", resolver, firewall),
		typed("http://deux.test/", lan, resolver, firewall),
		typed("http://"+internet.Gateway+"/", internet.Gateway+":80", firewall),
		typed("http://piege.test:8080/", internet.Web+":8080", firewall),
		typed("http://127.0.0.1/", "127.0.0.1:80", policy, netns),
		typed("http://localhost/", "127.0.0.1:80", policy, netns),
		typed("http://2130706433/", "127.0.0.1:80", policy, netns),
		typed("http://0.0.0.0/", "127.0.0.1:80", policy, netns),
		typed("http://[::ffff:127.0.0.1]/", "127.0.0.1:80", policy, netns),
		typed("http://boucle.test/", "127.0.0.1:80", resolver, netns),
		page("fetch inside", `fetch("http://`+lan10+`/", {mode: "no-cors"})`, lan, policy, firewall),
		page("an image inside", `new Promise((a) => { new Image().src = "http://`+lan10+`/i.png"; a(); })`, lan, policy, firewall),
		page("a frame inside", `document.body.append(Object.assign(document.createElement("iframe"), {src: "http://`+lan10+`/"}))`, lan, policy, firewall),
		page("a form sent inside", `{ document.body.insertAdjacentHTML("beforeend", '<form method="post" action="http://`+lan10+`/"><input name="a"></form>'); document.forms[0].submit(); }`, lan, firewall),
		page("WebSocket inside", `new WebSocket("ws://`+lan10+`/")`, lan, policy, firewall),
		page("a name that leads inside", `fetch("http://lan.test/", {mode: "no-cors"})`, lan, policy, resolver, firewall),
		page("a name with two addresses", `fetch("http://deux.test:631/", {mode: "no-cors"})`, lan10+":631", policy, resolver, firewall),
		page("the machine's loopback by name", `fetch("http://boucle.test/", {mode: "no-cors"})`, "127.0.0.1:80", policy, resolver, netns),
		page("WebRTC", `(async () => { const p = new RTCPeerConnection({iceServers: [{urls: "stun:`+internet.Web+`:3478"}]}); p.createDataChannel("c"); await p.setLocalDescription(await p.createOffer()); })()`,
			"udp "+internet.Web+":3478", policy, firewall),
		{"network", "a link that redirects inside", "a link whose site redirects to the local network", "something arrives at " + lan, by(firewall), func(a *attempt) string {
			before := a.canaries.count(lan)
			a.open("")
			a.address("http://clair.test/to/" + lan10)
			return a.reached(before, lan)
		}},
	}
}

// processNetworkRows are what a taken-over browser could do: any program, as the
// session's user.
func processNetworkRows() []row {
	tcp := func(name, at string, guards ...guard) row {
		return row{"network", "a program: " + name, "a program of the session connects to " + at, "it is connected", guards, func(a *attempt) string {
			if out := a.inside("tcp", internet.Web+":80"); !strings.HasPrefix(out, "reached") {
				a.fail("the session's network is down: %s", out)
			}
			if out := a.inside("tcp", at); strings.HasPrefix(out, "reached") {
				return out
			}
			return ""
		}}
	}
	udp := func(name, at string) row {
		return row{"network", "a program: " + name, "a program of the session sends datagrams to " + at, "one arrives", by(firewall), func(a *attempt) string {
			before := a.canaries.count("udp " + at)
			a.inside("udp", at)
			return a.reached(before, "udp "+at)
		}}
	}
	return []row{
		tcp("the local network", lan10+":80", firewall),
		tcp("a printer of the place", lan10+":631", firewall),
		tcp("172.16.0.0/12", lan172+":80", firewall),
		tcp("192.168.0.0/16", lan192+":443", firewall),
		tcp("a cloud's metadata", metadata+":80", firewall),
		tcp("shared addresses", shared+":80", firewall),
		tcp("the machine's own address", internet.Gateway+":8443", firewall),
		tcp("ssh outside", internet.Web+":22", firewall),
		tcp("mail outside", internet.Web+":25", firewall),
		tcp("another port outside", internet.Web+":8080", firewall),
		udp("another resolver", internet.Web+":53"),
		udp("QUIC", internet.Web+":443"),
		udp("a resolver of the place", lan10+":53"),
		{"network", "a program: the machine's loopback", "a program of the session connects to a service of the machine's loopback", "it is connected", by(netns), func(a *attempt) string {
			if out := a.inside("tcp", a.canaries.local); strings.HasPrefix(out, "reached") {
				return out
			}
			return ""
		}},
		{"network", "a program: the shell's page", "a program of the session connects to the agent's port", "it is connected", by(netns), func(a *attempt) string {
			ports := a.listening(uidBase, uidBase)
			if len(ports) == 0 {
				a.fail("the agent listens nowhere")
			}
			for _, p := range ports {
				if out := a.inside("tcp", p.String()); strings.HasPrefix(out, "reached") {
					return p.String() + " " + out
				}
			}
			return ""
		}},
		{"network", "a program: the simulator's bench", "a program of the session connects to the bench", "it is connected", by(netns), func(a *attempt) string {
			u, err := url.Parse(a.stand.BenchURL)
			if err != nil {
				a.fail("%v", err)
			}
			if out := a.inside("tcp", u.Host); strings.HasPrefix(out, "reached") {
				return out
			}
			return ""
		}},
	}
}

// agentRows are what another user of the machine could try on the agent.
func agentRows() []row {
	const other = 65533
	// The bench is the simulator's, and everybody's on this machine.
	agents := func(a *attempt) []netip.AddrPort {
		ports := slices.DeleteFunc(a.listening(uidBase, uidBase), func(p netip.AddrPort) bool { return strings.HasSuffix(a.stand.BenchURL, "//"+p.String()) })
		if len(ports) == 0 {
			a.fail("the agent listens nowhere")
		}
		return ports
	}
	knock := func(name string, header ...string) row {
		return row{"other users", name, "another user of the machine asks for the shell's page " + name, "it is served", by(admission), func(a *attempt) string {
			for _, p := range agents(a) {
				args := []string{"http", p.String() + "/"}
				for _, h := range header {
					args = append(args, strings.ReplaceAll(h, "SELF", p.String()))
				}
				if out := a.outside(other, args...); strings.HasPrefix(out, "status 200") {
					return out
				}
			}
			return ""
		}}
	}
	return []row{
		knock("without a cookie"),
		knock("with a made-up cookie", "Cookie", "borne-shell=AAAAAAAAAAAAAAAAAAAAAAAAAA"),
		knock("by another name", "Host", "lan.test"),
		knock("from another site", "Origin", "https://piege.test", "Sec-Fetch-Site", "cross-site"),
		{"other users", "a debugging port", "another user of the machine looks for a browser's debugging port", "one answers", by(pipe), func(a *attempt) string {
			ports := a.listening(uidBase, uidBase+69)
			for _, p := range ports {
				if out := a.outside(other, "http", p.String()+"/json/version"); strings.Contains(out, "status 200") && strings.Contains(out, "webSocketDebuggerUrl") {
					return p.String() + " " + out
				}
			}
			return ""
		}},
		{"other users", "the shell's browser on the web", "the shell's user connects to a web server", "it is connected", by(fence), func(a *attempt) string {
			if out := a.outside(other, "tcp", internet.Web+":80"); !strings.HasPrefix(out, "reached") {
				a.fail("another user reaches the web no more than the shell: %s", out)
			}
			if out := a.outside(uidBase+1, "tcp", internet.Web+":80"); strings.HasPrefix(out, "reached") {
				return out
			}
			return ""
		}},
		{"other users", "the shell's display", "another user of the machine connects to the terminal's display", "it is let in", by(cookie), func(a *attempt) string {
			if out := a.outside(other, "x11", a.outerSocket(), a.outerCookie()); strings.Contains(out, "opened") {
				return out
			}
			return ""
		}},
		{"other users", "a session's file tree", "another user of the machine reads the session's home through /proc", "it is read", by(users), func(a *attempt) string {
			uid := other
			if a.without(users) {
				uid = 0
			}
			if out := a.outside(uid, "list", "/proc/"+strconv.Itoa(a.init)+"/root/home/session"); strings.HasPrefix(out, "listed") {
				return out
			}
			return ""
		}},
	}
}
