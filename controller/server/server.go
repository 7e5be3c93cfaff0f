// Package server is the controller's facade: it opens the store, the keys, the
// fleet and the API, listens for terminals and for people, and ends cleanly.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"borne/controller/accounts"
	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/config"
	"borne/controller/ldap"
	"borne/controller/mail"
	"borne/controller/oidc"
	"borne/controller/passkeys"
	"borne/controller/report"
	"borne/controller/retention"
	"borne/controller/seal"
	"borne/controller/store"
	"borne/controller/syslog"
)

// Limits on connections of both kinds.
const (
	headerWithin = 10 * time.Second
	bodyWithin   = 30 * time.Second
	writeWithin  = 60 * time.Second // the live feed sets its own
	idleWithin   = 2 * time.Minute
	maxHeader    = 32 << 10
	stopWithin   = 10 * time.Second
	purgeEvery   = time.Hour
)

// Server is a controller that listens.
type Server struct {
	*core
	api       *api.API
	front     *front
	terminals *terminals
	calendars *calendars
	matters   *matters
	metrics   *metrics
	notify    notifier
	mails     *mail.Sender
	hooks     *hooks
	syslog    *syslog.Sender  // nil: no collector
	provider  *oidc.Provider  // nil: people log in without one
	staff     *ldap.Directory // nil: no directory of the Département's
	listeners []listener
	stopped   chan struct{}
	once      sync.Once
}

type listener struct {
	name string
	ln   net.Listener
	srv  *http.Server
}

// New opens everything and listens; nobody is served before Run.
func New(c Config) (*Server, error) {
	k, err := openCore(c)
	if err != nil {
		return nil, err
	}
	if c.Env == nil {
		c.Env = func(string) string { return "" }
	}
	s := &Server{core: k, notify: newNotifier(c.Env), stopped: make(chan struct{})}
	if err := s.assemble(c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) assemble(c Config) (err error) {
	if s.syslog, err = newSyslog(s.core); err != nil {
		return err
	}
	if s.front, err = newFront(s.cfg); err != nil {
		return err
	}
	s.metrics = newMetrics(s)
	to, err := mailServer(s.cfg.Mail)
	if err != nil {
		return err
	}
	s.mails = &mail.Sender{Store: s.st, Server: to, Now: s.now, Log: s.log.With("room", "mail")}
	s.terminals = newTerminals(s.core, func(why string) {
		s.metrics.refused.WithLabelValues(why).Inc()
		s.tell("terminal.refused", "a terminal's connection or enrolment was refused", syslog.Param{Name: "reason", Value: why})
	})
	s.wake, s.reconnect = s.terminals.Wake, s.terminals.Reconnect
	s.calendars = newCalendars(s.core)
	s.hooks = newHooks(s.core)
	s.matters = newMatters(s.core, s.terminals.Fleet.Live, s.terminals.Changed)
	if s.front.tls != nil { // a proxy's certificate is the proxy's
		s.matters.console = s.front.life
	}
	if err := s.metrics.registry.Register(s.terminals.Fleet); err != nil {
		return fmt.Errorf("cannot count the fleet: %w", err)
	}
	inv, err := store.Inventory()
	if err != nil {
		return err
	}
	if s.staff, err = openStaff(s.cfg.LDAP); err != nil {
		return err
	}
	if s.provider, err = openProvider(s.cfg); err != nil {
		return err
	}
	var party *passkeys.Party
	if passkeys.Possible(s.cfg.Console.URL) { // they are bound to it
		if party, err = passkeys.New(s.cfg.Console.URL); err != nil {
			return err
		}
	}
	s.api, err = api.New(api.Config{Directory: s.badges, Staff: asker(s.staff), Passkeys: party, Provider: s.provider, ProviderName: s.cfg.OIDC.Name, Store: s.st, Accounts: s.acc, Live: s.terminals, Orders: s.terminals, Prints: s.terminals, Publisher: s.terminals, Sealer: s.keys, Calendars: s.calendars, Hooks: s.hooks, Revoke: s.terminals.Revoke, CalendarOf: s.cfg.Calendars.Of,
		Inventory: inv, Dwell: s.cfg.Dwell, Within: s.cfg.Within, Files: c.Files, Now: s.now, Log: s.log.With("room", "api"), Version: s.version, Demo: s.cfg.Demo, Mails: s.cfg.Mail.Server != "", URL: s.consoleURL, Secure: s.cfg.Console.Secure(),
		Facts: s.facts, Origin: originOf(s.cfg), SecurityTxt: s.securityTxt, Retention: kept(s.cfg), Waiting: retention.Waiting(purges())})
	if err != nil {
		return err
	}
	if err := s.listen("terminals", "tcp", s.cfg.Terminals.Listen, s.terminals.TLS(), s.terminals.Handler()); err != nil {
		return err
	}
	if err := s.serveConsole(); err != nil {
		return err
	}
	if s.cfg.Metrics != "" {
		if err := s.listen("metrics", "tcp", s.cfg.Metrics, nil, s.metrics.handler()); err != nil {
			return err
		}
	}
	// The store is open, so no other controller serves this folder: a socket that
	// is there was left by one that was killed.
	path := socketPath(s.cfg.State)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot make the control socket: %w", err)
	}
	if err := s.listen("control", "unix", path, nil, s.control()); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("cannot close the control socket to others: %w", err)
	}
	return nil
}

