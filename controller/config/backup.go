package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Backup is to whom backups are encrypted.
type Backup struct {
	Recipients []string // public keys of age
	Passphrase string   // a file's path, not the passphrase
}

type backupFile struct {
	Recipients []string `toml:"recipients"`
	Passphrase string   `toml:"passphrase_file"`
}

// maxRecipients bounds who can open one backup.
const maxRecipients = 16

func (f backupFile) check(bad func(key, value, want string)) Backup {
	if len(f.Recipients) > maxRecipients {
		bad("backup.recipients", fmt.Sprint(len(f.Recipients)), "name at most 16")
	}
	for i, r := range f.Recipients {
		// Never the value: a private key that was written here must not be in a log.
		if !strings.HasPrefix(r, "age1") {
			bad(fmt.Sprintf("backup.recipients[%d]", i), "…", "write a public key as age-keygen prints it (age1…), never a private one")
		}
	}
	if f.Passphrase != "" && !filepath.IsAbs(f.Passphrase) {
		bad("backup.passphrase_file", f.Passphrase, "write the whole path of a file that holds the passphrase")
	}
	if f.Passphrase != "" && len(f.Recipients) > 0 {
		bad("backup.passphrase_file", f.Passphrase, "give recipients or a passphrase, not both")
	}
	return Backup{Recipients: append([]string(nil), f.Recipients...), Passphrase: f.Passphrase}
}
