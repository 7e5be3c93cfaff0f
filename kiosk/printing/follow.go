package printing

import (
	"slices"

	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// progress takes the printer's word about a job. Counts only rise: some printers
// forget them with the job's end.
func (m *machine) progress(f Progress) {
	j := m.job(f.Job)
	if j == nil || j.Stage != StageSubmitted && j.Stage != StagePrinting || f.State < printjob.Pending || f.State > printjob.Completed {
		return
	}
	if j.Stage == StageSubmitted {
		again := j.Live.Again
		m.enter(j, StagePrinting)
		j.Live.Again = again
	}
	done, sheets := max(j.Done, min(f.Impressions, maxDone)), max(j.DoneSheet, min(f.Sheets, maxDone))
	reasons := bounded(f.Reasons)
	if done != j.Done || sheets != j.DoneSheet || f.State != j.Live.State || f.Stopping != j.Live.Stopping {
		j.Live.Changed = m.at.Mono
		j.Done, j.DoneSheet, j.Live.State, j.Live.Stopping = done, sheets, f.State, f.Stopping
		if !f.State.Over() {
			m.status(*j, f.State, "")
		}
	}
	if !slices.Equal(reasons, j.Live.Reasons) {
		j.Live.Reasons = reasons
	}
	j.Live.Lost = 0
	j.Estimated = j.Estimated || f.Estimated
	j.Counts = j.Counts || f.Impressions >= 0 || f.Sheets > 0
	j.Began = j.Began || f.State == printjob.Processing || f.State == printjob.Stopped
	if f.State.Over() && j.Ended == 0 {
		j.Ended, j.Live.Over = f.State, m.at.Mono
	}
	switch {
	case j.Ended == printjob.Completed && j.Done >= j.Asked:
		m.settle(j)
	case j.Ended == 0 && j.Done > j.Asked:
		m.cancel(j, wire.PrintPrinter) // it counts the document's pages otherwise than we do, and who pays?
	}
}

// printerLost is a printer that does not answer, or does not know the job.
func (m *machine) printerLost(f PrinterLost) {
	j := m.job(f.Job)
	if j == nil || !j.Stage.engaged() {
		return
	}
	switch j.Stage {
	case StageFinding:
		if f.Forgotten && j.Live.Missing == 0 {
			j.Live.Missing = max(m.at.Mono, 1)
		}
	case StageSubmitted, StagePrinting:
		switch {
		case f.Forgotten:
			m.over(j, wire.PrintLost)
		case j.Live.Lost == 0:
			j.Live.Lost = max(m.at.Mono, 1)
		}
	case StageOffered, StageHeld, StageReserving, StageReserved, StageSubmitting:
	}
}

// tickPrinting waits for the end of a job, and not for ever.
func (m *machine) tickPrinting(j *Job) {
	stuck := StuckFor
	switch still := j.Live.State == printjob.Stopped || slices.ContainsFunc(j.Live.Reasons, stops(true)); {
	case still && m.session(j.Session) == nil:
		stuck = LeftFor
	case !still && j.Live.State == printjob.Processing:
		stuck = WorkingFor
	}
	switch {
	case j.Ended != 0 && (!j.Live.Stopping && m.since(j.Live.Changed) >= QuietFor || m.since(j.Live.Over) >= StoppingFor):
		m.settle(j) // what the engine still printed is counted
	case j.Ended != 0:
	case j.Live.Lost > 0 && m.since(j.Live.Lost) >= LostFor:
		m.over(j, wire.PrintUnreachable)
	case m.since(j.Live.From) >= LongestFor:
		m.over(j, wire.PrintLost)
	case m.since(j.Live.Changed) >= stuck && j.Cancel == "":
		// Nobody stands there any more: what a refill would print is nobody's to find.
		j.Live.Changed = m.at.Mono
		m.cancel(j, wire.PrintPrinter)
	case m.since(j.Live.Changed) >= stuck:
		m.over(j, wire.PrintLost)
	case j.Cancel != "" && m.at.Mono >= j.Live.Again:
		m.stop(j)
	}
}

// over ends a job of which nothing more will be heard. It is doubtful, unless
// enough is known: the printer's last word, or that every side was printed.
func (m *machine) over(j *Job, why wire.Reason) {
	switch {
	case j.Ended != 0:
		m.settle(j)
	case j.Done >= j.Asked:
		j.Ended = printjob.Completed
		m.settle(j)
	default:
		m.end(j, wire.PrintDoubtful, why, 0)
	}
}

// settle charges what was printed: never more than was set aside, and never
// more than the printer counted.
func (m *machine) settle(j *Job) {
	if j.Done == 0 && j.DoneSheet > 0 && j.Asked > 0 {
		// It counts its paper only. The last sheet of a copy may have one side.
		j.Done, j.Estimated = min(j.DoneSheet, j.Asked), true
		if j.Ticket.Duplex != printjob.OneSided {
			j.Done = min(2*j.DoneSheet, j.Asked)
		}
	}
	if j.Done == 0 {
		m.uncounted(j)
		return
	}
	m.countSheets(j)
	charge := min(j.Reserved, j.Side*wire.Units(j.Done))
	switch {
	case j.Ended == printjob.Completed:
		m.end(j, wire.PrintSettled, "", charge)
	case j.Ended == printjob.Canceled && j.Cancel != "":
		m.end(j, wire.PrintSettled, j.Cancel, charge)
	default:
		m.end(j, wire.PrintSettled, wire.PrintPrinter, charge)
	}
}

// uncounted is the end of a job of which the printer told no printed side.
func (m *machine) uncounted(j *Job) {
	switch {
	case j.Ended == printjob.Canceled && j.Began && !j.Counts:
		m.end(j, wire.PrintDoubtful, wire.PrintSilent, 0) // or everything would be free: print, and stop it at the end
	case j.Ended == printjob.Canceled && j.Cancel != "":
		m.end(j, wire.PrintRefunded, j.Cancel, 0)
	case j.Ended == printjob.Canceled:
		m.end(j, wire.PrintRefunded, wire.PrintPrinter, 0) // at its own panel
	case j.Ended != printjob.Completed:
		m.end(j, wire.PrintDoubtful, wire.PrintPrinter, 0)
	case j.Silent == SilentStaff:
		m.end(j, wire.PrintDoubtful, wire.PrintSilent, 0)
	default:
		j.Done, j.Estimated = j.Asked, true
		m.countSheets(j)
		charge := j.Reserved
		if j.Silent == SilentFree {
			charge = 0
		}
		m.end(j, wire.PrintSettled, wire.PrintSilent, charge)
	}
}

// countSheets fills in the sheets that a printer did not count: as many as the
// printed sides take, copy after copy, each beginning on a new sheet.
func (m *machine) countSheets(j *Job) {
	if j.DoneSheet > 0 || j.Asked == 0 {
		return
	}
	j.DoneSheet = min(j.Done, j.Asked)
	if copies := max(j.Ticket.Copies, 1); j.Ticket.Duplex != printjob.OneSided && j.Asked >= copies {
		each := j.Asked / copies
		j.DoneSheet = j.DoneSheet/each*((each+1)/2) + (j.DoneSheet%each+1)/2
	}
}
