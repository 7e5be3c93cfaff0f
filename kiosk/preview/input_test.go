package preview

import (
	"testing"
	"time"

	"borne/kiosk/printjob"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// beside is where the pages never are.
const beside = 700

// typist presses real keys and buttons (the XTEST extension) and notes what a
// window of the session gets of them.
type typist struct {
	*bed
	got chan string
	key xproto.Keycode
}

func newTypist(b *bed) *typist {
	b.t.Helper()
	if err := xtest.Init(b.x); err != nil {
		b.t.Fatal(err)
	}
	y := &typist{b, make(chan string, 64), xproto.Setup(b.x).MinKeycode + 30}
	tree, err := xproto.QueryTree(b.x, b.root).Reply()
	if err != nil {
		b.t.Fatal(err)
	}
	session := tree.Children[0]
	mask := []uint32{xproto.EventMaskKeyPress | xproto.EventMaskButtonPress}
	if err := xproto.ChangeWindowAttributesChecked(b.x, session, xproto.CwEventMask, mask).Check(); err != nil {
		b.t.Fatal(err)
	}
	if err := xproto.SetInputFocusChecked(b.x, xproto.InputFocusPointerRoot, session, xproto.TimeCurrentTime).Check(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		for {
			e, err := b.x.WaitForEvent()
			switch e := e.(type) {
			case xproto.KeyPressEvent:
				y.got <- "key"
			case xproto.ButtonPressEvent:
				if e.RootX == beside {
					y.got <- "last"
				} else {
					y.got <- "button"
				}
			case nil:
				if err == nil {
					close(y.got)
					return
				}
			}
		}
	}()
	return y
}

// types presses a key and a button at 150, 150, and one more button outside the
// pages as the last thing, and gives what came to the session before that one.
func (y *typist) types() (key, button int) {
	y.t.Helper()
	press := func(down, up byte, detail byte) {
		for _, kind := range []byte{down, up} {
			if err := xtest.FakeInputChecked(y.x, kind, detail, 0, y.root, 0, 0, 0).Check(); err != nil {
				y.t.Fatal(err)
			}
		}
	}
	move := func(px, py int16) {
		if err := xproto.WarpPointerChecked(y.x, 0, y.root, 0, 0, 0, 0, px, py).Check(); err != nil {
			y.t.Fatal(err)
		}
	}
	move(150, 150)
	press(xproto.KeyPress, xproto.KeyRelease, byte(y.key))
	press(xproto.ButtonPress, xproto.ButtonRelease, 1)
	move(beside, 550) // the server hands input out in order
	press(xproto.ButtonPress, xproto.ButtonRelease, 1)
	late := time.After(patience)
	for {
		select {
		case what := <-y.got:
			switch what {
			case "key":
				key++
			case "button":
				button++
			default:
				return key, button
			}
		case <-late:
			y.t.Fatal("waited in vain for the last button")
		}
	}
}

func TestNothingReachesTheSessionBelow(t *testing.T) {
	b := newBed(t, here)
	y := newTypist(b)
	if key, button := y.types(); key != 1 || button != 1 {
		t.Fatalf("the session gets %d keys and %d buttons, want one of each: this proves nothing", key, button)
	}
	c := New(b.path, &painter{pages: 1})
	defer c.Close()
	for job := 1; job <= 2; job++ { // the second takes the place of the first
		if _, err := c.Show(patient(t), document(t), 1, printjob.Show{Job: job, Width: 400, Height: 500}); err != nil {
			t.Fatal(err)
		}
		b.until("one window is left of the pages", func() bool { return b.windows() == 2 })
		if key, button := y.types(); key != 0 || button != 0 {
			t.Errorf("below the pages of job %d come %d keys and %d buttons", job, key, button)
		}
	}
	if _, err := c.Show(patient(t), nil, 0, printjob.Show{}); err != nil {
		t.Fatal(err)
	}
	b.until("the pages are gone", func() bool { return b.windows() == 1 })
	if key, button := y.types(); key != 1 || button != 1 {
		t.Errorf("after the pages the session gets %d keys and %d buttons, want one of each", key, button)
	}
}

func TestTheNewestPagesStayOnTop(t *testing.T) {
	b := newBed(t, here)
	one, two := New(b.path, &painter{pages: 1}), New(b.path, &painter{pages: 1})
	defer one.Close()
	defer two.Close()
	if _, err := one.Show(patient(t), document(t), 1, printjob.Show{Job: 1, Width: 400, Height: 500}); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Show(patient(t), document(t), 1, printjob.Show{Job: 2, Width: 400, Height: 500}); err != nil {
		t.Fatal(err)
	}
	tree, err := xproto.QueryTree(b.x, b.root).Reply()
	if err != nil || len(tree.Children) != 3 {
		t.Fatalf("%v, %v", tree, err)
	}
	top := tree.Children[2]
	for range 300 { // each answer gives the server time for a fight
		if tree, err = xproto.QueryTree(b.x, b.root).Reply(); err != nil {
			t.Fatal(err)
		}
		if tree.Children[2] != top {
			t.Fatal("the older pages come over the newer ones")
		}
	}
}
