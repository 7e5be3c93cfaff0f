package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"borne/kiosk/printjob"
	"borne/kiosk/sandbox"
)

// pressLink is the agent's end of the channel to the press of one sandbox. A
// hostile document may have taken the press over: what it says is bounded where
// it is read, and it is never waited for.
type pressLink struct {
	conn *sandbox.Conn
	out  chan outgoing
	log  *slog.Logger
}

type outgoing struct {
	frame printjob.ToPress
	file  *os.File // beside it; closed once it is sent
}

// maxOutgoing bounds the frames that a press may leave unread.
const maxOutgoing = 64

// newPressLink takes over f. heard gets each frame, and gone tells once that the
// press lives no more; both are called from a goroutine of the link's, and end
// with work.
func newPressLink(work context.Context, f *os.File, log *slog.Logger, heard func(printjob.FromPress), gone func()) (*pressLink, error) {
	conn, err := sandbox.FromFile(f)
	if err != nil {
		return nil, err
	}
	l := &pressLink{conn: conn, out: make(chan outgoing, maxOutgoing), log: log}
	ctx, cancel := context.WithCancel(work)
	go func() {
		defer cancel()
		defer gone()
		l.read(heard)
	}()
	go l.write(ctx)
	return l, nil
}

func (l *pressLink) read(heard func(printjob.FromPress)) {
	buf := make([]byte, sandbox.MaxFrame+1)
	for {
		b, files, err := l.conn.Receive(buf)
		sandbox.CloseAll(files) // none is wanted
		if errors.Is(err, sandbox.ErrFrame) {
			continue
		}
		if err != nil {
			return
		}
		f, err := printjob.DecodeFromPress(b)
		if err != nil {
			l.log.Warn("the press says something that is not understood", "error", err)
			continue
		}
		heard(f)
	}
}

func (l *pressLink) write(ctx context.Context) {
	defer l.conn.Close()
	for {
		select {
		case <-ctx.Done():
			for {
				select {
				case o := <-l.out:
					closeFile(o.file)
				default:
					return
				}
			}
		case o := <-l.out:
			b, err := printjob.Encode(o.frame)
			if err == nil && o.file != nil {
				err = l.conn.Send(b, o.file)
			} else if err == nil {
				err = l.conn.Send(b)
			}
			closeFile(o.file)
			if err != nil && !errors.Is(err, sandbox.ErrClosed) {
				l.log.Warn("the press is not told", "error", err)
			}
		}
	}
}

// tell sends a frame. A press that reads nothing is ended: its session goes on
// without printing.
func (l *pressLink) tell(f printjob.ToPress, file *os.File) {
	select {
	case l.out <- outgoing{f, file}:
	default:
		closeFile(file)
		l.log.Error("the press reads nothing: it is given up")
		l.close()
	}
}

// close ends the link; gone follows.
func (l *pressLink) close() { l.conn.Close() }

func closeFile(f *os.File) {
	if f != nil {
		f.Close()
	}
}
