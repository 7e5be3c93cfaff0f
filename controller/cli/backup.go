package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"borne/controller/config"
	"borne/controller/seal"
	"borne/controller/server"
)

// texts is a flag that is given several times.
type texts []string

func (t *texts) String() string { return fmt.Sprint([]string(*t)) }

func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

func backup(ctx context.Context, e *env, args []string) (err error) {
	out := e.flags.String("out", "", "file to write")
	var to texts
	e.flags.Var(&to, "recipient", "public key (age1…) of who may open it; several times for several; else the configuration's")
	phrase := e.flags.String("passphrase-file", "", "file whose first line is the passphrase that opens it")
	open := e.flags.Bool("unencrypted", false, "write it so that anybody can open it")
	c, err := e.load(args)
	if err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("%w: give -out", errUsage)
	}
	s, err := sealOf(c.Backup, to, *phrase)
	if err != nil {
		return err
	}
	if *open && (len(to) > 0 || *phrase != "") {
		return fmt.Errorf("%w: -unencrypted goes with no key", errUsage)
	}
	if !*open && !s.Set() {
		return fmt.Errorf("%w: say who may open the backup: -recipient age1… or -passphrase-file, or [backup] in the configuration; -unencrypted writes it for anybody", errUsage)
	}
	f, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	err = write(ctx, c, f, s, *open)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		// Half a backup must not be taken for one.
		return errors.Join(err, os.Remove(*out))
	}
	fmt.Fprintf(e.Out, "wrote %s (only its owner may read it)\n", *out)
	if *open {
		fmt.Fprint(e.Out, "It is not encrypted, and holds the controller's private keys: whoever has this file can speak to every terminal\n"+
			"in the controller's name. Encrypt it before it leaves this machine, and keep it under lock.\n")
	} else {
		fmt.Fprint(e.Out, "It is encrypted, and holds the controller's private keys: keep the key that opens it away from it and from this machine.\n"+
			"Whether it can be restored is shown by: borne-controller restore -look -in FILE -identity KEY\n")
	}
	return nil
}

// sealOf takes the flags' word before the configuration's.
func sealOf(c config.Backup, to []string, phrase string) (seal.Seal, error) {
	if len(to) == 0 && phrase == "" {
		to, phrase = c.Recipients, c.Passphrase
	}
	word := ""
	if phrase != "" {
		var err error
		if word, err = seal.Passphrase(phrase); err != nil {
			return seal.Seal{}, err
		}
	}
	return seal.To(to, word)
}

