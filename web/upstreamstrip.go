package web

import (
	"cmp"
	"slices"
	"strconv"

	"dvmrelay/index"
)

const (
	stripTime  = int64(24 * 60 * 60) // seconds that a strip shows
	stripParts = 24                  // gaps that are drawn one by one; more are drawn by the hour
	stripCell  = int64(60 * 60)      // seconds
	stripWord  = stripTime / 7       // a stretch this long has room for its reason
)

// Stretch is a part of a strip in which something was not heard: a gap, or several short ones close together.
type Stretch struct {
	index.Gap
	X, Width  string // of the strip, in percent, as SVG takes them
	Y, Height string // as high as the share of it that was not heard; empty = all of it
	Worded    bool   // there is room for the word
	Count     int    // gaps in it
	Missed    int64  // seconds that were not heard
}

// Strip is the last day of one upstream.
type Strip struct {
	Since, Until int64
	Stretches    []Stretch
	Unheard      int64 // seconds
}

// stripOf draws the gaps of one upstream into the day before until, which is in unix seconds. They need not be in order.
func stripOf(gaps []index.Gap, until int64) Strip {
	st := Strip{Since: until - stripTime, Until: until, Stretches: fewer(flat(gaps, until-stripTime, until))}
	for i := range st.Stretches {
		g := &st.Stretches[i]
		st.Unheard += g.Missed
		w := g.Until - g.Since
		if g.Count > 1 {
			high := max(25, 100*float64(g.Missed)/float64(w)) // so that nothing is too low to be seen
			g.Y, g.Height = percentText(100-high), percentText(high)
		}
		g.X, g.Width = percentOf(g.Since-st.Since), percentOf(max(w, stripTime/500))
		g.Worded = w >= stripWord && g.Count == 1
	}
	return st
}

// flat are the gaps within a window, in order, none over another.
func flat(gaps []index.Gap, since, until int64) []Stretch {
	list := slices.Clone(gaps)
	slices.SortStableFunc(list, func(a, b index.Gap) int { return cmp.Compare(a.Since, b.Since) })
	var all []Stretch
	end := since
	for _, g := range list {
		g.Since, g.Until = max(g.Since, end), min(g.Until, until)
		if g.Since >= g.Until {
			continue
		}
		end = g.Until
		if n := len(all); n > 0 && all[n-1].Until == g.Since && all[n-1].Why == g.Why {
			all[n-1].Until, all[n-1].Missed = g.Until, all[n-1].Missed+g.Until-g.Since
			continue
		}
		all = append(all, Stretch{Gap: g, Count: 1, Missed: g.Until - g.Since})
	}
	return all
}

// fewer joins, where there are too many, the short ones of each hour: to where the last of them ends. The reason is that
// of the longest.
func fewer(list []Stretch) []Stretch {
	if len(list) <= stripParts {
		return list
	}
	var all []Stretch
	longest := int64(0)
	for _, g := range list {
		n := len(all)
		short := g.Until-g.Since < stripCell
		if n == 0 || !short || all[n-1].Missed >= stripCell || all[n-1].Since/stripCell != g.Since/stripCell {
			all = append(all, g)
			longest = g.Missed
			continue
		}
		last := &all[n-1]
		last.Until, last.Count, last.Missed = g.Until, last.Count+1, last.Missed+g.Missed
		if g.Missed > longest {
			last.Why, longest = g.Why, g.Missed
		}
	}
	return all
}

func percentOf(seconds int64) string { return percentText(100 * float64(seconds) / float64(stripTime)) }

func percentText(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) + "%" }

// whyClass is the class of a reason: what no reason of ours is, is drawn as other.
func whyClass(why string) string {
	if _, ok := whyWords[why]; ok {
		return why
	}
	return "other"
}

// whyWords say what the reasons of gaps mean. docs/MIRROR.md has them too.
var whyWords = map[string]string{
	"down":           "the connection was lost, or none came about",
	"refused":        "it did not give what it was asked for",
	"connecting":     "this relay had just begun to listen there",
	"truncated":      "it gave only part of what it holds",
	"paused":         "it lied and was left alone",
	"stopped":        "this relay was not running, or could not take what came",
	"unheard-before": "it had never been heard until then",
}

// partWords say what is asked of an upstream. docs/MIRROR.md has them too.
var partWords = map[string]string{
	"a": "jobs", "b": "handlers", "c": "providers", "d": "customers", "c.past": "providers' past", "d.past": "customers' past",
	"profiles": "profiles",
}
