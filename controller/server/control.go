package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"borne/controller/lists"
)

// control serves the administrator's socket. Who may open it owns the machine
// or runs the controller: it lies in a folder of mode 0700 and is 0600 itself.
func (c *core) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
		var req Request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&req); err != nil {
			http.Error(w, "cannot read the request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(c.Do(r.Context(), req)); err != nil {
			c.log.Info("control reply not delivered", "op", req.Op, "error", err)
		}
	})
	mux.HandleFunc("POST /lists", func(w http.ResponseWriter, r *http.Request) {
		reply, err := c.importLists(r.Context(), http.MaxBytesReader(w, r.Body, lists.MaxArchive))
		if err != nil {
			reply = Reply{Error: err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(reply); err != nil {
			c.log.Info("control reply not delivered", "op", "lists", "error", err)
		}
	})
	mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-tar")
		w.Header().Set("Trailer", backupDone)
		err := c.backup(r.Context(), w)
		if err != nil {
			c.log.Error("backup failed", "error", err)
			w.Header().Set(backupDone, "no: "+strings.ReplaceAll(err.Error(), "\n", " "))
			return
		}
		w.Header().Set(backupDone, "yes")
	})
	mux.HandleFunc("GET /export/{what}", c.serveExport)
	return mux
}

// backupDone is the trailer that tells a whole backup from one that broke off.
const backupDone = "X-Borne-Complete"

// Call asks the controller that serves this state folder; ok is false when none
// does.
func Call(ctx context.Context, state string, req Request) (reply Reply, ok bool, err error) {
	b, err := json.Marshal(req)
	if err != nil {
		return Reply{}, false, fmt.Errorf("cannot ask the controller: %w", err)
	}
	res, ok, err := dial(ctx, state, http.MethodPost, "/do", strings.NewReader(string(b)))
	if !ok || err != nil {
		return Reply{}, ok, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&reply); err != nil {
		return Reply{}, true, fmt.Errorf("cannot read the controller's answer: %w", err)
	}
	return reply, true, nil
}

func dial(ctx context.Context, state, method, path string, body io.Reader) (*http.Response, bool, error) {
	conn, err := net.DialTimeout("unix", socketPath(state), 5*time.Second)
	if err != nil {
		return nil, false, nil // nobody serves
	}
	used := false
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		if used {
			return nil, errors.New("cannot ask twice over one connection")
		}
		used = true
		return conn, nil
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, body)
	if err != nil {
		conn.Close()
		return nil, true, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, true, fmt.Errorf("cannot ask the controller: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, true, fmt.Errorf("cannot ask the controller: it answers %s", res.Status)
	}
	return res, true, nil
}
