package report

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Level is how full a supply was at the end of a local day, in percent.
type Level struct {
	Day   string // 2006-01-02
	Level int    // 0 to 100; others are not told, and left out
}

// Bounds of the forecast.
const (
	fewestDays = 3  // of data
	refill     = 10 // percent: a rise by as much is a new cartridge, or a full tray
	farthest   = 365
)

// DaysLeft forecasts in how many days from today a supply is used up. It is not
// known before there are three days of data in use, nor when nothing is used.
//
// The use of a day is the median of the slopes between all pairs of days without
// a refill between them (Theil 1950, Sen 1968): a level that jumps up and down by a
// few percent, a day on which a whole class printed and closed weekends move it
// little. Stretches before a
// refill count too, so that a new cartridge has its forecast on its first day.
func DaysLeft(levels []Level, today time.Time) (days int, known bool) {
	points := pointsOf(levels)
	if len(points) == 0 {
		return 0, false
	}
	last := points[len(points)-1]
	if last.level == 0 {
		return 0, true
	}
	if len(points) < fewestDays || last.day-points[0].day < fewestDays-1 {
		return 0, false
	}
	use := -slope(points)
	if use <= 0 {
		return 0, false
	}
	left := float64(last.level)/use - (dayOf(today.Format(time.DateOnly)) - last.day)
	return int(math.Floor(min(max(left, 0), farthest))), true
}

type point struct {
	day     float64 // since the epoch
	level   int
	stretch int // +1 at each refill
}

// pointsOf sorts the levels by day and numbers the stretches between refills.
func pointsOf(levels []Level) []point {
	var points []point
	for _, l := range levels {
		if day := dayOf(l.Day); !math.IsNaN(day) && l.Level >= 0 && l.Level <= 100 {
			points = append(points, point{day: day, level: l.Level})
		}
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.day, b.day) })
	points = slices.CompactFunc(points, func(a, b point) bool { return a.day == b.day })
	for i := range points[min(1, len(points)):] {
		points[i+1].stretch = points[i].stretch
		if points[i+1].level-points[i].level >= refill {
			points[i+1].stretch++
		}
	}
	return points
}

// slope is the median of the slopes of all pairs within a stretch, in percent a
// day; 0 without a pair.
func slope(points []point) float64 {
	var all []float64
	for i, a := range points {
		for _, b := range points[i+1:] {
			if a.stretch != b.stretch {
				break
			}
			all = append(all, float64(b.level-a.level)/(b.day-a.day))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// dayOf numbers a local day: days have 24 hours here, whatever clocks do.
func dayOf(day string) float64 {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return math.NaN()
	}
	return float64(at.Unix() / (24 * 60 * 60))
}
