package warden

import (
	"strings"

	"borne/controller/wire"
)

// judge turns two counts into a result. Nothing afterwards is clean only when
// the same look is known to find: it did before, or in this start's self-test.
func (w *warden) judge(name string, before, after *count) wire.Check {
	c := wire.Check{Name: name, Place: placeOf[name], Before: before.n, After: after.n}
	switch {
	case after.n > 0:
		c.Result, c.Detail = wire.Found, clip(after.where)
	case after.err != nil:
		c.Result, c.Detail = wire.Inconclusive, clip(after.err.Error())
	case before.n > 0:
		c.Result = wire.Clean
	case w.tested.found[name]:
		c.Result, c.Detail = wire.Clean, "self-test of this start"
	default:
		c.Result, c.Detail = wire.Inconclusive, clip("the self-test of this start did not find what it planted: "+w.tested.problem(name))
	}
	return c
}

var placeOf = map[string]string{
	wire.CheckProcesses: "/proc, every namespace",
	wire.CheckMounts:    "every mount namespace",
	wire.CheckUIDFiles:  "writable mounts and folders",
	wire.CheckFresh:     "writable mounts and folders, uids of this terminal",
	wire.CheckIPC:       "System V, POSIX queues",
	wire.CheckNetns:     "interfaces, nftables, namespaces",
}

const canaryPlace = "memory of agent, shell and display; environments; changed files"

func judgeCanaries(alive bool, p planted, seek []*seeker) []wire.Check {
	var s *seeker
	if alive {
		s = seek[0]
	}
	counts := map[string]int{canaryInFile: p.files, canaryInClipboard: p.clipboard, canaryInEnv: p.env, canaryInPrint: p.prints}
	var out []wire.Check
	for _, k := range canaryChecks {
		if counts[k.place] < 0 {
			continue // there is no such place in this session
		}
		c := wire.Check{Name: k.check, Place: canaryPlace, Before: counts[k.place]}
		switch {
		case !alive:
			c.Result, c.Detail = wire.NotPlanted, "no sandbox of this session was alive"
		case counts[k.place] == 0:
			c.Result, c.Detail = wire.NotPlanted, clip(p.notes[k.place])
		case s.hits[k.place]+s.hits[""] > 0:
			c.After, c.Result, c.Detail = s.hits[k.place]+s.hits[""], wire.Found, clip(s.where)
		case s.trouble != nil:
			c.Result, c.Detail = wire.Inconclusive, clip(s.trouble.Error())
		default:
			c.Result = wire.Clean
			if k.place == canaryInFile && len(p.missed) > 0 {
				c.Detail = clip("not planted in " + strings.Join(p.missed, "; "))
			}
		}
		out = append(out, c)
	}
	return out
}

// webPlace leaves the agent out: it chose the marker, and so holds it.
const webPlace = "memory of shell and display; changed files"

func judgeWeb(p planted, seek []*seeker) wire.Check {
	c := wire.Check{Name: checkCanaryWeb, Place: webPlace, Before: p.web}
	if p.web == 0 || len(seek) < 2 {
		c.Result, c.Detail = wire.NotPlanted, "not found in the living browser's files"
		return c
	}
	s := seek[1]
	c.After = s.found()
	switch {
	case c.After > 0:
		c.Result, c.Detail = wire.Found, clip(s.where)
	case s.trouble != nil:
		c.Result, c.Detail = wire.Inconclusive, clip(s.trouble.Error())
	default:
		c.Result = wire.Clean
	}
	return c
}
