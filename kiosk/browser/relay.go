package browser

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxCommand bounds one message of lorca's.
	maxCommand = 1 << 20
	// joinDeadline is how long lorca has to connect.
	joinDeadline = 10 * time.Second
	relayPath    = "/devtools/browser/"
)

// relay lends lorca the shell's pipe: one WebSocket on loopback, behind a
// 128-bit path, for one client, after which the port is closed. Only what
// lorca needs passes; what pages say to the console, and whatever else Chromium
// reports, does not come through, since lorca would print it.
type relay struct {
	p      *Pipe
	target string // the shell's page: lorca takes the first page it hears of
	ln     net.Listener
	path   string
	srv    *http.Server
	sub    *Subscription
	once   sync.Once
	done   chan struct{}

	mu      sync.Mutex // guards conn's writer and what follows
	conn    *websocket.Conn
	session string
	open    map[int64]struct{} // lorca's calls into the page that wait for an answer
	closed  bool
}

func newRelay(p *Pipe, target string) (*relay, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot offer the shell's browser to lorca: %w", err)
	}
	secret := make([]byte, 16)
	rand.Read(secret)
	r := &relay{p: p, target: target, ln: ln, path: relayPath + hex.EncodeToString(secret), done: make(chan struct{}), open: map[int64]struct{}{},
		sub: p.Subscribe("Target.targetCreated", "Target.targetDestroyed", "Target.receivedMessageFromTarget")}
	r.srv = &http.Server{Handler: http.HandlerFunc(r.join), ReadHeaderTimeout: joinDeadline, MaxHeaderBytes: 8 << 10}
	go r.srv.Serve(ln)
	return r, nil
}

func (r *relay) address() string { return "ws://" + r.ln.Addr().String() + r.path }

// join admits the one client.
func (r *relay) join(w http.ResponseWriter, req *http.Request) {
	if subtle.ConstantTimeCompare([]byte(req.URL.Path), []byte(r.path)) != 1 || req.Host != r.ln.Addr().String() {
		http.NotFound(w, req)
		return
	}
	first := false
	r.once.Do(func() { first = true; r.ln.Close() })
	if !first {
		http.NotFound(w, req)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(req *http.Request) bool { return req.Header.Get("Origin") == "http://127.0.0.1" }}
	c, err := up.Upgrade(w, req, nil)
	if err != nil {
		r.close()
		return
	}
	c.SetReadLimit(maxCommand)
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		c.Close()
		return
	}
	r.conn = c
	r.mu.Unlock()
	go r.events()
	go r.commands(c)
}

// lorcaCall is a message of lorca's; the inner one has the same form.
type lorcaCall struct {
	ID     int64           `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// Messages that lorca 0.1.10 sends. Bind is not among them: a bound function
// is there for every page.
func browserCall(method string) bool {
	switch method {
	case "Target.setDiscoverTargets", "Target.attachToTarget", "Target.sendMessageToTarget":
		return true
	}
	return false
}

func pageCall(method string) bool {
	switch method {
	case "Page.enable", "Target.setAutoAttach", "Network.enable", "Runtime.enable", "Security.enable", "Performance.enable",
		"Log.enable", "Browser.getWindowForTarget", "Page.navigate", "Runtime.evaluate":
		return true
	}
	return false
}

func (r *relay) commands(c *websocket.Conn) {
	defer r.close()
	for {
		var m lorcaCall
		if err := c.ReadJSON(&m); err != nil {
			return
		}
		var result json.RawMessage
		err := errors.New("not allowed")
		if browserCall(m.Method) && r.noteCall(m) {
			ctx, cancel := context.WithTimeout(context.Background(), callDeadline)
			err = r.p.Call(ctx, "", m.Method, m.Params, &result)
			cancel()
		}
		if m.Method == "Target.attachToTarget" && err == nil {
			r.noteSession(result)
		}
		answer := map[string]any{"id": m.ID, "result": result}
		if err != nil {
			answer = map[string]any{"id": m.ID, "error": map[string]any{"code": -32000, "message": err.Error()}}
		}
		if r.send(answer) != nil {
			return
		}
	}
}

// noteCall remembers a call into the page, and says whether it may pass.
// A refused one is answered at once: lorca waits for ever otherwise.
func (r *relay) noteCall(m lorcaCall) bool {
	if m.Method != "Target.sendMessageToTarget" {
		return true
	}
	var v struct {
		Message string `json:"message"`
	}
	var inner lorcaCall
	if json.Unmarshal(m.Params, &v) != nil || json.Unmarshal([]byte(v.Message), &inner) != nil {
		return false
	}
	r.mu.Lock()
	r.open[inner.ID] = struct{}{}
	r.mu.Unlock()
	if !pageCall(inner.Method) {
		r.refuse(inner.ID, "not allowed")
		return false
	}
	return true
}

func (r *relay) noteSession(result json.RawMessage) {
	var v struct {
		SessionID string `json:"sessionId"`
	}
	if json.Unmarshal(result, &v) == nil {
		r.mu.Lock()
		r.session = v.SessionID
		r.mu.Unlock()
	}
}

// refuse answers one of lorca's open calls into the page.
func (r *relay) refuse(id int64, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuseLocked(id, why)
}

func (r *relay) refuseLocked(id int64, why string) {
	if _, waits := r.open[id]; !waits || r.conn == nil {
		return
	}
	delete(r.open, id)
	inner, _ := json.Marshal(map[string]any{"id": id, "error": map[string]any{"message": why}})
	r.sendLocked(map[string]any{"method": "Target.receivedMessageFromTarget",
		"params": map[string]any{"sessionId": r.session, "message": string(inner)}})
}

func (r *relay) events() {
	defer r.close()
	for e := range r.sub.C {
		switch e.Method {
		case "Target.receivedMessageFromTarget":
			if !r.pass(e) {
				continue
			}
		default:
			if !r.ours(e) {
				continue
			}
		}
		if r.send(map[string]any{"method": e.Method, "params": e.Params}) != nil {
			return
		}
	}
}

// ours tells the shell's page from the parts of its window.
func (r *relay) ours(e Event) bool {
	var v struct {
		TargetID   string `json:"targetId"`
		TargetInfo target `json:"targetInfo"`
	}
	return json.Unmarshal(e.Params, &v) == nil && (v.TargetID == r.target || v.TargetInfo.ID == r.target)
}

// pass lets answers to lorca's calls through, and nothing else of a page's.
func (r *relay) pass(e Event) bool {
	var v struct {
		SessionID string `json:"sessionId"`
		Message   string `json:"message"`
	}
	var inner lorcaCall
	if json.Unmarshal(e.Params, &v) != nil || json.Unmarshal([]byte(v.Message), &inner) != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, waits := r.open[inner.ID]; !waits || v.SessionID != r.session || inner.Method != "" {
		return false
	}
	delete(r.open, inner.ID)
	return true
}

func (r *relay) send(v any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sendLocked(v)
}

func (r *relay) sendLocked(v any) error {
	r.conn.SetWriteDeadline(time.Now().Add(writeDeadline))
	return r.conn.WriteJSON(v)
}

// close ends the loan. Every call that lorca still waits in is answered first:
// it has no deadlines of its own, and its goroutines would stay for ever.
func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	for id := range r.open {
		r.refuseLocked(id, "the shell's browser is gone")
	}
	r.sub.Close()
	r.ln.Close()
	r.srv.Close()
	if r.conn != nil {
		r.conn.Close()
	}
	close(r.done)
}
