package mirror

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	maxLive  = 8 // subscriptions of one upstream that stay open
	maxPages = 4 // pages of backfill that it is asked for at once
	// complaintTime is how long an upstream is believed that it bears no more subscriptions than it had.
	complaintTime = time.Hour
)

// bearing is how many subscriptions at once an upstream was found to bear. It is safe for concurrent use.
type bearing struct {
	mu sync.Mutex // guards below
	n  int        // 0 = it never complained
	at time.Time
}

// most is the bound that an upstream names, or the one that it was found to have; 0 = unknown.
func (b *bearing) most(named int64, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := int(min(max(named, 0), 1<<20))
	if b.n > 0 && now.Sub(b.at) < complaintTime && (most == 0 || b.n < most) {
		most = b.n
	}
	return most
}

// learn notes that an upstream complained while it had n subscriptions, and says whether that is news.
func (b *bearing) learn(n int, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n > 0 && now.Sub(b.at) < complaintTime && n >= b.n {
		return false
	}
	b.n, b.at = n, now
	return true
}

// splitShares divides so many subscriptions, 0 = unknown, into those that stay open and those for pages of the past. At least
// one is left for pages, because what is not live is read by pages.
func splitShares(most int) (live, pages int) {
	if most <= 0 {
		return maxLive, maxPages
	}
	pages = min(max(most/4, 1), maxPages)
	return min(most-pages, maxLive), pages
}

// shares divides the subscriptions that an upstream bears among the parts of a session. It is safe for concurrent use.
type shares struct {
	turns *semaphore.Weighted // one for each page; who waits longest is next

	mu     sync.Mutex // guards below
	order  []*stand   // those that want live subscriptions, the most important first
	wants  []int
	grants []int
	held   []int // what each has or is about to open
	live   int
	pages  int
}

func newShares(all []*stand, most int) *shares {
	s := &shares{}
	s.live, s.pages = splitShares(most)
	s.turns = semaphore.NewWeighted(int64(s.pages))
	for _, st := range all {
		if !st.r.part.past {
			s.order = append(s.order, st)
			s.wants = append(s.wants, 1)
		}
	}
	s.grants, s.held = grant(s.wants, s.live), make([]int, len(s.order))
	return s
}

// grant gives everybody one, as far as they reach, then more to those who want more; the first comes first.
func grant(wants []int, live int) []int {
	got := make([]int, len(wants))
	for _, most := range [...]int{1, maxSubsPerPart, maxLive} {
		for i, want := range wants {
			more := min(min(want, most)-got[i], live)
			if more > 0 {
				got[i] += more
				live -= more
			}
		}
	}
	return got
}

// ask says how many subscriptions a part may have now that wants so many. Others that may have fewer are told; when they
// have closed theirs the part is told to ask again.
func (s *shares) ask(st *stand, want int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.order, st)
	if i < 0 {
		return 0
	}
	s.wants[i] = max(want, 1)
	s.divide(st)
	free := s.live + s.held[i]
	for _, n := range s.held {
		free -= n
	}
	may := max(min(s.grants[i], free), 0)
	s.held[i] = max(s.held[i], may)
	return may
}

// has notes how many subscriptions a part has now, and that it will open no more until it asks.
func (s *shares) has(st *stand, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.order, st)
	if i < 0 || s.held[i] == n {
		return
	}
	s.held[i] = n
	for j, o := range s.order {
		if j != i && s.held[j] < min(s.grants[j], s.wants[j]) {
			signal(o.shared)
		}
	}
}

// divide grants anew, and tells all whose share changed but the one who asks. mu must be held.
func (s *shares) divide(asks *stand) {
	before := s.grants
	s.grants = grant(s.wants, s.live)
	for i, st := range s.order {
		if s.grants[i] != before[i] && st != asks {
			signal(st.shared)
		}
	}
}

// shrink makes do with so many subscriptions in all. It waits for pages that are under way.
func (s *shares) shrink(ctx context.Context, most int) error {
	s.mu.Lock()
	live, pages := splitShares(most)
	fewer := max(0, s.pages-pages)
	s.live, s.pages = min(s.live, live), min(s.pages, pages)
	s.divide(nil)
	s.mu.Unlock()
	if fewer == 0 {
		return nil
	}
	return s.turns.Acquire(ctx, int64(fewer)) // for ever
}

// complains hears what an upstream says beside its answers: that it has too many subscriptions makes them fewer. It is
// called by the reader alone.
func (s *session) complains(ctx context.Context, text string) {
	text = strings.ToLower(text[:min(len(text), 200)])
	much := strings.Contains(text, "too many") || strings.Contains(text, "maximum") || strings.Contains(text, "limit")
	if !much || strings.Contains(text, "filter") || !strings.Contains(text, "subscription") && !strings.Contains(text, "concurrent") {
		return
	}
	s.mu.Lock()
	open := -1 // the one that it complains of is not
	for _, b := range s.subs {
		if !b.over || b.past {
			open++
		}
	}
	s.mu.Unlock()
	most := max(open, 1)
	if !s.u.bears.learn(most, s.u.m.now()) {
		return
	}
	s.u.m.log.Info("upstream bears fewer subscriptions", "upstream", s.u.url, "subscriptions", most)
	s.workers.Go(func() {
		// the end of the session ends the wait, and then nothing is left to share
		_ = s.shares.shrink(ctx, most)
	})
}

// signal tells who waits for it, without waiting.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been told already
	}
}

// fits is how many filters with so many values, of so many bytes each, one subscription carries.
func (u *upstream) fits(values, bytes int) capacity {
	message := int64(maxMessage)
	if most := u.info.Limitation.MaxMessageLength; most > 0 {
		message = most
	}
	n := int64(1 << 20)
	if most := u.info.Limitation.MaxFilters; most > 0 {
		n = most
	}
	n = max(min(n, message/int64(bytes*values+filterBytes)), 1)
	return capacity{wanted: int(min(n, maxPerSub)), most: int(n)}
}

// filterBytes is how long everything else in a filter is as JSON.
const filterBytes = 128

// fitting is the most values, of so many bytes each, that fit a message of the upstream.
func (u *upstream) fitting(values, bytes int) int {
	if most := u.info.Limitation.MaxMessageLength; most > 0 {
		values = min(values, int(max(minValues, (most-filterBytes)/int64(bytes))))
	}
	return values
}
