package server

import (
	"errors"
	"slices"
	"time"

	"borne/controller/attend"
	"borne/controller/fleet"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

// printerOf adds what is known of a terminal's printer: as its status says while it
// is there, as it told last otherwise.
func (m *matters) printerOf(tx store.Tx, terminal string, live fleet.LiveState, f *attend.Facts) error {
	it, err := store.Get[store.PrinterRow](tx, terminal)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	r := it.Row
	f.Printer = wire.Printer{State: r.State, Reasons: r.Reasons, Model: r.Model, Supplies: r.Supplies}
	f.PrinterSince = r.Since
	if s := live.Status.Printer; live.Online && s != nil {
		if s.State != r.State || !slices.Equal(s.Reasons, r.Reasons) {
			f.PrinterSince = time.Time{} // its record is on its way
		}
		f.Printer = *s
	}
	if f.Printer.State == "" {
		return nil
	}
	f.Days, err = report.Forecast(tx, terminal, f.Printer.Supplies, f.Now.In(m.core.zone))
	return err
}
