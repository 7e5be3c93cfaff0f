package server

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"borne/controller/fetch"
	"borne/controller/store"
	"borne/controller/tell"
	"borne/controller/webhook"
)

// hooks are other systems that are told of what is to be seen to.
type hooks struct {
	core   *core
	post   *fetch.Fetcher
	sender *webhook.Sender
}

func newHooks(k *core) *hooks {
	h := &hooks{core: k, post: fetch.New(fetch.Config{Agent: "Borne/" + cmp.Or(k.version, "dev"), Proxy: k.cfg.Webhooks.Proxy, Decides: k.cfg.Webhooks.Decides, Private: k.cfg.Webhooks.Private, Roots: k.roots})}
	h.sender = &webhook.Sender{Store: k.st, Post: h.post, Key: h.key, Now: k.now, Log: k.log.With("room", "webhook")}
	return h
}

// Close lets go of the network.
func (h *hooks) Close() { h.post.Close() }

// key is what a hook's posts are signed with: the text that people copy, as bytes.
func (h *hooks) key(id string, turn int) []byte { return []byte(h.HookKey(id, turn)) }

// HookKey implements api.Hooks. It is derived, so that it lies in no row and no
// backup of rows.
func (h *hooks) HookKey(id string, turn int) string {
	m := hmac.New(sha256.New, h.core.keys.Pepper("webhook"))
	fmt.Fprintf(m, "%s/%d", id, turn)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// CheckHook implements api.Hooks.
func (h *hooks) CheckHook(address string) error { return h.post.Check(address) }

// TryHook implements api.Hooks.
func (h *hooks) TryHook(tx store.Tx, id string) error {
	return tell.Desk{Console: h.core.consoleURL(), Zone: h.core.zone}.Try(tx, id, h.core.now())
}
