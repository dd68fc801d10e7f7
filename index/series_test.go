package index

import "testing"

func TestSeries_TheStepSuitsTheWindow(t *testing.T) {
	const now = 1_700_000_000
	for _, c := range []struct {
		name        string
		step, span  int64
		whole       bool
		want, least int64
	}{
		{"an hour", 0, hourSeconds, false, stepFine, 12},
		{"an hour of whole hours", 0, hourSeconds, true, hourSeconds, 1},
		{"a day", 0, daySeconds, false, hourSeconds, 24},
		{"a week", 0, 7 * daySeconds, false, daySeconds, 7},
		{"a month", 0, 30 * daySeconds, false, daySeconds, 30},
		{"a year", 0, 365 * daySeconds, false, stepMonth, 12},
		{"all", 0, now, false, stepMonth, 600},
		{"a month by the hour", hourSeconds, 30 * daySeconds, false, hourSeconds, 720},
		{"a year by the hour is too long", hourSeconds, 365 * daySeconds, false, daySeconds, 365},
		{"none", -1, daySeconds, false, 0, 0},
	} {
		s := newSeries(c.step, now-c.span, now, c.whole)
		if s.step != c.want || int64(len(s.starts)) < c.least || len(s.starts) > maxPoints {
			t.Errorf("%s: steps of %d s, %d of them; want %d s, at least %d", c.name, s.step, len(s.starts), c.want, c.least)
		}
	}
}
