package mirror

import (
	"cmp"
	"slices"
)

// Coverage says for how much of a window a source was heard. The URL of this relay's own doors is Self.
type Coverage struct {
	URL           string `json:"url"`
	HeardSeconds  int64  `json:"heard_seconds"`
	WindowSeconds int64  `json:"window_seconds"` // of the window, as far as it is past
}

// Gap is a stretch of time, in unix seconds, in which a source was not heard: Since is in it, Until is not.
type Gap struct {
	URL   string `json:"url"`
	Since int64  `json:"since"`
	Until int64  `json:"until"`
	// Why is down, refused, truncated, paused, connecting, unheard-before or stopped. Truncated: the source gave only part of
	// what it holds. Paused: it lied and was left alone. Stopped: this relay was not running, did not read the source, or
	// could not take what came.
	Why string `json:"why"`
}

// Since is when this relay first opened its doors, as far as the ledger reaches back, in unix seconds; 0 = never.
func (l *Ledger) Since() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sources[Self].line.first()
}

// Coverage is one row for Self and each upstream that is listed, in the order of the configuration. The window is in unix
// seconds, without until itself; the future is left out of it. Who is heard now counts as heard until now; should the
// connection turn out to be dead, the time since its last sign of life, half a minute at most, is taken back.
func (l *Ledger) Coverage(since, until int64) []Coverage {
	l.mu.RLock()
	defer l.mu.RUnlock()
	now := l.now().Unix()
	until = min(until, now)
	var all []Coverage
	for _, url := range l.names() {
		c := Coverage{URL: url, WindowSeconds: max(0, until-since)}
		l.sources[url].walk(since, until, now, func(from, to int64, is hearing) {
			if is == heard {
				c.HeardSeconds += to - from
			}
		})
		all = append(all, c)
	}
	return all
}

// Gaps are the stretches of a window in which a source was not heard, oldest first, at most limit; 0 = all. The window is
// as with Coverage.
func (l *Ledger) Gaps(since, until int64, limit int) []Gap {
	l.mu.RLock()
	defer l.mu.RUnlock()
	now := l.now().Unix()
	var all []Gap
	for _, url := range l.names() {
		all = append(all, l.sources[url].gaps(since, min(until, now), now, limit)...)
	}
	slices.SortStableFunc(all, func(a, b Gap) int { return cmp.Compare(a.Since, b.Since) })
	if limit > 0 && len(all) > limit {
		all = slices.Clip(all[:limit])
	}
	return all
}

// recent are the newest gaps of a source since it was first heard, oldest first.
func (l *Ledger) recent(url string, limit int) []Gap {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.sources[url]
	if s == nil || len(s.line.turns) == 0 {
		return nil
	}
	now := l.now().Unix()
	since := s.line.turns[max(0, len(s.line.turns)-2*limit-1)].at
	all := append(s.cutBefore(since), s.gaps(since, now, now, 0)...)
	return slices.Clone(all[max(0, len(all)-limit):])
}

// names are Self and what is listed. mu must be held.
func (l *Ledger) names() []string { return append([]string{Self}, l.listed...) }

// walk calls fn for each stretch of a window, in order, known or not. Ledger.mu must be held.
func (s *source) walk(since, until, now int64, fn func(since, until int64, is hearing)) {
	first := s.line.first()
	if first == 0 {
		first = now
	}
	if to := min(until, first); since < to {
		fn(since, to, before)
	}
	if len(s.line.turns) == 0 {
		return
	}
	end := s.line.until
	if s.runs {
		end = max(end, now)
	}
	s.line.walk(since, until, end, func(from, to int64, is hearing) {
		if is == heard {
			s.spare(from, to, fn)
			return
		}
		fn(from, to, is)
	})
	if from := max(since, end); from < until {
		fn(from, until, stopped)
	}
}

// gaps are those of a window, the oldest if there is a limit; neighbours with one reason are one. Ledger.mu must be held.
func (s *source) gaps(since, until, now int64, limit int) (all []Gap) {
	s.walk(since, until, now, func(from, to int64, is hearing) {
		n := len(all)
		switch {
		case is == heard:
		case n > 0 && all[n-1].Until == from && all[n-1].Why == string(is):
			all[n-1].Until = to
		case limit > 0 && n == limit: // those are enough
		default:
			all = append(all, Gap{URL: s.url, Since: from, Until: to, Why: string(is)})
		}
	})
	return all
}
