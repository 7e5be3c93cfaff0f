package loginui

import (
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// post is a mail server that keeps what it gets, by address.
type post struct {
	mu   sync.Mutex
	got  map[string][]string // texts
	news chan struct{}
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &letter{p: p}, nil }

type letter struct {
	p  *post
	to string
}

func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error { l.to = to; return nil }

func (l *letter) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text := io.Reader(m.Body)
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		text = quotedprintable.NewReader(m.Body)
	}
	b, err := io.ReadAll(text)
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.got[l.to] = append(l.p.got[l.to], string(b))
	select {
	case l.p.news <- struct{}{}:
	default:
	}
	return err
}

func (l *letter) Reset()        {}
func (l *letter) Logout() error { return nil }

// openPost serves on loopback, as a relay on the controller's own machine does.
func openPost(t *testing.T) (p *post, address string) {
	t.Helper()
	p = &post{got: map[string][]string{}, news: make(chan struct{}, 1)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := smtp.NewServer(p)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return p, ln.Addr().String()
}

// link waits for the nth mail to somebody and returns the link in it.
func (p *post) link(t *testing.T, to string, nth int) string {
	t.Helper()
	end := time.After(time.Minute)
	for {
		p.mu.Lock()
		all := p.got[to]
		p.mu.Unlock()
		if len(all) >= nth {
			found := regexp.MustCompile(`https?://\S+/#\S+`).FindString(all[nth-1])
			if found == "" {
				t.Fatalf("no link in %q", all[nth-1])
			}
			return found
		}
		select {
		case <-p.news:
		case <-end:
			t.Fatalf("%d mails to %s, and no %d. one", len(all), to, nth)
		}
	}
}
