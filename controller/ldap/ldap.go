// Package ldap asks the Département's own directory (LDAP, Active Directory) whether
// somebody is staff still. It only reads, with one filter that the configuration
// holds, and takes no attribute back: found, or not found, is all it tells.
package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// Limits of what is asked and answered.
const (
	MaxLogin  = 64               // bytes of a login
	maxAsked  = 1000             // logins of one connection
	maxPacket = 64 << 10         // bytes of one message: an entry without attributes is small
	maxAll    = 4 << 20          // bytes of all answers of one connection
	within    = 10 * time.Second // for each answer
)

// ErrUnavailable is a directory that cannot be asked: nobody's right is known then.
var ErrUnavailable = errors.New("the directory cannot be asked")

// Login stands for the person in a filter.
const Login = "{login}"

// Config is one directory.
type Config struct {
	Address  string // ldaps://host, or ldap://host with StartTLS: nothing goes in the clear
	StartTLS bool
	TLS      *tls.Config // of the other side: RootCAs; ServerName is the address's
	BindDN   string      // an account that may read, and nothing else
	Password string
	Base     string // below which people, or the group, are
	Filter   string // finds a person by Login, if they are staff: one entry
}

// Directory asks.
type Directory struct {
	cfg  Config
	host string // host:port
	name string // that the certificate is for
}

// New returns the directory; it opens no connection.
func New(c Config) (*Directory, error) {
	u, err := url.Parse(c.Address)
	if err != nil || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("cannot use the directory's address %q: write it as ldaps://host", c.Address)
	}
	port := map[string]string{"ldaps": "636", "ldap": "389"}[u.Scheme]
	if port == "" || (u.Scheme == "ldap") != c.StartTLS {
		return nil, fmt.Errorf("cannot use the directory's address %q: ldaps://, or ldap:// with StartTLS", c.Address)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if c.BindDN == "" || c.Password == "" { // without a password a bind counts as anybody's (RFC 4513 §5.1.2)
		return nil, errors.New("cannot ask the directory: it needs an account that reads, and its password")
	}
	if err := CheckFilter(c.Filter); err != nil {
		return nil, err
	}
	if _, err := goldap.ParseDN(c.Base); err != nil || c.Base == "" {
		return nil, fmt.Errorf("cannot use the directory's base %q: it is no name", c.Base)
	}
	if ber.MaxPacketLengthBytes != maxPacket { // the library takes whatever length a message's head claims
		ber.MaxPacketLengthBytes = maxPacket
	}
	return &Directory{cfg: c, host: net.JoinHostPort(u.Hostname(), port), name: u.Hostname()}, nil
}

// CheckFilter tells what is wrong with a filter.
func CheckFilter(filter string) error {
	if !strings.Contains(filter, Login) || len(filter) > 2000 {
		return fmt.Errorf("cannot use the filter %.100q: it has to hold %s, where the person's login goes", filter, Login)
	}
	if _, err := goldap.CompileFilter(fill(filter, "x")); err != nil {
		return fmt.Errorf("cannot use the filter %.100q: %w", filter, err)
	}
	return nil
}

// fill puts a login into a filter, so that it is nothing but a value there.
func fill(filter, login string) string {
	return strings.ReplaceAll(filter, Login, goldap.EscapeFilter(login))
}

// ValidLogin tells whether s can be asked about.
func ValidLogin(s string) bool {
	return s != "" && len(s) <= MaxLogin && utf8.ValidString(s) && s == strings.TrimSpace(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '*' })
}

// Staff tells which of these logins the filter finds. With an error nothing is
// known of any of them.
func (d *Directory) Staff(ctx context.Context, logins []string) (map[string]bool, error) {
	if len(logins) > maxAsked {
		return nil, fmt.Errorf("cannot ask about %d people at once: %d at most", len(logins), maxAsked)
	}
	for _, l := range logins {
		if !ValidLogin(l) {
			return nil, fmt.Errorf("cannot ask about the login %.80q: it is none", l)
		}
	}
	c, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the directory at %s: %w: %w", d.host, ErrUnavailable, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := c.Bind(d.cfg.BindDN, d.cfg.Password); err != nil {
		return nil, fmt.Errorf("cannot log in at the directory as %s: %w: %w", d.cfg.BindDN, ErrUnavailable, err)
	}
	found := make(map[string]bool, len(logins))
	for _, l := range logins {
		if found[l], err = d.has(c, l); err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
	}
	return found, nil
}

// has asks for the entry without its attributes (RFC 4511 §4.5.1.8). Two entries are
// a filter that names nobody in particular: no right may hang on it.
func (d *Directory) has(c *goldap.Conn, login string) (bool, error) {
	r, err := c.Search(goldap.NewSearchRequest(d.cfg.Base, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 2, int(within/time.Second), true,
		fill(d.cfg.Filter, login), []string{"1.1"}, nil))
	many := goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded)
	if err != nil && !many {
		return false, fmt.Errorf("cannot look somebody up in the directory: %w: %w", ErrUnavailable, err)
	}
	if many || len(r.Entries) > 1 {
		return false, fmt.Errorf("cannot tell who is staff: %w: the filter finds more than one entry for a login", ErrUnavailable)
	}
	return len(r.Entries) == 1, nil // a referral to another server is none
}

func (d *Directory) dial(ctx context.Context) (*goldap.Conn, error) {
	t := d.cfg.TLS.Clone()
	if t == nil {
		t = &tls.Config{}
	}
	t.MinVersion, t.ServerName = tls.VersionTLS12, d.name
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.host)
	if err != nil {
		return nil, err
	}
	var conn net.Conn = raw
	if !d.cfg.StartTLS {
		secured := tls.Client(raw, t)
		if err := secured.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		conn = secured
	}
	c := goldap.NewConn(&bounded{Conn: conn, left: maxAll}, !d.cfg.StartTLS)
	c.SetTimeout(within)
	c.Start()
	if !d.cfg.StartTLS {
		return c, nil
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	err = c.StartTLS(t)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// bounded ends a connection that says too much.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the directory answers too much")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
