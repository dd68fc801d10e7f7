package mirror

import (
	"context"
	"errors"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/wire"
	"dvmrelay/wire/negentropy"

	"github.com/nbd-wtf/go-nostr"
)

// How a part of the past was read.
const (
	HowReconciled = "negentropy" // by NIP-77
	HowPages      = "req"        // page by page
)

// Why a part of the past was read page by page, though NIP-77 is known here. Those from whyNotice on are faults of the
// upstream.
const (
	whyNotOffered = "not-offered"
	whyHoldsFew   = "little-held"   // too little is here for a comparison to pay
	whyShareFew   = "little-shared" // too little of what they hold is here
	whyUnread     = "unreadable"    // what is here could not be read
	whyNotice     = "notice"        // it answered with a NOTICE
	whyRefused    = "refused"       // NEG-ERR or CLOSED
	whyTooBig     = "too-big"       // however short the window was
	whySilent     = "silent"
	whyMalformed  = "malformed"
	whyEndless    = "endless"   // it went on without telling anything new
	whyNotGiven   = "not-given" // it has ids and does not give the events
	whyCutOff     = "cut-off"   // it has events and does not show the ids
)

const (
	nipReconcile = 77
	// minHeld events must be here for a window to be compared, and one for every minShare of theirs. A comparison costs about
	// 150 bytes for each event that is missing here: its id comes in hex, is sent back in hex, and is looked up by itself.
	// Pages cost some 1,460 for each that is here already, as long as the real events are on average. So it pays as soon as one
	// event in ten is here, and however short the window: of 128 events with one missing it takes 43 KB where pages take
	// 234 KB, and nearly all of that is the filter (BenchmarkResync). For a handful it saves nothing and takes more turns, and a
	// relay that begins, with nothing here, never compares.
	minHeld  = 64
	minShare = 10
	// sparedIDs may be missing here before minShare is looked at.
	sparedIDs = 1_000
	// sliceItems bounds our side of one comparison, about 4 MiB; the window is cut shorter where there is more.
	sliceItems = 50_000
	// minSlice is the shortest window that is compared, in seconds.
	minSlice = 600
	// minCompared is how many values a filter keeps when upstreams refuse to compare longer ones.
	minCompared = 250
	// maxMisfits ends the use of NIP-77 on a connection.
	maxMisfits = 2
)

// comparing is how one part compares on one connection. It belongs to the goroutine that fills.
type comparing struct {
	span   int64 // seconds of the next slice; 0 = all of the window
	values int   // most values of a filter; 0 = as many as a REQ may carry
}

// side is one filter's side of a comparison.
type side struct {
	filter nostr.Filter
	items  []negentropy.Item
}

// compareFault says why a slice could not be compared.
type compareFault struct {
	why string
	// shorter and narrower: fewer seconds or fewer values in a filter may help.
	shorter, narrower bool
}

func (e *compareFault) Error() string { return "not compared: " + e.why }

// compares says whether NIP-77 is used on this connection.
func (s *session) compares() bool {
	return s.u.m.o.Holdings != nil && s.misfits.Load() < maxMisfits && slices.Contains(s.u.info.NIPs, nipReconcile)
}

// reconcile reads the newest slice of a window by NIP-77. When that is not done, the window is to be read page by page, from
// its end down to since. What is not fetched after a comparison is what was ever counted here, body or not.
func (st *stand) reconcile(ctx context.Context, w window, values int) (since int64, done bool, err error) {
	if !st.s.compares() {
		st.paged(whyNotOffered)
		return w.Since, false, nil
	}
	for tooBig := false; ; {
		slice, shares, err := st.slice(ctx, w, values)
		if err != nil {
			if ctx.Err() != nil {
				return 0, false, ctx.Err()
			}
			st.s.u.m.log.Warn("what is stored could not be read, upstream is asked for everything", "upstream", st.s.u.url, "err", err)
			st.paged(whyUnread)
			return w.Since, false, nil
		}
		st.cmp.span = 2 * (slice.Until - slice.Since + 1)
		held := 0
		for _, sh := range shares {
			held += len(sh.items)
		}
		if held < minHeld && !tooBig {
			st.paged(whyHoldsFew)
			return slice.Since, false, nil
		}
		if held < minHeld {
			err = &compareFault{why: whyTooBig} // for it so little was too much
		} else {
			err = st.bridge(ctx, shares)
		}
		var fault *compareFault
		switch {
		case err == nil:
			return 0, true, st.sliced(ctx, w, slice)
		case !errors.As(err, &fault):
			return 0, false, err
		case fault.why == whyShareFew:
			st.paged(whyShareFew)
			return slice.Since, false, nil
		case fault.shorter && st.shorter(slice), fault.narrower && st.narrower(values):
			tooBig = fault.shorter
			continue
		}
		if st.misfit(fault.why); !st.s.compares() {
			return w.Since, false, nil
		}
		return slice.Since, false, nil
	}
}

