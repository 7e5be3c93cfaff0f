package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"borne/controller/config"
	"borne/controller/lists"
	"borne/controller/server"
)

// one parses the flags, and the one word that is none.
func (e *env) one(args []string, without string) (word string, err error) {
	for rest := args; ; rest = e.flags.Args()[1:] { // flags may stand before and after it: people write both
		if err := e.flags.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return "", err
		} else if err != nil {
			return "", fmt.Errorf("%w: %w", errUsage, err)
		}
		if e.flags.NArg() == 0 {
			break
		}
		if word != "" {
			return "", fmt.Errorf("%w: %q is one word too many", errUsage, e.flags.Arg(0))
		}
		word = e.flags.Arg(0)
	}
	if word == "" {
		return "", fmt.Errorf("%w: %s", errUsage, without)
	}
	return word, nil
}

// importLists reads FILE here, with the rights of whoever runs the command, and
// gives it to the controller.
func importLists(ctx context.Context, e *env, args []string) error {
	file, err := e.one(args, "give the archive or the folder of the lists")
	if err != nil {
		return err
	}
	cfg, err := config.Load(e.config)
	if err != nil {
		return err
	}
	c := server.Config{Config: cfg, Version: e.Version, Log: e.log(cfg), Now: time.Now}
	r, err := openLists(file)
	if err != nil {
		return err
	}
	defer r.Close()
	reply, ok, err := server.SendLists(ctx, c.State, r)
	if err == nil && !ok {
		reply, err = server.OfflineLists(ctx, c, r)
	}
	if err != nil {
		return err
	}
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	_, err = fmt.Fprint(e.Out, reply.Text)
	return err
}

// openLists opens an archive; a folder is packed as one on the way.
func openLists(path string) (io.ReadCloser, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lists: %w", err)
	}
	if !fi.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read the lists: %w", err)
		}
		return f, nil
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(lists.Pack(path, w)) }()
	return r, nil
}
