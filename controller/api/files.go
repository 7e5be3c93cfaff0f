package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// files serves the console: one page whose paths the page itself reads, and
// assets whose names change with their content.
type files struct {
	bytes map[string][]byte
	etags map[string]string
}

// newFiles reads the whole console once: it is embedded and small, and its
// validators are then right by construction (an embedded file has no date).
func newFiles(fsys fs.FS) (*files, error) {
	f := &files{bytes: map[string][]byte{}, etags: map[string]string{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		f.bytes[name], f.etags[name] = b, `"`+hex.EncodeToString(sum[:12])+`"`
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the console's files: %w", err)
	}
	return f, nil
}

const index = "index.html"

func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "api" || strings.HasPrefix(name, "api/") {
		writeProblem(w, errNotFound())
		return
	}
	b, ok := f.bytes[name]
	if !ok {
		// A path of the page itself; what looks like a file is one that is missing.
		if path.Ext(name) != "" {
			writeProblem(w, errNotFound())
			return
		}
		name = index
		if b, ok = f.bytes[name]; !ok {
			writeProblem(w, newProblem(http.StatusServiceUnavailable, "La console n’est pas construite dans ce programme : lancez « make build »."))
			return
		}
	}
	h := w.Header()
	h.Set("ETag", f.etags[name])
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache") // kept, and asked about each time
	}
	if listed(r.Header.Values("If-None-Match"), opaque(f.etags[name])) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType(name))
	h.Set("Content-Length", fmt.Sprint(len(b)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the client may be gone
	}
}

// contentType does not ask the machine's own table for what matters here.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".json", ".webmanifest":
		return "application/json"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
