package stand

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Gesture does something at the terminal, through its bench: path is
// "/sim/input" or "/sim/do". It may be lost: a terminal that was just killed has
// no bench.
func (s *Stand) Gesture(ctx context.Context, path string, gesture map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b, err := json.Marshal(gesture)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.BenchURL+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("X-Borne", "1")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if said, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10)); r.StatusCode >= 300 {
		return fmt.Errorf("%s: %s: %s", path, r.Status, said)
	}
	return nil
}

// Key presses a key of the terminal's, by the bench's names.
func (s *Stand) Key(ctx context.Context, key string) error {
	return s.Gesture(ctx, "/sim/input", map[string]any{"type": "key", "key": key})
}

// End presses « Terminer » in the bar, which asks once more at the same place.
func (s *Stand) End(ctx context.Context) error {
	for range 2 {
		if err := s.Gesture(ctx, "/sim/input", map[string]any{"type": "click", "x": 1180, "y": 36}); err != nil {
			return err
		}
	}
	return nil
}
