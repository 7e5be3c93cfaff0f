// Package seal encrypts backups with age (age-encryption.org/v1), so that what
// leaves the machine opens nothing without a key that is kept elsewhere. Any age
// program opens the files.
package seal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
)

// Limits on files that hold keys.
const (
	maxKeys       = 64 << 10
	minPassphrase = 16 // characters: whoever finds the file can try for years
	// workFactor is of passphrases: 2^18 is age's own choice, and what is opened may
	// ask for no more than a machine of this class can give.
	workFactor    = 18
	maxWorkFactor = 20
)

// ErrKey reports that nothing given opens the file.
var ErrKey = errors.New("no key that was given opens it")

// Seal is to whom files are encrypted; its zero value is to nobody.
type Seal struct{ to []age.Recipient }

// To encrypts to the holders of keys: recipients as age-keygen prints them
// (age1…), or, when there are none, to whoever knows the passphrase.
func To(recipients []string, passphrase string) (Seal, error) {
	if len(recipients) > 0 && passphrase != "" {
		return Seal{}, errors.New("cannot encrypt to recipients and with a passphrase at once: give one of the two")
	}
	if passphrase != "" {
		if len([]rune(passphrase)) < minPassphrase {
			return Seal{}, fmt.Errorf("cannot encrypt: the passphrase is shorter than %d characters", minPassphrase)
		}
		r, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return Seal{}, fmt.Errorf("cannot encrypt: %w", err)
		}
		r.SetWorkFactor(workFactor)
		return Seal{to: []age.Recipient{r}}, nil
	}
	var s Seal
	for _, text := range recipients {
		// One by one: the library's own error would repeat a private key that was
		// taken for a public one.
		r, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(r) != 1 {
			return Seal{}, fmt.Errorf("cannot encrypt to %.12q…: write a recipient as age-keygen prints it (age1…); a private key never belongs there", text)
		}
		s.to = append(s.to, r[0])
	}
	return s, nil
}

// Set tells whether there is anybody to encrypt to.
func (s Seal) Set() bool { return len(s.to) > 0 }

// Writer encrypts what is written into w. Only a Close makes the file whole: one
// that broke off is refused when it is opened.
func (s Seal) Writer(w io.Writer) (io.WriteCloser, error) {
	if !s.Set() {
		return nil, errors.New("cannot encrypt: there is nobody to encrypt to")
	}
	out, err := age.Encrypt(w, s.to...)
	if err != nil {
		return nil, fmt.Errorf("cannot encrypt: %w", err)
	}
	return out, nil
}

// Keys open files; the zero value opens only what is not encrypted.
type Keys struct{ with []age.Identity }

// With opens with private keys, as age-keygen writes them, and with a passphrase.
func With(identities []byte, passphrase string) (Keys, error) {
	var k Keys
	if len(identities) > 0 {
		all, err := age.ParseIdentities(bytes.NewReader(identities))
		if err != nil {
			return k, errors.New("cannot read the private key: give a file as age-keygen writes it (AGE-SECRET-KEY-1…)")
		}
		k.with = all
	}
	if passphrase != "" {
		id, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return k, fmt.Errorf("cannot use the passphrase: %w", err)
		}
		id.SetMaxWorkFactor(maxWorkFactor)
		k.with = append(k.with, id)
	}
	return k, nil
}

// intro is how every age file begins.
const intro = "age-encryption.org/v1\n"

// Open reads a file, encrypted or not. Bytes come out only once they are proven;
// an end that is missing is an error, so whoever believes what they read goes on
// to io.EOF.
func (k Keys) Open(r io.Reader) (in io.Reader, sealed bool, err error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(len(intro))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("cannot read the file: %w", err)
	}
	if string(head) != intro {
		return b, false, nil
	}
	if len(k.with) == 0 {
		return nil, true, fmt.Errorf("cannot open it: it is encrypted; give the private key or the passphrase: %w", ErrKey)
	}
	in, err = age.Decrypt(b, k.with...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, true, fmt.Errorf("cannot open it: %w", ErrKey)
	}
	if err != nil {
		return nil, true, fmt.Errorf("cannot open it: %w", err)
	}
	return in, true, nil
}

// File reads a file of keys or with a passphrase, which nobody else may read.
func File(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the key: %w", err)
	}
	if fi.Mode().IsRegular() && fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("cannot use the key in %s: others may read it; run chmod 600 on it", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the key: %w", err)
	}
	if len(b) > maxKeys {
		return nil, fmt.Errorf("cannot use the key in %s: no such file is that large", path)
	}
	return b, nil
}

// Passphrase reads a file's first line.
func Passphrase(path string) (string, error) {
	b, err := File(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fmt.Errorf("cannot use the passphrase in %s: its first line is empty", path)
	}
	return line, nil
}
