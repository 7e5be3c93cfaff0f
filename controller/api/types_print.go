package api

import (
	"time"

	"borne/controller/wire"
)

// PrinterBrief is a terminal's printer at a glance.
type PrinterBrief struct {
	State    string   `json:"state" doc:"ready, busy, stopped, lost"`
	Troubles []string `json:"troubles" doc:"What somebody must do: keys reason.<code> of the catalogues"`
}

// PrintsView is what waits for staff, of the sites that the person sees.
type PrintsView struct {
	Waiting []WaitingPrint `json:"waiting" doc:"To release or refuse; oldest first"`
	Decide  []PrintJobView `json:"decide" doc:"To decide what they cost; oldest first"`
}

// WaitingPrint is a job that waits at a terminal until staff release it.
type WaitingPrint struct {
	Terminal    string    `json:"terminal"`
	Name        string    `json:"name" doc:"Of the terminal"`
	Site        string    `json:"site"`
	SiteName    string    `json:"siteName"`
	Job         string    `json:"job"`
	Impressions int       `json:"impressions" doc:"Printed sides"`
	Sheets      int       `json:"sheets"`
	Colour      bool      `json:"colour"`
	Since       time.Time `json:"since"`
}

// PrintJobView is one print job: never whose, nor what is printed.
type PrintJobView struct {
	ID          string     `json:"id"`
	Job         string     `json:"job" doc:"Random id of the terminal's"`
	Session     string     `json:"session"`
	Terminal    string     `json:"terminal"`
	Name        string     `json:"name" doc:"Of the terminal"`
	Site        string     `json:"site"`
	SiteName    string     `json:"siteName"`
	At          time.Time  `json:"at"`
	State       string     `json:"state" enum:"reserved,settled,refunded,doubtful,decided"`
	Reason      string     `json:"reason,omitempty" doc:"Reason code: why it was not printed whole"`
	Asked       int        `json:"asked" doc:"Printed sides that were asked for"`
	Impressions int        `json:"impressions" doc:"Printed sides"`
	Sheets      int        `json:"sheets"`
	Colour      bool       `json:"colour"`
	Duplex      bool       `json:"duplex"`
	Reserved    int        `json:"reserved" doc:"Set aside, in hundredths of a page"`
	Charged     int        `json:"charged" doc:"Cost, in hundredths of a page"`
	Estimated   bool       `json:"estimated" doc:"The printer told no count"`
	Offline     bool       `json:"offline" doc:"Printed while the terminal had no connection"`
	Decided     *time.Time `json:"decided,omitempty"`
	By          string     `json:"by,omitempty" doc:"Name of who decided"`
	Why         string     `json:"why,omitempty" doc:"Why it was decided so"`
}

// PrintJobPage is a page of a terminal's print jobs, newest first.
type PrintJobPage struct {
	Jobs []PrintJobView `json:"jobs"`
	Next string         `json:"next,omitempty" doc:"Give it as before to get the next page"`
}

// PrintOrder releases or refuses a job that waits.
type PrintOrder struct {
	Action string `json:"action" enum:"release,refuse"`
	Text   string `json:"text,omitempty" maxLength:"200" doc:"Why it is refused, shown to the person"`
}

// PrintDecision says what a doubtful job costs.
type PrintDecision struct {
	Charge int    `json:"charge" minimum:"0" maximum:"10000000" doc:"In hundredths of a page, never more than was set aside"`
	Reason string `json:"reason" minLength:"3" maxLength:"200" doc:"Why, for the audit"`
}

// PagesRequest gives pages to the session that goes on.
type PagesRequest struct {
	Session string `json:"session" minLength:"1" maxLength:"64" doc:"As the fleet shows it: the next person gets nothing of it"`
	Pages   int    `json:"pages" minimum:"1" maximum:"100"`
	Reason  string `json:"reason" minLength:"3" maxLength:"200" doc:"Why, for the audit; the terminal shows it"`
}

// SitePrinters is every printer of a site.
type SitePrinters struct {
	Site     string        `json:"site"`
	Printers []PrinterView `json:"printers" doc:"By space and name"`
}

// PrinterView is one terminal's printer.
type PrinterView struct {
	Terminal  string           `json:"terminal"`
	Name      string           `json:"name" doc:"Of the terminal"`
	Space     string           `json:"space"`
	SpaceName string           `json:"spaceName"`
	Online    bool             `json:"online" doc:"The terminal is connected: what follows is of now"`
	State     string           `json:"state" doc:"ready, busy, stopped, lost"`
	Reasons   []string         `json:"reasons" doc:"printer-state-reasons of IPP"`
	Model     string           `json:"model,omitempty"`
	Supplies  []SupplyView     `json:"supplies"`
	Counter   int              `json:"counter,omitempty" doc:"Printed sides of its whole life"`
	Estimated bool             `json:"estimated" doc:"Its counts are estimated"`
	Since     *time.Time       `json:"since,omitempty" doc:"When its state began"`
	At        *time.Time       `json:"at,omitempty" doc:"When it was told last"`
	Troubles  []PrinterTrouble `json:"troubles" doc:"What somebody must do; they go by themselves"`
}

// SupplyView is one consumable.
type SupplyView struct {
	Name  string `json:"name"`
	Kind  string `json:"kind" doc:"toner, ink, waste, drum, fuser, paper, staples, other"`
	Level int    `json:"level" doc:"Percent left; of a waste box, percent free. -1 when the printer does not tell, -2 for some"`
	Low   bool   `json:"low"`
	Days  *int   `json:"days,omitempty" doc:"Days left at the use of the last weeks, 365 at most; absent while it is not known"`
}

// PrinterTrouble is one thing to do at a printer.
type PrinterTrouble struct {
	Code   string     `json:"code" doc:"Key reason.<code> of the catalogues"`
	Supply string     `json:"supply,omitempty" doc:"Which consumable"`
	Days   *int       `json:"days,omitempty" doc:"Days left of it"`
	Since  *time.Time `json:"since,omitempty"`
}

// printerNow is what is known of a printer: from the live status, or kept.
type printerNow struct {
	wire.Printer
	since, at time.Time
}