// mailServer reads the password where the configuration says.
func mailServer(c config.Mail) (mail.Server, error) {
	m := mail.Server{Address: c.Server, From: c.From, User: c.User, TLS: mail.TLS(c.TLS)}
	if c.Password == "" {
		return m, nil
	}
	var err error
	if m.Password, err = secret(c.Password); err != nil {
		return m, fmt.Errorf("cannot read the mail server's password: %w", err)
	}
	return m, nil
}

// secret reads the one line of a file that only the controller reads.
func secret(path string) (string, error) {
	b, err := seal.File(path) // which refuses one that others may read
	return strings.TrimSpace(string(b)), err
}

// openProvider is the OpenID provider of the configuration; nil when it names
// none. Nothing is asked of it yet.
func openProvider(c config.Config) (*oidc.Provider, error) {
	o := c.OIDC
	if o.Issuer == "" {
		return nil, nil
	}
	key, err := secret(o.Secret)
	if err == nil && key == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the client's secret (oidc.client_secret_file): %w", err)
	}
	return oidc.New(oidc.Config{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: key, Scopes: o.Scopes, JSON: o.JSON, Vouched: o.Vouched, NoPKCE: !o.PKCE,
		Redirect: c.Console.URL + api.OIDCReturn, LoggedOut: c.Console.URL + api.LogoutReturn}), nil
}

// serveConsole listens for people, and for the authority that vouches for the console.
func (s *Server) serveConsole() error {
	ln, err := s.front.listen()
	if err != nil {
		return fmt.Errorf("cannot listen for console: %w; is the address taken by another program?", err)
	}
	people := s.front.trust.Handler(s.cfg.Console.URL, bounded(s.watched(s.metrics.count(s.api.Handler()))))
	s.serve("console", newCrowd(ln, s.front.trust.Of), s.front.tls, people)
	s.consoleAddr = func() string { return s.addr("console") }
	if s.cfg.ACME.HTTP == "" {
		return nil
	}
	if ln, err = net.Listen("tcp", s.cfg.ACME.HTTP); err != nil {
		return fmt.Errorf("cannot listen for acme: %w; is the address taken by another program?", err)
	}
	// Open to everybody: one address has no more connections here than at the console.
	s.serve("acme", newCrowd(ln, func(string) bool { return false }), nil, bounded(s.front.plainHTTP()))
	return nil
}

func (s *Server) listen(name, network, addr string, t *tls.Config, h http.Handler) error {
	ln, err := net.Listen(network, addr)
	if err != nil {
		return fmt.Errorf("cannot listen for %s: %w; is the address taken by another program?", name, err)
	}
	s.serve(name, ln, t, h)
	return nil
}

func (s *Server) serve(name string, ln net.Listener, t *tls.Config, h http.Handler) {
	if t != nil {
		ln = tls.NewListener(ln, t)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headerWithin, IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.With("listener", name).Handler(), slog.LevelDebug)}
	if name == "console" || name == "acme" {
		srv.ReadTimeout = bodyWithin
	}
	s.listeners = append(s.listeners, listener{name, ln, srv})
}

// bounded gives each answer of the console a time to be written within.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without deadlines (a test's recorder) the request goes on unbounded.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWithin))
		next.ServeHTTP(w, r)
	})
}

