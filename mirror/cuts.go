package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// cut is a span of created_at, both ends included, of which an upstream gave only part to one subscription: more is there
// than it gives at once, and nothing was left to ask for in smaller parts.
type cut struct {
	Since int64  `json:"since"`
	Until int64  `json:"until"`
	Part  string `json:"part"`
}

const (
	maxCuts   = 256 // of one upstream; beyond it the nearest are joined, which says more is missing than is
	maxAgains = 8   // cuts that are read again at a time
)

func cutKey(url string) string { return "heard/cut/" + url }

// cut notes that of a second only part was given.
func (l *Ledger) cut(url, part string, second int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sources[url]; s != nil {
		s.cuts = boundCuts(append(slices.Clone(s.cuts), cut{second, second, part}))
	}
}

// boundCuts puts cuts in order, without those that stand in another, and joins the nearest of a part when they are many.
func boundCuts(cuts []cut) []cut {
	slices.SortFunc(cuts, func(a, b cut) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Since, b.Since), cmp.Compare(b.Until, a.Until))
	})
	var out []cut
	for _, c := range cuts {
		if n := len(out); n > 0 && out[n-1].Part == c.Part && c.Since <= out[n-1].Until+1 {
			out[n-1].Until = max(out[n-1].Until, c.Until)
			continue
		}
		out = append(out, c)
	}
	for len(out) > maxCuts {
		best := 0
		for i := 1; i < len(out); i++ {
			if out[i].Part == out[i-1].Part && (best == 0 || out[i].Since-out[i-1].Until < out[best].Since-out[best-1].Until) {
				best = i
			}
		}
		if best == 0 {
			return out[:maxCuts] // there are not so many parts
		}
		out[best-1].Until = out[best].Until
		out = slices.Delete(out, best, best+1)
	}
	return out
}

// mend says that a span was read whole for a part, but for some seconds. It returns whether that was news.
func (l *Ledger) mend(url, part string, read window, but []int64) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[url]
	if s == nil || len(s.cuts) == 0 {
		return false
	}
	var left []cut
	for _, c := range s.cuts {
		if c.Part != part || c.Until < read.Since || read.Until < c.Since {
			left = append(left, c)
			continue
		}
		if c.Since < read.Since {
			left = append(left, cut{c.Since, read.Since - 1, part})
		}
		if read.Until < c.Until {
			left = append(left, cut{read.Until + 1, c.Until, part})
		}
		for _, second := range but {
			if c.Since <= second && second <= c.Until {
				left = append(left, cut{second, second, part})
			}
		}
	}
	left = boundCuts(left)
	news = !slices.Equal(left, s.cuts)
	s.cuts = left
	return news
}

// cutsOf are the newest cuts of a part.
func (l *Ledger) cutsOf(url, part string, limit int) (newest []cut) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.sources[url]
	if s == nil {
		return nil
	}
	for i := len(s.cuts) - 1; i >= 0 && len(newest) < limit; i-- {
		if s.cuts[i].Part == part {
			newest = append(newest, s.cuts[i])
		}
	}
	return newest
}

// spare calls fn for the stretches of one that was heard, told apart by whether all was given. Ledger.mu must be held.
func (s *source) spare(since, until int64, fn func(since, until int64, is hearing)) {
	for since < until {
		next, is := until, heard
		for _, c := range s.cuts {
			switch {
			case c.Since <= since && since <= c.Until:
				if is == heard {
					is, next = truncated, since
				}
				next = max(next, min(until, c.Until+1))
			case is == heard && since < c.Since:
				next = min(next, c.Since)
			}
		}
		fn(since, next, is)
		since = next
	}
}

// cutBefore are the gaps that cuts are before some time. Ledger.mu must be held.
func (s *source) cutBefore(until int64) (all []Gap) {
	for _, c := range s.cuts {
		if g := (Gap{URL: s.url, Since: c.Since, Until: min(until, c.Until+1), Why: string(truncated)}); g.Since < g.Until {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Until, b.Until)) })
	return slices.Compact(all)
}

// unheard is for how many seconds of a window a source was not heard, by reason; nil when it was heard throughout.
func (l *Ledger) unheard(url string, since, until int64) map[string]int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.sources[url]
	if s == nil {
		return nil
	}
	var by map[string]int64
	s.walk(since, until, l.now().Unix(), func(from, to int64, is hearing) {
		if is == heard {
			return
		}
		if by == nil {
			by = map[string]int64{}
		}
		by[string(is)] += to - from
	})
	return by
}

func (l *Ledger) loadCuts(url string) ([]cut, error) {
	raw, err := l.state.Meta(cutKey(url))
	if err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", url, err)
	}
	var cuts []cut
	if raw != nil {
		if err := json.Unmarshal(raw, &cuts); err != nil {
			l.log.Error("ledger is damaged, that part of it begins anew", "note", cutKey(url), "err", err)
			return nil, nil
		}
	}
	return boundCuts(slices.DeleteFunc(cuts, func(c cut) bool { return c.Until < c.Since })), nil
}

// saveCuts writes the cuts of a source if they changed. Its saving slot must be held.
func (l *Ledger) saveCuts(ctx context.Context, s *source) {
	l.mu.RLock()
	cuts, loaded := s.cuts, s.loaded // never changed in place
	l.mu.RUnlock()
	if !loaded || slices.Equal(cuts, s.wroteCuts) {
		return
	}
	if l.write(ctx, s, cutKey(s.url), cuts) {
		s.wroteCuts = cuts
	}
}

// cut notes that the upstream gives only part of a second, whatever is asked for.
func (st *stand) cut(ctx context.Context, second int64) {
	st.cuts = append(st.cuts, second)
	l, url := st.s.u.m.ledger, st.s.u.url
	l.cut(url, st.r.part.name, second)
	l.save(ctx, url) // before progress passes it
}

// mend tells the ledger that a span was read for the part, whole but for the seconds that were cut meanwhile.
func (st *stand) mend(ctx context.Context, read window) {
	if read.Until < read.Since {
		return
	}
	l, url := st.s.u.m.ledger, st.s.u.url
	if l.mend(url, st.r.part.name, read, st.cuts) {
		l.save(ctx, url)
	}
	st.cuts = slices.DeleteFunc(st.cuts, func(second int64) bool { return read.Since <= second && second <= read.Until })
}

// addAll plans to ask for spans once more, as long as the plan stays short.
func (m *mark) addAll(spans []window) {
	for _, w := range spans {
		if w.Since, w.Until = max(w.Since, m.Floor), min(w.Until, m.Heard); w.Since <= w.Until && len(m.Windows) < maxWindows {
			m.add(w)
		}
	}
}

// again are spans that were cut and are due to be asked for once more: a few, each sweep.
func (st *stand) again(now int64) (all []window) {
	period := int64(st.s.u.m.o.pace.sweep.Seconds())
	st.r.mu.Lock()
	due := now-st.r.again >= period
	if due {
		st.r.again = now
	}
	st.r.mu.Unlock()
	if !due {
		return nil
	}
	for _, c := range st.s.u.m.ledger.cutsOf(st.s.u.url, st.r.part.name, maxAgains) {
		all = append(all, window{c.Since, c.Until})
	}
	return all
}
