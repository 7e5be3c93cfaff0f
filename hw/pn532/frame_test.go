package pn532

import (
	"bytes"
	"errors"
	"testing"
)

func TestBuildIsParsed(t *testing.T) {
	for _, size := range []int{0, 1, 100, maxChunk} {
		var b [maxFrame]byte
		n, err := build(b[:], cmdInDataExchange, make([]byte, size+1))
		if err != nil {
			t.Fatal(err)
		}
		b[5] = fromChip // and its checksum with it
		b[n-2]--
		k, data, err := parse(b[:n])
		if err != nil || k != kindInfo || len(data) != size+2 || data[0] != cmdInDataExchange {
			t.Fatalf("%d bytes: kind %d, %d bytes back, error %v", size, k, len(data), err)
		}
	}
	var b [maxFrame]byte
	if _, err := build(b[:], cmdInDataExchange, make([]byte, maxChunk+2)); err == nil {
		t.Fatal("a command that is too long was built")
	}
}

// UM0701-02's own frames: ACK, NACK, error (6.2.1), GetFirmwareVersion's answer.
func TestParseKnownFrames(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		kind kind
		data string
	}{
		{[]byte{0, 0, 0xFF, 0, 0xFF, 0}, kindACK, ""},
		{[]byte{0, 0, 0xFF, 0xFF, 0, 0}, kindNACK, ""},
		{[]byte{0, 0, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0}, kindError, ""},
		{[]byte{0, 0, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0}, kindInfo, "\x03\x32\x01\x06\x07"},
		{[]byte{0, 0, 0xFF, 0xFF, 0xFF, 0x00, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0}, kindInfo, "\x03\x32\x01\x06\x07"},
		{[]byte{0, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8}, kindInfo, "\x03\x32\x01\x06\x07"},
	} {
		k, data, err := parse(c.b)
		if err != nil || k != c.kind || string(data) != c.data {
			t.Errorf("% X: kind %d, data % X, error %v", c.b, k, data, err)
		}
		for i := range c.b[:len(c.b)-1] { // the last byte is the postamble or a checksum
			if _, d, err := parse(c.b[:i]); err == nil && k != kindACK && k != kindNACK && !(i == len(c.b)-1) && string(d) != c.data {
				t.Errorf("% X, cut after %d bytes, gives % X", c.b, i, d)
			}
		}
	}
	for _, b := range [][]byte{
		{0, 0, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE9, 0}, // DCS
		{0, 0, 0xFF, 0x06, 0xFB, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0}, // LCS
		{0, 0, 0xFF, 0x06, 0xFA, 0xD4, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE9, 0}, // the host's own
		{0, 0, 0xFF, 0x01, 0xFF, 0xD5, 0x2B, 0},                               // no command
		{0, 0, 0xFF, 0xFF, 0xFF, 0x40, 0x00, 0xC0, 0xD5, 0x03},                // 16 KiB
	} {
		if _, _, err := parse(b); !errors.Is(err, errChip) {
			t.Errorf("% X passed: %v", b, err)
		}
	}
}

// FuzzParse: what passes has its checksums right and lies within what came.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0, 0, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0})
	f.Add([]byte{0, 0, 0xFF, 0xFF, 0xFF, 0x00, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0})
	f.Add(ackFrame())
	f.Add([]byte{0, 0, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if skip, n := span(b); skip < 0 || n < 0 || skip+n > len(b) {
			t.Fatalf("span is %d, %d of %d", skip, n, len(b))
		}
		k, data, err := parse(b)
		if err != nil || k != kindInfo {
			if len(data) != 0 {
				t.Fatal("data beside an error")
			}
			return
		}
		sum := byte(fromChip)
		for _, x := range data {
			sum += x
		}
		if len(data) < 1 || len(data) >= maxData || !bytes.Contains(b, append([]byte{fromChip}, append(bytes.Clone(data), -sum)...)) {
			t.Fatalf("%d bytes that did not come so", len(data))
		}
	})
}

