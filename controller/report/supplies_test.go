package report_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"borne/controller/report"
)

// levels makes one level a day, from a Monday on.
func levels(days int, level func(day int, at time.Time) int) (all []report.Level, today time.Time) {
	for d := range days {
		today = time.Date(2026, 3, 2+d, 12, 0, 0, 0, time.UTC)
		all = append(all, report.Level{Day: today.Format(time.DateOnly), Level: level(d, today)})
	}
	return all, today
}

func TestDaysLeft(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	weekday := func(at time.Time) bool { return at.Weekday() != time.Saturday && at.Weekday() != time.Sunday }
	var left int
	for name, c := range map[string]struct {
		days     int
		level    func(int, time.Time) int
		from, to int // of the answer; -1: not known
	}{
		"steady, 2 % a day":     {20, func(d int, _ time.Time) int { return 100 - 2*d }, 31, 31}, // 62 % left
		"slow, 1 % in 4 days":   {40, func(d int, _ time.Time) int { return 100 - d/4 }, 330, 365},
		"three days are enough": {3, func(d int, _ time.Time) int { return 50 - 5*d }, 8, 8},
		"two days are not":      {2, func(d int, _ time.Time) int { return 50 - 5*d }, -1, -1},
		"nothing at all":        {0, nil, -1, -1},
		"nothing is used":       {30, func(int, time.Time) int { return 70 }, -1, -1},
		"it does not tell":      {30, func(int, time.Time) int { return -1 }, -1, -1},
		"something is left":     {30, func(int, time.Time) int { return -2 }, -1, -1},
		"empty":                 {2, func(d int, _ time.Time) int { return 1 - d }, 0, 0},
		"it tells now and then": {30, func(d int, _ time.Time) int { return map[bool]int{true: 90 - 3*d, false: -1}[d%3 == 0] }, 0, 1},
		"a refill, a day ago":   {21, func(d int, _ time.Time) int { return map[bool]int{true: 100 - 4*d, false: 100 - 4*(d-19)}[d < 19] }, 24, 24},
		"refills every week":    {40, func(d int, _ time.Time) int { return 90 - 10*(d%7) }, 5, 5},                              // day 39: 50 %
		"noise of ±3 %":         {40, func(d int, _ time.Time) int { return 95 - 2*d + noise.IntN(7) - 3 }, 6, 11},              // 17 % left, about
		"a class prints a lot":  {30, func(d int, _ time.Time) int { return 95 - d - map[bool]int{true: 15}[d >= 20] }, 50, 52}, // 51 % left
		"no use at weekends": {28, func(d int, at time.Time) int {
			if d == 0 {
				left = 100
			}
			if weekday(at) {
				left -= 2
			}
			return left
		}, 38, 46}, // 60 % left, 10 % a week
		"paper, filled by a bit":   {30, func(d int, _ time.Time) int { return 60 - 20*(d%3) }, 0, 1},
		"a cartridge that is worn": {30, func(d int, _ time.Time) int { return max(20-d, 1) }, 1, 1},
	} {
		all, today := levels(c.days, c.level)
		days, known := report.DaysLeft(all, today)
		switch {
		case known != (c.from >= 0):
			t.Errorf("%s: %d days, known %v", name, days, known)
		case known && (days < c.from || days > c.to):
			t.Errorf("%s: %d days, want %d to %d", name, days, c.from, c.to)
		}
	}
}

// TestDaysLeftLater: days without news count, order and doubles do not.
func TestDaysLeftLater(t *testing.T) {
	all, today := levels(20, func(d int, _ time.Time) int { return 100 - 2*d })
	all[3], all[12] = all[12], all[3]
	all = append(all, all[5], report.Level{Day: "no day", Level: 5}, report.Level{Day: "2026-03-01", Level: 400})
	if days, known := report.DaysLeft(all, today.AddDate(0, 0, 10)); !known || days != 21 {
		t.Errorf("ten days later: %d, %v", days, known)
	}
	if days, known := report.DaysLeft(all, today.AddDate(0, 0, 100)); !known || days != 0 {
		t.Errorf("long after: %d, %v", days, known)
	}
}
