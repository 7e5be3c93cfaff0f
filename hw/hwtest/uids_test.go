package hwtest

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
)

// The search for leaks must find what a careless line of code would log.
func TestFormsFindLeaks(t *testing.T) {
	for _, u := range [][]byte{{4, 0x95, 0x8C, 0xAA}, {4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}, {0xFF, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99}} {
		for _, how := range []func(*slog.Logger){
			func(l *slog.Logger) { l.Debug("card", "uid", u) },
			func(l *slog.Logger) { l.Debug("card", "uid", fmt.Sprintf("%x", u)) },
			func(l *slog.Logger) { l.Debug("card", "uid", fmt.Sprintf("%X", u)) },
			func(l *slog.Logger) { l.Debug("card", "uid", fmt.Sprintf("% X", u)) },
			func(l *slog.Logger) { l.Debug("card", "uid", fmt.Sprintf("%v", u)) },
			func(l *slog.Logger) { l.Debug("card", "uid", fmt.Sprintf("%#v", u)) },
		} {
			for _, h := range []func(*bytes.Buffer) slog.Handler{
				func(b *bytes.Buffer) slog.Handler {
					return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
				},
				func(b *bytes.Buffer) slog.Handler {
					return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
				},
			} {
				var out bytes.Buffer
				how(slog.New(h(&out)))
				found := false
				for _, form := range forms(u) {
					found = found || bytes.Contains(out.Bytes(), form)
				}
				if !found {
					t.Errorf("not found in %s", out.String())
				}
			}
		}
	}
}