// slice is the newest part of a window that is not too much for one comparison, and our side of it. What is too much however
// short comes without.
func (st *stand) slice(ctx context.Context, w window, values int) (window, []side, error) {
	if st.cmp.values > 0 {
		values = min(values, st.cmp.values)
	}
	filters := st.r.part.filters(values)
	slice := w
	if st.cmp.span > 0 {
		slice.Since = max(w.Since, w.Until-st.cmp.span+1)
	}
	for {
		shares, whole, err := st.held(ctx, filters, slice)
		if err != nil || whole {
			return slice, shares, err
		}
		if slice.Until-slice.Since < minSlice {
			return slice, nil, nil
		}
		slice = newerHalf(slice)
	}
}

func newerHalf(w window) window { return window{w.Until - (w.Until-w.Since)/2, w.Until} }

// held is what is here of a slice; not whole when it is too much.
func (st *stand) held(ctx context.Context, filters []nostr.Filter, slice window) (shares []side, whole bool, err error) {
	n := 0
	for _, f := range filters {
		sh := side{filter: within(f, slice.Since, slice.Until)}
		for item, err := range st.s.u.m.o.Holdings.Items(ctx, sh.filter) {
			if err != nil {
				return nil, false, err
			}
			if n++; n > sliceItems {
				return nil, false, nil
			}
			sh.items = append(sh.items, negentropy.Item{CreatedAt: item.CreatedAt, ID: item.ID})
		}
		shares = append(shares, sh)
	}
	return shares, true, nil
}

// shorter cuts the next slice to half of this one; false when it is short enough already.
func (st *stand) shorter(slice window) bool {
	if slice.Until-slice.Since < minSlice {
		return false
	}
	half := newerHalf(slice)
	st.cmp.span = half.Until - half.Since + 1
	return true
}

// narrower halves the filters of comparisons; false when they are small enough already. Those of subscriptions stay.
func (st *stand) narrower(values int) bool {
	if st.cmp.values > 0 {
		values = min(values, st.cmp.values)
	}
	longest := st.r.part.longest(values)
	if longest <= minCompared {
		return false
	}
	st.cmp.values = (longest + 1) / 2
	return true
}

// bridge compares each share and fetches what is missing here.
func (st *stand) bridge(ctx context.Context, shares []side) error {
	for _, sh := range shares {
		d, err := st.compare(ctx, sh)
		if err != nil {
			return err
		}
		missing, err := st.unknown(d.need)
		if err != nil {
			return err
		}
		if st.s.u.m.missing != nil {
			st.s.u.m.missing(missing)
		} else {
			oldest, err := st.fetch(ctx, sh.filter, missing)
			if err != nil {
				return err
			}
			if oldest < d.oldest {
				d.oldest = oldest
			}
		}
		if err := st.bottom(ctx, sh.filter, d); err != nil {
			return err
		}
	}
	return nil
}

// unknown are those of these ids that were never counted here.
func (st *stand) unknown(ids [][32]byte) (out []nip90.ID, err error) {
	const atOnce = 1_000
	for some := range slices.Chunk(ids, atOnce) {
		asked := make([]nip90.ID, len(some))
		for i, id := range some {
			asked[i] = id
		}
		known, err := st.s.u.m.o.Holdings.Known(asked)
		if err != nil {
			st.s.u.m.log.Warn("what is known could not be read", "upstream", st.s.u.url, "err", err)
			return nil, &compareFault{why: whyUnread}
		}
		for i, id := range asked {
			if i < len(known) && !known[i] {
				out = append(out, id)
			}
		}
	}
	return out, nil
}

// sliced lowers the window by a slice that was compared.
func (st *stand) sliced(ctx context.Context, w, slice window) error {
	st.s.u.tally.wasRead(HowReconciled, "", false)
	if err := st.r.change(ctx, func(m *mark) { m.lower(w, slice.Since-1) }); err != nil {
		return err
	}
	st.mend(ctx, slice)
	st.s.fill(ctx)
	return nil
}

// paged notes why the past is read page by page. A fault stays the reason for the rest of the connection.
func (st *stand) paged(why string) {
	if why == whyNotOffered && st.s.misfits.Load() > 0 {
		return
	}
	st.s.u.tally.wasRead(HowPages, why, false)
}

// misfit counts a window that could not be compared.
func (st *stand) misfit(why string) {
	st.s.misfits.Add(1)
	st.s.u.tally.wasRead(HowPages, why, true)
	st.s.u.m.log.Info("upstream cannot be compared with, its past is read page by page", "upstream", st.s.u.url, "part", st.r.part.name, "why", why)
}

// framed is how long a message of NIP-77 to this upstream may be, in bytes before they are written in hex, beside a filter.
func (u *upstream) framed(f nostr.Filter) int {
	const (
		usual  = 60_000 // what relays commonly take, whatever they say
		around = 256    // of the frame itself
	)
	if most := u.info.Limitation.MaxMessageLength; most > 0 {
		return int(min(usual, (most-around-int64(len(wire.AppendFilter(nil, f))))/2))
	}
	return usual
}
