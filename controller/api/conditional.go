package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// untagged names the reads whose answers have no ETag, each with its reason. Every
// other GET has one and knows If-None-Match: nothing is to be done for it.
func untagged() map[string]string {
	return map[string]string{
		opLive:         "a stream does not end, so that nothing is known of its whole",
		opHealth:       "whoever watches asks for now",
		opOIDCReturn:   "it sends the browser elsewhere: there is nothing to keep",
		opLogoutReturn: "it sends the browser elsewhere: there is nothing to keep",
		opConsoleFiles: "the files have tags of their own, made when the console starts (files.go)",
	}
}

// conditional gives every successful answer of a GET its ETag, and answers 304 to
// whoever has it already (RFC 9110 sections 8.8.3 and 13.1.2). The tag is a digest of
// the answer: two people who may see different things have different tags, and
// nobody has to remember to change one. Where a handler names the revision of what
// can be changed, the tag begins with it: that part is what If-Match compares. Who
// may read is asked before, each time.
func conditional(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k := &kept{ResponseWriter: w}
		next(k, r)
		if k.status != http.StatusOK && k.status != 0 {
			w.WriteHeader(k.status)
			_, _ = w.Write(k.body.Bytes()) // the client may be gone
			return
		}
		h := w.Header()
		sum := sha256.Sum256(k.body.Bytes())
		digest := hex.EncodeToString(sum[:12])
		if rev := opaque(h.Get("ETag")); rev != "" {
			digest = rev + "." + digest
		}
		h.Set("ETag", `"`+digest+`"`)
		if listed(r.Header.Values("If-None-Match"), digest) {
			h.Del("Content-Type")
			h.Del("Content-Disposition")
			h.Del("Content-Length")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(k.body.Bytes())
	}
}

// kept holds an answer back until it is whole. Answers are made in memory anyway:
// lists have pages, and files bounds.
type kept struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }

// Unwrap lets the deadlines of the connection be set.
func (k *kept) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// listed tells whether a field of If-None-Match has a tag, by the weak comparison
// (RFC 9110 section 8.8.3.2): a proxy that compresses makes strong tags weak.
func listed(fields []string, tag string) bool {
	for rest := strings.Join(fields, ","); ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "*" {
			return true
		}
		rest = strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return false // its end, or no list of tags
		}
		one, after, ok := strings.Cut(rest[1:], `"`)
		if !ok {
			return false
		}
		if one == tag {
			return true
		}
		rest = after
	}
}

// opaque is what stands between the quotes of one tag; empty for whatever is none.
func opaque(tag string) string {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.Contains(tag[1:len(tag)-1], `"`) {
		return ""
	}
	return tag[1 : len(tag)-1]
}
