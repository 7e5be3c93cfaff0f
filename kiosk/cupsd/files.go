package cupsd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// plain tells that a path means in a file of CUPS what it says.
func plain(path string) bool {
	return !strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`#\<>"`, r) })
}

// folders in the server's own, each kind of file apart.
var folders = [...]string{"etc", "etc/ppd", "spool", "tmp", "cache", "state"}

// write makes all anew that cupsd reads. The queue is written, and not made over
// IPP: so no operation that manages anything has to be allowed to anybody.
func (s *Server) write() error {
	if err := os.RemoveAll(s.cfg.Dir); err != nil {
		return fmt.Errorf("cannot empty its folder: %w", err)
	}
	if err := inMemory(s.cfg.Dir); err != nil {
		return err
	}
	for _, d := range folders {
		if err := os.Mkdir(filepath.Join(s.cfg.Dir, d), 0o700); err != nil {
			return fmt.Errorf("cannot make its folder: %w", err)
		}
	}
	dev, err := Device(s.cfg.Printer)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"cupsd.conf":            strings.ReplaceAll(conf, "@SOCKET@", socket(s.cfg.Dir)),
		"cups-files.conf":       strings.ReplaceAll(files, "@DIR@", s.cfg.Dir),
		"printers.conf":         fmt.Sprintf(printers, queue, dev),
		"subscriptions.conf":    fmt.Sprintf(subscriptions, Events+1, Events),
		"ppd/" + queue + ".ppd": string(s.ppd),
	} {
		if err := os.WriteFile(filepath.Join(s.cfg.Dir, "etc", name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot write its configuration: %w", err)
		}
	}
	return nil
}

// conf is cupsd.conf(5). The folder of the socket lets nobody else in; a press has
// a connection for a moment. What may be asked is what kiosk/printer asks. "Deny
// all" says nothing to whoever comes from this machine: it takes a root's name to
// do more (SystemGroup), and a password that nobody has. What is written of a job
// is written over at its end, and not half a minute later (DirtyCleanInterval).
const conf = `Listen @SOCKET@
Browsing No
BrowseLocalProtocols none
DefaultShared No
WebInterface No
DefaultAuthType None
PreserveJobFiles No
PreserveJobHistory No
DirtyCleanInterval 0
LogLevel none
LogDebugHistory 0
AccessLogLevel config
PageLogFormat
MaxLogSize 0
MaxEvents 30
DefaultLeaseDuration 0
MaxLeaseDuration 0
ErrorPolicy abort-job
JobKillDelay 3
DefaultPaperSize A4
<Location />
Order deny,allow
Allow all
</Location>
<Policy default>
JobPrivateAccess all
JobPrivateValues none
SubscriptionPrivateAccess all
SubscriptionPrivateValues none
<Limit Print-Job Validate-Job Create-Job Send-Document Cancel-Job Get-Jobs Get-Job-Attributes Get-Printer-Attributes Get-Notifications>
Order deny,allow
Allow all
</Limit>
<Limit All>
AuthType Basic
Require user @SYSTEM
Order deny,allow
Deny all
</Limit>
</Policy>
`

// files is cups-files.conf(5). Of a log, only a device may be told to be none.
const files = `ServerRoot @DIR@/etc
RequestRoot @DIR@/spool
TempDir @DIR@/tmp
CacheDir @DIR@/cache
StateDir @DIR@/state
ErrorLog /dev/null
AccessLog /dev/null
PageLog /dev/null
Printcap
FileDevice No
SystemGroup root
`

// printers is printers.conf: a job that fails is not tried again, since part of
// it may have been printed.
const printers = `<Printer %s>
DeviceURI %s
State Idle
Accepting Yes
Shared No
JobSheets none none
QuotaPeriod 0
PageLimit 0
KLimit 0
OpPolicy default
ErrorPolicy abort-job
</Printer>
`

// subscriptions is subscriptions.conf: one that never ends, fetched by whoever
// asks (ippget).
const subscriptions = `NextSubscriptionId %d
<Subscription %d>
Events job-completed
Owner borne
LeaseDuration 0
Interval 0
ExpirationTime 0
NextEventId 1
</Subscription>
`
