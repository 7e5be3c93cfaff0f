package session_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// TestSmile: somebody says once how it went, on the thanks screen and nowhere else,
// and what is sent of it tells neither the session nor the hour.
func TestSmile(t *testing.T) {
	w := active(t)
	id := w.state.Run.ID
	smiles := func() (all []wire.Record) {
		for _, r := range w.kept {
			if r.Kind == wire.KindSmile {
				all = append(all, r)
			}
		}
		return all
	}
	w.send(Acted{Do: SmileGood}, 0)
	w.send(Acted{Do: End}, 0)
	w.drive()
	w.want(t, Thanks)
	if n := len(smiles()); n != 0 || w.state.Live.Summary.Smile != AskSmile {
		t.Fatalf("%d smileys within the session; asked: %q", n, w.state.Live.Summary.Smile)
	}
	w.send(Acted{Do: SmileBad}, 0)
	w.send(Acted{Do: SmileGood}, 0)
	all := smiles()
	if len(all) != 1 || w.state.Live.Summary.Smile != AskDone {
		t.Fatalf("%d smileys, then %q", len(all), w.state.Live.Summary.Smile)
	}
	var m wire.Smile
	if err := json.Unmarshal(all[0].Body, &m); err != nil || m.How != wire.SmileBad {
		t.Errorf("%s: %v", all[0].Body, err)
	}
	if at := all[0].At; at.Hour() != 12 || at.Sub(at.Truncate(time.Hour)) != 0 || bytes.Contains(all[0].Body, []byte(id)) {
		t.Errorf("it tells when or whose it was: %+v", all[0])
	}
	w.send(Acted{Do: Again}, 0)
	w.send(Acted{Do: SmileGood}, 0)
	if n := len(smiles()); n != 1 {
		t.Errorf("%d smileys after the thanks screen", n)
	}
}

// TestNobodyIsAskedWhoIsNotThere: after « Je viens d’arriver » somebody else is.
func TestNobodyIsAskedWhoIsNotThere(t *testing.T) {
	w := active(t)
	w.send(Acted{Do: Arrived}, 0)
	w.drive()
	w.want(t, Thanks)
	w.send(Acted{Do: SmileGood}, 0)
	for _, r := range w.kept {
		if r.Kind == wire.KindSmile {
			t.Error("who has just arrived told how it went for the one before")
		}
	}
}
