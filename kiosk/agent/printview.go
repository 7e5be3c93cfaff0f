package agent

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
	"borne/kiosk/shell"
)

// offlineReason is what the pages about printing call a printer that does not answer.
const offlineReason = "offline"

// printPage adds printing to what a person in a session sees.
func (a *Agent) printPage(v *shell.View) {
	if v.Bar == nil || a.source.now == nil || !a.policy.Printing.Enabled {
		return
	}
	p := a.prints.View(printing.Instant(a.now()))
	if x := a.prints.Live.Session; x != nil {
		v.Bar.PagesLeft = p.Left.Pages()
	}
	v.Bar.Print = a.barPrint(p)
	if v.Screen != shell.SessionPage {
		return // a warning comes first
	}
	stage, ok := a.stageOf(p)
	if !ok {
		return
	}
	v.Screen, v.Print = shell.PrintPage, a.printOf(p, stage)
}

// stageOf tells what the page is about; false: the person works on.
func (a *Agent) stageOf(p printing.View) (shell.PrintStage, bool) {
	stage := shell.PrintStage("")
	asked := a.paper.called != "" && a.paper.called == p.Job
	switch p.Screen {
	case printing.Question:
		return shell.StageQuestion, true
	case printing.OnHold:
		stage = shell.StageHeld
	case printing.AtWork, printing.Sending:
		return shell.StageWork, asked // the bar tells the same to who did not ask
	case printing.Stopped:
		stage = shell.StageTrouble
	case printing.Queued:
		if p.Reason == "" {
			return shell.StageWork, asked
		}
		stage = shell.StageTrouble
	case printing.Done:
		if missing(p) > 0 {
			stage = shell.StageGiven
		}
	case printing.NotDone:
		switch {
		case p.Doubtful:
			stage = shell.StageDoubtful
		case p.Reason != wire.PrintCancelled:
			stage = shell.StageRefused
		}
	}
	return stage, stage != "" && (asked || a.paper.read != page(p))
}

func (a *Agent) printOf(p printing.View, stage shell.PrintStage) *shell.Print {
	t := p.Ticket
	out := &shell.Print{Stage: stage, Job: p.Job, Preview: stage == shell.StageQuestion && a.paper.shown == p.Job && !a.paper.blind,
		Pages: p.Pages, Impressions: p.Impressions, Sheets: p.Sheets,
		Choice:    shell.Choice{Copies: max(t.Copies, 1), Duplex: t.Duplex != printjob.OneSided, Colour: t.Colour, Range: ranges(t.Pages)},
		MaxCopies: p.Choice.Copies, MaxPages: a.prints.Limits.Job, CanDuplex: p.Choice.Duplex, MustDuplex: !p.Choice.Duplex && t.Duplex != printjob.OneSided, CanColour: p.Choice.Colour,
		Cost: int(p.Cost), Left: int(p.Left), LeftScope: scope(p), Reason: string(p.Reason), Reasons: a.lacks(p), Given: missing(p),
		LeftSeconds: int(p.Answer / time.Second)}
	if stage == shell.StageRefused {
		out.Note = p.Text
	}
	if stage == shell.StageWork {
		out.Page = side(p)
	}
	if stage == shell.StageQuestion {
		out.Reason = string(p.Blocked)
		if out.Reason == "" {
			out.Reason = string(p.Bent)
		}
	}
	if p.Why != "" {
		out.Reason = string(p.Why)
	}
	if a.paper.typedFor == p.Job {
		out.Range, out.Wrong = a.paper.typed, a.paper.wrong
	}
	out.Staff = desks(a.policy.Printing.Staff)
	return out
}

// maxDesks is how many of those who release jobs are named.
const maxDesks = 3

// desks names who releases jobs, each once.
func desks(all []policy.Staff) string {
	var names []string
	for _, s := range all {
		if !slices.Contains(names, s.Name) && len(names) < maxDesks {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

// missing is how many sides of a job that is over did not come out: their price is
// given back, whatever a side costs.
func missing(p printing.View) int {
	if p.GivenBack == 0 {
		return 0
	}
	return max(p.Impressions-p.Printed, 0)
}

// side is the one that is being printed; 0: the printer tells nothing of it.
func side(p printing.View) int {
	if !p.Counts {
		return 0
	}
	return min(p.Printed+1, p.Impressions)
}

// scope tells which limit Left comes from, in the words of the page.
func scope(p printing.View) shell.Scope {
	switch p.Scope {
	case printing.ScopeLedger:
		return shell.ScopeDay
	case printing.ScopeMonth:
		return shell.ScopeMonth
	case printing.ScopeHour:
		return shell.ScopeHour
	case printing.ScopeOffline:
		return shell.ScopeOffline
	}
	return shell.ScopeSession
}

// lacks is what the printer lacks.
func (a *Agent) lacks(p printing.View) []string {
	if p.Reason == wire.PrintUnreachable {
		return []string{offlineReason}
	}
	return p.Reasons
}

func (a *Agent) barPrint(p printing.View) *shell.BarPrint {
	b := &shell.BarPrint{Page: side(p), Of: p.Impressions, Reasons: a.lacks(p), Given: missing(p)}
	switch p.Screen {
	case printing.OnHold:
		b.Stage, b.Show = shell.BarHeld, true
	case printing.Queued:
		if b.Stage, b.Show = shell.BarQueued, true; p.Reason != "" {
			b.Stage = shell.BarStopped
		}
	case printing.Sending:
		b.Stage, b.Show = shell.BarSending, true
	case printing.AtWork:
		b.Stage, b.Show = shell.BarPrinting, true
	case printing.Stopped:
		b.Stage, b.Show = shell.BarStopped, true
	case printing.Done:
		b.Stage = shell.BarDone
		if missing(p) > 0 {
			b.Stage, b.Show = shell.BarGiven, true
		}
	default:
		l := a.paper.look.Status
		switch {
		case l.State == wire.PrinterLost, a.pressIsGone():
			if b.Reasons = l.Reasons; !slices.Contains(l.Reasons, wire.PrinterUntrusted) {
				b.Reasons = []string{offlineReason}
			}
		case l.State == wire.PrinterStopped:
			b.Reasons = l.Reasons
		default:
			return nil
		}
		b.Stage = shell.BarPrinter
	}
	return b
}

// ranges writes pages as a person types them.
func ranges(all []printjob.Range) string {
	var out []string
	for _, r := range all {
		if r.From == r.To {
			out = append(out, fmt.Sprint(r.From))
			continue
		}
		out = append(out, fmt.Sprintf("%d-%d", r.From, r.To))
	}
	return strings.Join(out, ", ")
}

// pressIsGone tells whether the session has lost its printer.
func (a *Agent) pressIsGone() bool {
	b := a.boxes.current()
	return b != nil && b.session != "" && b.press == nil
}