// write encrypts here: what the controller hands over its socket is on no disk.
func write(ctx context.Context, c server.Config, f io.Writer, s seal.Seal, open bool) error {
	w := io.WriteCloser(plain{f})
	if !open {
		var err error
		if w, err = s.Writer(f); err != nil {
			return err
		}
	}
	ok, err := server.FetchBackup(ctx, c.State, w)
	if err == nil && !ok {
		err = server.OfflineBackup(ctx, c, w)
	}
	if err != nil {
		return err // no Close: what broke off must not look whole
	}
	return w.Close()
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

func restore(ctx context.Context, e *env, args []string) error {
	in := e.flags.String("in", "", "backup to read")
	identity := e.flags.String("identity", "", "file with the private key that opens it, as age-keygen writes it")
	phrase := e.flags.String("passphrase-file", "", "file whose first line is the passphrase that opens it")
	deletions := e.flags.String("deletions", "", "what export deletions wrote on the machine that is lost")
	replace := e.flags.Bool("replace", false, "set the store and the keys that are there aside")
	without := e.flags.Bool("without-deletions", false, "go on although the store that is there cannot tell what was erased on request since the backup: that is back then")
	look := e.flags.Bool("look", false, "verify the backup and change nothing")
	c, err := e.load(args)
	if err != nil {
		return err
	}
	switch {
	case *in == "":
		return fmt.Errorf("%w: give -in", errUsage)
	case *look && *replace:
		return fmt.Errorf("%w: -look replaces nothing", errUsage)
	case *without && *deletions != "":
		return fmt.Errorf("%w: give -deletions or -without-deletions", errUsage)
	}
	keys, err := keysOf(c.Backup, *identity, *phrase)
	if err != nil {
		return err
	}
	f, err := os.Open(*in)
	if err != nil {
		return fmt.Errorf("cannot read the backup: %w", err)
	}
	defer f.Close()
	r := server.Restoration{Replace: *replace, Look: *look, WithoutDeletions: *without}
	if r.Backup, _, err = keys.Open(f); err != nil {
		return fmt.Errorf("cannot restore: %w", err)
	}
	if *deletions != "" {
		d, err := os.Open(*deletions)
		if err != nil {
			return fmt.Errorf("cannot read the deletions: %w", err)
		}
		defer d.Close()
		r.Deletions = d
	}
	done, err := server.Restore(ctx, c, r)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "the backup is whole: made %s by version %s; its audit holds, %d entries\nhead %s\n", done.At.Format(time.RFC3339), done.Version, done.Audit.Seq, done.Audit)
	erased := fmt.Sprint(done.Erased)
	if !done.Told {
		erased = "not known (nothing told it; see -deletions)"
	}
	fmt.Fprintf(e.Out, "rows whose time passed since: %d; erased on request since: %s\n", done.Purged, erased)
	if done.Holds > 0 {
		fmt.Fprintf(e.Out, "holds for a requisition taken over from the store that is replaced: %d\n", done.Holds)
	}
	if *look {
		fmt.Fprintln(e.Out, "nothing was changed")
		return nil
	}
	fmt.Fprintf(e.Out, "restored into %s\n", c.State)
	if len(done.Aside) > 0 {
		fmt.Fprintf(e.Out, "what was there is set aside, and nobody deletes anything in it:\n  %s\nIt still holds what was erased, on request and on time, and the keys that were there: "+
			"delete it as soon as the controller serves as it should and a new backup of it was looked at. The controller itself deletes it on %s.\n",
			strings.Join(done.Aside, "\n  "), done.AsideUntil.Format(time.DateOnly))
	}
	return nil
}

// keysOf opens with what the flags name, else with the configuration's passphrase.
func keysOf(c config.Backup, identity, phrase string) (seal.Keys, error) {
	var id []byte
	var word string
	var err error
	if identity != "" {
		if id, err = seal.File(identity); err != nil {
			return seal.Keys{}, err
		}
	} else if phrase == "" {
		phrase = c.Passphrase
	}
	if phrase != "" {
		if word, err = seal.Passphrase(phrase); err != nil {
			return seal.Keys{}, err
		}
	}
	return seal.With(id, word)
}

// exportTo writes one export into a file that is not there yet, or to the output.
func exportTo(what server.Export) func(context.Context, *env, []string) error {
	return func(ctx context.Context, e *env, args []string) error {
		return exportAs(e, args, func() (server.Export, error) { return what, nil })(ctx)
	}
}

// exportAs is exportTo for what is known once the flags are read.
func exportAs(e *env, args []string, what func() (server.Export, error)) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		out := e.flags.String("out", "", "file to write; the output without it")
		c, err := e.load(args)
		if err != nil {
			return err
		}
		as, err := what()
		if err != nil {
			return err
		}
		w := e.Out
		if *out != "" {
			f, err2 := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err2 != nil {
				return fmt.Errorf("cannot write the export: %w", err2)
			}
			defer func() {
				if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
					err = errors.Join(err, os.Remove(*out)) // half an export must not be taken for one
				}
			}()
			w = f
		}
		ok, err := server.FetchExport(ctx, c.State, as, w)
		if err == nil && !ok {
			err = server.OfflineExport(ctx, c, as, w)
		}
		return err
	}
}

// exportRGPD writes the documents into a folder that is not there yet: none of another
// day is left among them.
func exportRGPD(ctx context.Context, e *env, args []string) error {
	dir, err := e.one(args, "give the folder to write")
	if err != nil {
		return err
	}
	c, err := e.read()
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("cannot write the documents: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(server.RGPDFiles())) {
		what := server.RGPDFiles()[name]
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("cannot write the documents: %w", err)
		}
		ok, err := server.FetchExport(ctx, c.State, what, f)
		if err == nil && !ok {
			err = server.OfflineExport(ctx, c, what, f)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(e.Out, filepath.Join(dir, name))
	}
	return nil
}
