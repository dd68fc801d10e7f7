package mirror

import (
	"context"

	"github.com/nbd-wtf/go-nostr"
)

// gave notes how many events one answer held: an upstream that cuts answers off gives no more than this at once.
func (u *upstream) gave(n int64) {
	for {
		most := u.most.Load()
		if n <= most || u.most.CompareAndSwap(most, n) {
			return
		}
	}
}

// cutOff says whether an answer of n events may be less than the upstream holds: only one that is as long as any before,
// or as long as was asked for, can be.
func (u *upstream) cutOff(n int) bool {
	return n >= u.m.o.pace.crowd && n >= min(int(u.most.Load()), u.pageLimit())
}

// crowded reads one second that holds more than the upstream gives at once: by parts of the filter's list, ever smaller
// until each is given whole. full is what the filter itself gave. A single kind that is too much remains in part.
func (st *stand) crowded(ctx context.Context, f nostr.Filter, second int64, full int) error {
	n := width(f)
	if n < 2 {
		st.s.u.m.log.Warn("upstream gives only part of a second", "upstream", st.s.u.url, "second", second, "kinds", f.Kinds, "events", full)
		if st.r.part.keys == nil { // whether the upstream is heard is about jobs
			st.cut(ctx, second)
		}
		return nil
	}
	for _, half := range chunk(f, (n+1)/2) {
		q := within(half, second, second)
		q.Limit = st.s.u.pageLimit()
		pg, err := st.ask(ctx, q)
		if err != nil {
			return err
		}
		if got := int(pg.arrived.Load()); got >= full || st.s.u.cutOff(got) {
			if err := st.crowded(ctx, half, second, got); err != nil {
				return err
			}
		}
	}
	return nil
}
