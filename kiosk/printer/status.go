package printer

import (
	"context"
	"fmt"

	"borne/controller/wire"
	"borne/kiosk/ipp"

	"github.com/OpenPrinting/goipp"
)

// Status asks how the printer is. With an error it is lost.
func (c *Client) Status(ctx context.Context) (wire.Printer, error) {
	m, err := c.ask(ctx, goipp.OpGetPrinterAttributes, func(m *goipp.Message) {
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Keyword("requested-attributes", "printer-state", "printer-state-reasons", "printer-is-accepting-jobs",
			"printer-make-and-model", "printer-impressions-completed", "printer-supply", "printer-supply-description", "printer-input-tray",
			"marker-names", "marker-types", "marker-levels", "marker-low-levels", "marker-high-levels", "marker-colors"))
	})
	if err != nil {
		return wire.Printer{State: wire.PrinterLost, Estimate: c.estimate}, fmt.Errorf("cannot ask how the printer is: %w", err)
	}
	p := status(m.Printer)
	p.Estimate = c.estimate
	return p, nil
}

// status reads how a printer is (RFC 8011 §5.4.11).
func status(a ipp.Attributes) wire.Printer {
	p := wire.Printer{State: wire.PrinterReady, Model: model(a), Reasons: words(ipp.Strings(a, "printer-state-reasons"))}
	state, _ := ipp.Int(a, "printer-state")
	accepting, told := ipp.Bool(a, "printer-is-accepting-jobs")
	switch {
	case state == 5, told && !accepting:
		p.State = wire.PrinterStopped
	case state == 4:
		p.State = wire.PrinterBusy
	}
	if n, ok := ipp.Int(a, "printer-impressions-completed"); ok {
		p.Counter = max(n, 0)
	}
	p.Supplies = append(supplies(a, p.Reasons), trays(a)...)
	return p
}
