package stand

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"time"
)

// Console is the console's API as somebody who is logged in calls it.
type Console struct {
	url  string
	http *http.Client
}

// Login uses a one-time link of the administrator's.
func (s *Stand) Login(ctx context.Context) (*Console, error) {
	link, err := s.LoginLink(ctx)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &Console{url: s.ConsoleURL, http: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
	_, token, _ := strings.Cut(link, "#login=")
	return c, c.Call(ctx, "POST", "/api/login/link", map[string]string{"token": token}, nil)
}

// Call sends body as JSON, unless it is nil, and reads the answer into out,
// unless it is nil. header holds names and values in turn.
func (c *Console) Call(ctx context.Context, method, path string, body, out any, header ...string) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("cannot call the console: %w", err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, in)
	if err != nil {
		return fmt.Errorf("cannot call the console: %w", err)
	}
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", c.url)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot call the console: %w", err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("cannot read the console's answer: %w", err)
	}
	if r.StatusCode >= 300 {
		return fmt.Errorf("cannot %s %s: %s: %s", method, path, r.Status, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("cannot read the console's answer to %s: %w", path, err)
	}
	return nil
}

// ChangePolicy changes a space's rules as a correspondant would: the sections
// named become the space's own.
func (c *Console) ChangePolicy(ctx context.Context, space string, change func(policy map[string]any), sections ...string) error {
	var v struct {
		Rev    uint64
		Own    []string
		Policy map[string]any
	}
	path := "/api/spaces/" + space + "/policy"
	if err := c.Call(ctx, "GET", path, nil, &v); err != nil {
		return err
	}
	change(v.Policy)
	own := slices.Compact(slices.Sorted(slices.Values(append(v.Own, sections...))))
	return c.Call(ctx, "PUT", path, map[string]any{"own": own, "policy": v.Policy, "atOnce": true}, nil, "If-Match", fmt.Sprintf("%q", fmt.Sprint(v.Rev)))
}