func (s *Server) addr(name string) string {
	for _, l := range s.listeners {
		if l.name == name {
			return l.ln.Addr().String()
		}
	}
	return ""
}

// ConsoleURL is how people reach the console.
func (s *Server) ConsoleURL() string { return s.consoleURL() }

// TerminalsAddr is where terminals connect, as address:port.
func (s *Server) TerminalsAddr() string { return s.addr("terminals") }

// MetricsAddr is where the metrics are; empty when they are not served.
func (s *Server) MetricsAddr() string { return s.addr("metrics") }

// Accounts lets tests and scripts log people in.
func (s *Server) Accounts() *accounts.Service { return s.acc }

// Store is the open store.
func (s *Server) Store() store.Store { return s.st }

// Run serves until ctx ends or a listener fails, then stops cleanly: it takes no
// new request, lets those that run finish, and closes the store.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, l := range s.listeners {
		l.srv.BaseContext = func(net.Listener) context.Context { return ctx }
		wg.Go(func() {
			if err := l.srv.Serve(l.ln); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("cannot serve %s: %w", l.name, err))
			}
		})
	}
	wg.Go(func() { s.purge(ctx) })
	wg.Go(func() { s.nights(ctx) })
	wg.Go(func() { s.rollouts(ctx) })
	if s.staff != nil {
		wg.Go(func() { s.followStaff(ctx) })
	}
	wg.Go(func() { s.matters.run(ctx, s.terminals.Subscribe) })
	wg.Go(func() { s.mails.Run(ctx) })
	wg.Go(func() { s.hooks.sender.Run(ctx) })
	wg.Go(func() { s.followCertificate(ctx) })
	if s.syslog != nil {
		wg.Go(func() { s.syslog.Run(ctx) })
	}
	wg.Go(func() { s.calendars.refresh(ctx) })
	wg.Go(func() { s.notify.watchdog(ctx, s.healthy, func(err error) { s.log.Error("unhealthy", "error", err) }) })
	s.record(ctx, "controller.started")
	s.log.Info("ready", "console", s.consoleURL(), "terminals", s.TerminalsAddr(), "metrics", s.MetricsAddr(), "version", s.version)
	if err := s.notify.send("READY=1"); err != nil {
		s.log.Warn("service manager", "error", err)
	}
	<-ctx.Done()
	cause := context.Cause(ctx)
	s.log.Info("stopping")
	if err := s.notify.send("STOPPING=1"); err != nil {
		s.log.Warn("service manager", "error", err)
	}
	s.terminals.Close() // hijacked connections are not the HTTP server's to end
	s.shutdown()
	wg.Wait()
	err := s.Close()
	if cause != nil && !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

func (s *Server) shutdown() {
	within, done := context.WithTimeout(context.Background(), stopWithin)
	defer done()
	var wg sync.WaitGroup
	for _, l := range s.listeners {
		wg.Go(func() {
			if err := l.srv.Shutdown(within); err != nil {
				s.log.Warn("requests were cut off", "listener", l.name, "error", err)
				l.srv.Close()
			}
		})
	}
	wg.Wait()
}

// Close closes what New opened; Run does it by itself.
func (s *Server) Close() error {
	var err error
	s.once.Do(func() {
		if s.terminals != nil {
			s.terminals.Close()
		}
		if s.calendars != nil {
			s.calendars.Close()
		}
		if s.hooks != nil {
			s.hooks.Close()
		}
		if s.provider != nil {
			s.provider.Close()
		}
		for _, l := range s.listeners {
			l.ln.Close() // closed already after a Run
		}
		err = s.st.Close()
	})
	return err
}

func (s *Server) healthy(ctx context.Context) error {
	return s.st.View(ctx, func(tx store.Tx) error {
		_, err := store.Get[store.Setting](tx, store.SettingController)
		return err
	})
}

func (s *Server) record(ctx context.Context, action string) {
	err := s.st.Decide(ctx, func(tx store.Tx) error {
		return audit.Append(tx, audit.Entry{At: s.now(), Actor: audit.Controller, Action: action, Detail: s.version})
	})
	if err != nil {
		s.log.Error("cannot record", "action", action, "error", err)
	}
}

// closeDays writes down how long sites were open on days that are over.
func (s *Server) closeDays(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.st.Decide(ctx, func(tx store.Tx) (err error) {
			more, err = report.CloseDays(tx, s.now(), s.zone)
			return err
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
