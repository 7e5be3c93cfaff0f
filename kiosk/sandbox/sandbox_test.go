package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
)

func pair(t *testing.T) (*Conn, *Client) {
	t.Helper()
	conn, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); c.Close() })
	return conn, c
}

// TestEveryVerbTravels: a verb that the codec does not know reaches nobody.
func TestEveryVerbTravels(t *testing.T) {
	kind := reflect.TypeFor[Request]()
	for i := range kind.NumField() {
		f := kind.Field(i)
		if f.Type.Kind() != reflect.Pointer {
			continue
		}
		var r Request
		r.ID = 1
		reflect.ValueOf(&r).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		b, err := EncodeRequest(r)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		if got, err := DecodeRequest(b); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s arrives as %+v, %v", f.Name, got, err)
		}
	}
}

func TestRequestIsStrict(t *testing.T) {
	for name, in := range map[string]string{
		"no verb":       `{"id":1}`,
		"two verbs":     `{"id":1,"survey":{},"csr":{}}`,
		"unknown field": `{"id":1,"survey":{},"shell_command":"id"}`,
		"unknown inner": `{"id":1,"wipe":{"session":"a","path":"/etc"}}`,
		"trailing":      `{"id":1,"survey":{}}{}`,
		"event id":      `{"id":0,"survey":{}}`,
		"null verb":     `{"id":1,"survey":null}`,
		"too large":     `{"id":1,"survey":{}` + strings.Repeat(" ", MaxFrame) + `}`,
	} {
		if _, err := DecodeRequest([]byte(in)); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: error %v, want ErrFrame", name, err)
		}
	}
	if _, err := DecodeRequest([]byte(`{"id":1,"wipe":{"session":"a","attempt":1}}`)); err != nil {
		t.Error(err)
	}
}

func TestDoPassesFilesAndEvents(t *testing.T) {
	conn, c := pair(t)
	go func() {
		buf := make([]byte, MaxFrame+1)
		b, _, err := conn.Receive(buf)
		if err != nil {
			return
		}
		r, err := DecodeRequest(b)
		if err != nil {
			return
		}
		ev, _ := EncodeAnswer(Answer{Event: &Event{Kind: "sandbox-lost"}})
		conn.Send(ev)
		pr, pw, _ := os.Pipe()
		pw.WriteString("hello")
		pw.Close()
		a, _ := EncodeAnswer(Answer{ID: r.ID, Sandbox: &Info{Sandbox: "0"}})
		conn.Send(a, pr)
		pr.Close()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, files, err := c.Do(ctx, Request{Survey: &Survey{}})
	if err != nil || a.Sandbox == nil || len(files) != 1 {
		t.Fatalf("answer %+v, %d files, error %v", a, len(files), err)
	}
	b := make([]byte, 9)
	n, _ := files[0].Read(b)
	if string(b[:n]) != "hello" {
		t.Errorf("read %q", b[:n])
	}
	files[0].Close()
	select {
	case e := <-c.Events():
		if e.Kind != "sandbox-lost" {
			t.Errorf("event %+v", e)
		}
	case <-ctx.Done():
		t.Fatal("no event")
	}
}

func TestLargestFrameTravels(t *testing.T) {
	conn, c := pair(t)
	got := make(chan Request, 1)
	go func() {
		buf := make([]byte, MaxFrame+1)
		b, _, err := conn.Receive(buf)
		if err != nil {
			return
		}
		r, _ := DecodeRequest(b)
		a, _ := EncodeAnswer(Answer{ID: r.ID})
		conn.Send(a)
		got <- r
	}()
	want := Request{Prepare: &Prepare{Lang: "fr", Policy: wire.Envelope{Payload: bytes.Repeat([]byte{'x'}, 190<<10)}}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, _, err := c.Do(ctx, want); err != nil {
		t.Fatal(err)
	}
	want.ID = 1
	if r := <-got; !reflect.DeepEqual(r, want) {
		t.Error("the request changed on its way")
	}
}

func TestDeadlineAndLoss(t *testing.T) {
	conn, c := pair(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := c.Do(ctx, Request{CSR: &CSR{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	conn.Close()
	for range c.Events() { // closed when the warden is gone
	}
	if _, _, err := c.Do(context.Background(), Request{CSR: &CSR{}}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}

func TestSurplusFilesAreRefused(t *testing.T) {
	conn, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other, err := FromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	many := make([]*os.File, MaxFiles+1)
	for i := range many {
		many[i] = os.Stderr
	}
	if err := conn.Send([]byte("x"), many...); !errors.Is(err, ErrFrame) {
		t.Errorf("error %v, want ErrFrame", err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, s := range []string{`{"id":1,"survey":{}}`, `{"id":2,"prepare":{"profile":"open","window":1,"portal":"PGI+"}}`,
		`{"id":3,"sign":{"kind":"session","nonce":"AA==","at":"2026-01-02T03:04:05Z"}}`, `{"id":1,"a":{}}`, `[]`, ``, `{"id":-1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRequest(b)
		if err != nil {
			return
		}
		out, err := EncodeRequest(r)
		if err != nil {
			return // grew past the limit when escaped
		}
		again, err := DecodeRequest(out)
		if err != nil || again.ID != r.ID || again.verbs() != 1 {
			t.Fatalf("does not come back: %v", err)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range []string{`{"id":1}`, `{"event":{"kind":"shell-lost"}}`, `{"id":1,"error":"cannot"}`, `{}`, `{"id":1,"wiped":{"checks":[{"name":"x"}]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodeAnswer(b)
		if err == nil && (a.ID == 0) != (a.Event != nil) {
			t.Fatalf("accepted %+v", a)
		}
	})
}
