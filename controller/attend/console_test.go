package attend

import (
	"testing"
	"time"
)

func TestConsoleCertificate(t *testing.T) {
	now := monday()
	for name, c := range map[string]struct {
		life, left time.Duration
		missing    bool
		want       string
	}{
		"fresh":                             {90 * day, 89 * day, false, ""},
		"renewed by now":                    {90 * day, 30 * day, false, ""},
		"before the quarter":                {90 * day, 22 * day, false, ""},
		"late":                              {90 * day, 20*day + time.Hour, false, "console-certificate#20:soon"},
		"a year":                            {365 * day, 22 * day, false, ""},
		"a year, late":                      {365 * day, 21*day - time.Minute, false, "console-certificate#20:soon"},
		"of six days":                       {6 * day, 36 * time.Hour, false, ""},
		"of six days, late":                 {6 * day, 35 * time.Hour, false, "console-certificate#1:urgent"},
		"three days":                        {90 * day, 3*day - time.Minute, false, "console-certificate#2:urgent"},
		"over":                              {90 * day, -day, false, "console-certificate#0:urgent"},
		"over, and the authority says no":   {90 * day, -day, true, "console-certificate#0:urgent"},
		"a try failed, the old one is good": {90 * day, 28 * day, true, ""},
	} {
		if got := say(ConsoleCertificate(now.Add(c.left-c.life), now.Add(c.left), c.missing, now)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := say(ConsoleCertificate(time.Time{}, time.Time{}, false, now)); got != "" {
		t.Errorf("none yet: %q", got)
	}
	if got := say(ConsoleCertificate(time.Time{}, time.Time{}, true, now)); got != "console-certificate#0:urgent" {
		t.Errorf("none is given: %q", got)
	}
}
