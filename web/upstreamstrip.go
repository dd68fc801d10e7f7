package web

import (
	"cmp"
	"slices"
	"strconv"

	"dvmrelay/index"
)

const (
	stripTime  = int64(24 * 60 * 60) // seconds that a strip shows
	stripParts = 48                  // stretches that are drawn at most; beyond, neighbours are drawn as one
	stripWord  = stripTime / 7       // a stretch this long has room for its reason
)

// Stretch is a part of a strip in which something was not heard.
type Stretch struct {
	index.Gap
	X, Width string // of the strip, in percent, as SVG takes them
	Worded   bool   // there is room for the word
	Count    int    // gaps in it
}

// Strip is the last day of one upstream.
type Strip struct {
	Since, Until int64
	Stretches    []Stretch
	Unheard      int64 // seconds
}

// stripOf draws the gaps of one upstream into the day before until, which is in unix seconds. They need not be in order.
func stripOf(gaps []index.Gap, until int64) Strip {
	st := Strip{Since: until - stripTime, Until: until}
	parts := flat(gaps, st.Since, until)
	for _, g := range parts {
		st.Unheard += g.Until - g.Since
	}
	for _, g := range fewer(parts, stripParts) {
		w := g.Until - g.Since
		g.X, g.Width = percentOf(g.Since-st.Since), percentOf(max(w, stripTime/500)) // so that nothing is too narrow to be seen
		g.Worded = w >= stripWord
		st.Stretches = append(st.Stretches, g.Stretch)
	}
	return st
}

type stretch struct{ Stretch }

// flat are the gaps within a window, in order, none over another.
func flat(gaps []index.Gap, since, until int64) []stretch {
	list := slices.Clone(gaps)
	slices.SortStableFunc(list, func(a, b index.Gap) int { return cmp.Compare(a.Since, b.Since) })
	var all []stretch
	end := since
	for _, g := range list {
		g.Since, g.Until = max(g.Since, end), min(g.Until, until)
		if g.Since >= g.Until {
			continue
		}
		end = g.Until
		if n := len(all); n > 0 && all[n-1].Until == g.Since && all[n-1].Why == g.Why {
			all[n-1].Until = g.Until
			continue
		}
		all = append(all, stretch{Stretch{Gap: g, Count: 1}})
	}
	return all
}

// fewer joins the nearest neighbours until there are at most so many stretches. The reason of the longer one stays.
func fewer(list []stretch, most int) []stretch {
	for len(list) > most {
		at, least := 1, int64(0)
		for i := 1; i < len(list); i++ {
			if d := list[i].Since - list[i-1].Until; i == 1 || d < least {
				at, least = i, d
			}
		}
		a, b := &list[at-1], &list[at]
		if b.Until-b.Since > a.Until-a.Since {
			a.Why = b.Why
		}
		a.Until, a.Count = b.Until, a.Count+b.Count
		list = slices.Delete(list, at, at+1)
	}
	return list
}

func percentOf(seconds int64) string {
	return strconv.FormatFloat(100*float64(seconds)/float64(stripTime), 'f', 2, 64) + "%"
}

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
