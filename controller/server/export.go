package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"borne/controller/audit"
	"borne/controller/retention"
	"borne/controller/store"
)

// Export is something that the controller writes out.
type Export string

// Exports.
const (
	ExportDeletions Export = "deletions" // what was erased on request
	ExportAudit     Export = "audit"     // its chain, an entry a line
	ExportAuditCSV  Export = "audit-csv" // for a spreadsheet
)

// export writes one export from one snapshot of the store.
func (c *core) export(ctx context.Context, what Export, w io.Writer) error {
	if ok, err := c.exportRGPD(ctx, what, w); ok {
		return err
	}
	run, ok := map[Export]func(store.Tx, io.Writer) error{
		ExportDeletions: exportDeletions, ExportAudit: audit.WriteJSON, ExportAuditCSV: audit.WriteCSV,
	}[what]
	if !ok {
		return fmt.Errorf("cannot export %.40q: this controller does not know it; use the same version of the command", what)
	}
	if what == ExportAudit || what == ExportAuditCSV { // who takes it away is in it
		err := c.st.Decide(ctx, func(tx store.Tx) error {
			return audit.Append(tx, audit.Entry{At: c.now(), Actor: audit.Controller, Action: "audit.exported"})
		})
		if err != nil {
			return err
		}
	}
	return c.st.View(ctx, func(tx store.Tx) error { return run(tx, w) })
}

func exportDeletions(tx store.Tx, w io.Writer) error {
	all, err := retention.Erasures(tx)
	if err != nil {
		return err
	}
	return retention.WriteErasures(w, all)
}

// serveExport hands one out over the control socket.
func (c *core) serveExport(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", backupDone)
	if err := c.export(r.Context(), Export(r.PathValue("what")), w); err != nil {
		w.Header().Set(backupDone, "no: "+strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	w.Header().Set(backupDone, "yes")
}

// FetchExport writes an export of the controller that serves this state folder;
// ok is false when none does.
func FetchExport(ctx context.Context, state string, what Export, w io.Writer) (ok bool, err error) {
	return receive(ctx, state, "/export/"+string(what), "the export", w)
}

// OfflineExport writes an export of a controller that does not serve.
func OfflineExport(ctx context.Context, c Config, what Export, w io.Writer) error {
	k, err := openCore(c)
	if err != nil {
		return err
	}
	return errors.Join(k.export(ctx, what, w), k.st.Close())
}

// receive reads a stream that says at its end whether it is whole.
func receive(ctx context.Context, state, path, what string, w io.Writer) (ok bool, err error) {
	res, ok, err := dial(ctx, state, http.MethodGet, path, nil)
	if !ok || err != nil {
		return ok, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return true, fmt.Errorf("cannot fetch %s: %w", what, err)
	}
	if done := res.Trailer.Get(backupDone); done != "yes" {
		return true, fmt.Errorf("cannot fetch %s: it broke off %s", what, strings.TrimPrefix(done, "no: "))
	}
	return true, nil
}
