package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"borne/controller/audit"
	"borne/controller/server"
)

func auditExport(ctx context.Context, e *env, args []string) error {
	format := e.flags.String("format", "json", "json: one entry a line, which audit verify -file verifies; csv: for a spreadsheet")
	return exportAs(e, args, func() (server.Export, error) {
		switch *format {
		case "json":
			return server.ExportAudit, nil
		case "csv":
			return server.ExportAuditCSV, nil
		}
		return "", fmt.Errorf("%w: -format is json or csv", errUsage)
	})(ctx)
}

// verifyExport verifies a file on any machine.
func verifyExport(e *env, name, noted string) error {
	var want *audit.Head
	if noted != "" {
		h, err := audit.ParseHead(noted)
		if err != nil {
			return err
		}
		want = &h
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("cannot read the exported audit: %w", err)
	}
	defer f.Close()
	first, head, err := audit.VerifyFile(f, want)
	if errors.Is(err, audit.ErrBroken) {
		fmt.Fprintf(e.Out, "the exported audit does not hold: %v\n", err)
		return errFound
	}
	if err != nil {
		return err
	}
	if head.Seq == 0 {
		fmt.Fprintln(e.Out, "the file holds no entry")
		return errFound
	}
	fmt.Fprintf(e.Out, "the exported audit holds: entries %d to %d\nhead %s\n", first.Seq, head.Seq, head)
	return nil
}