func TestTargetsAreStrict(t *testing.T) {
	uid4, uid7 := []byte{1, 0x00, 0x04, 0x08, 4, 9, 8, 7, 6}, []byte{2, 0x00, 0x44, 0x08, 7, 4, 1, 2, 3, 4, 5, 6}
	list := func(n byte, parts ...[]byte) []byte { return append([]byte{n}, bytes.Join(parts, nil)...) }
	var got [2]target
	if n, err := parseTargets(list(2, uid4, uid7), 2, false, &got); err != nil || n != 2 || got[0].n != 4 || got[1].n != 7 || got[0].odd || got[1].odd {
		t.Fatalf("%d cards, error %v: %+v", n, err, got)
	}
	if n, err := parseTargets([]byte{0}, 2, false, &got); err != nil || n != 0 {
		t.Fatalf("nobody is %d, %v", n, err)
	}
	dep := []byte{1, 0x03, 0x44, 0x20, 7, 4, 1, 2, 3, 4, 5, 6, 6, 0x77, 0x77, 0x71, 2, 0x80}
	if n, err := parseTargets(list(1, dep), 1, true, &got); err != nil || n != 1 || !got[0].ats {
		t.Fatalf("one with an ATS is %d, %v", n, err)
	}
	with := func(i int, v byte) []byte {
		b := bytes.Clone(uid4)
		b[i] = v
		return b
	}
	for name, c := range map[string]struct {
		b     []byte
		limit int
		rats  bool
	}{
		"nothing":            {nil, 2, false},
		"three":              {list(3, uid4, uid7, uid7), 2, false},
		"more than asked":    {list(2, uid4, uid7), 1, false},
		"cut":                {list(1, uid4[:8]), 2, false},
		"too long":           {list(1, uid4, []byte{0}), 2, false},
		"5 bytes":            {list(1, with(4, 5), []byte{5}), 2, false},
		"3 bytes":            {list(1, with(4, 3)[:8]), 2, false},
		"0 bytes":            {list(1, with(4, 0)[:5]), 2, false},
		"incomplete":         {list(1, with(3, 0x04)), 2, false},
		"cascade tag":        {list(1, with(5, 0x88)), 2, false},
		"number 2 alone":     {list(1, uid7), 2, false},
		"ATS nobody wanted":  {list(1, dep), 1, false},
		"no ATS":             {list(1, dep[:12]), 1, true},
		"ATS of 0":           {list(1, dep[:12], []byte{0}), 1, true},
		"ATS longer than it": {list(1, dep[:12], []byte{5, 1}), 1, true},
	} {
		if n, err := parseTargets(c.b, c.limit, c.rats, &got); n != 0 || !errors.Is(err, errCard) || got != [2]target{} {
			t.Errorf("%s: %d cards, error %v", name, n, err)
		}
	}
	if n, err := parseTargets(list(1, with(2, 0x44)), 2, false, &got); err != nil || n != 1 || !got[0].odd {
		t.Errorf("an ATQA of another size: %d cards, odd %v, error %v", n, got[0].odd, err)
	}
}

// FuzzTargets: whatever passes has only lengths that UIDs have.
func FuzzTargets(f *testing.F) {
	f.Add([]byte{2, 1, 0, 4, 8, 4, 9, 8, 7, 6, 2, 0, 0x44, 8, 7, 4, 1, 2, 3, 4, 5, 6}, 2, false)
	f.Add([]byte{1, 1, 3, 0x44, 0x20, 7, 4, 1, 2, 3, 4, 5, 6, 6, 0x77, 0x77, 0x71, 2, 0x80}, 1, true)
	f.Fuzz(func(t *testing.T, b []byte, limit int, rats bool) {
		limit = 1 + limit&1 // as the driver asks
		var got [2]target
		n, err := parseTargets(b, limit, rats, &got)
		if err != nil && (n != 0 || got != [2]target{}) || n > limit || n < 0 {
			t.Fatalf("%d cards, error %v", n, err)
		}
		for _, x := range got[:n] {
			if x.n != 4 && x.n != 7 && x.n != 10 || x.sak&sakCascade != 0 || x.ats && !rats {
				t.Fatalf("%+v", x)
			}
		}
	})
}
