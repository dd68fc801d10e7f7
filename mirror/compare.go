package mirror

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"
	"dvmrelay/wire/negentropy"

	"github.com/nbd-wtf/go-nostr"
)

// maxCompareTime is how many times the patience for one answer a comparison may take.
const maxCompareTime = 10

// dialogue is a comparison under way, as the reader of the connection sees it. NIP-77.
type dialogue struct {
	answers chan negAnswer // one slot: each is the answer to a message of ours
	notice  chan struct{}  // one slot: a NOTICE came, which may be the answer
}

// negAnswer is a NEG-MSG, or why there is none.
type negAnswer struct {
	message string
	fault   *compareFault
}

func newDialogue() *dialogue {
	return &dialogue{answers: make(chan negAnswer, 1), notice: make(chan struct{}, 1)}
}

// answered hands an answer to the comparison that waits for it.
func (s *session) answered(sub string, a negAnswer) {
	b := s.sub(sub)
	if b == nil || b.talk == nil {
		if !s.late(sub) {
			s.fault(reasonUnasked)
		}
		return
	}
	select {
	case b.talk.answers <- a:
	default: // it says more than it was asked
		s.fault(reasonUnasked)
	}
}

// noticed tells every comparison of something that names none: a NOTICE, or an answer that cannot be read.
func (s *session) noticed(fault *compareFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.subs {
		if b.talk == nil {
			continue
		}
		if fault == nil {
			select {
			case b.talk.notice <- struct{}{}:
			default: // it knows
			}
			continue
		}
		select {
		case b.talk.answers <- negAnswer{fault: fault}:
		default: // it has an answer to read first
		}
	}
}

// errored is what a NEG-ERR means. NIP-77.
func errored(reason string) *compareFault {
	low := strings.ToLower(reason)
	for _, word := range []string{"big", "many", "large", "exceed"} {
		if strings.Contains(low, word) {
			return &compareFault{why: whyTooBig, shorter: true}
		}
	}
	return &compareFault{why: whyRefused, narrower: true}
}

// difference is the outcome of a comparison.
type difference struct {
	need   [][32]byte            // what they alone have
	shared map[nip90.ID]struct{} // what both have of the second oldest
	oldest int64                 // created_at of the oldest that both have; math.MaxInt64 when there is none
}

// compare finds what matches a filter there and not here. It errs with a compareFault when it cannot.
func (st *stand) compare(ctx context.Context, sh side) (difference, error) {
	limit := st.s.u.framed(sh.filter)
	if limit < negentropy.MinFrame {
		return difference{}, &compareFault{why: whyRefused, narrower: true}
	}
	select {
	case st.s.talks <- struct{}{}:
		defer func() { <-st.s.talks }()
	case <-ctx.Done():
		return difference{}, ctx.Err()
	}
	if err := st.s.shares.turns.Acquire(ctx, 1); err != nil { // an upstream may count it as a subscription
		return difference{}, err
	}
	defer st.s.shares.turns.Release(1)
	most := minShare*len(sh.items) + sparedIDs
	b := st.s.add(&sub{talk: newDialogue()})
	have, need, err := st.talk(ctx, b, sh.filter, negentropy.NewClient(negentropy.NewSet(sh.items), limit), most)
	if ctx.Err() != nil {
		return difference{}, ctx.Err()
	}
	if left := st.hangUp(ctx, b); left != nil {
		return difference{}, left
	}
	if err != nil {
		return difference{}, err
	}
	return differ(sh, have, need, st.sees), nil
}

// sees notes that the upstream has an event that is here as well.
func (st *stand) sees(id nip90.ID) {
	if seen := st.s.u.m.o.Seen; seen != nil {
		seen(id, st.s.u.url)
	}
}

// differ tells see of each event that both have.
func differ(sh side, have, need [][32]byte, see func(nip90.ID)) difference {
	ours := make(map[[32]byte]struct{}, len(have))
	for _, id := range have {
		ours[id] = struct{}{}
	}
	d := difference{need: need, oldest: math.MaxInt64, shared: map[nip90.ID]struct{}{}}
	for _, item := range sh.items {
		if _, alone := ours[item.ID]; alone {
			continue
		}
		see(item.ID)
		if item.CreatedAt > d.oldest {
			continue
		}
		if item.CreatedAt < d.oldest {
			d.oldest = item.CreatedAt
			clear(d.shared)
		}
		d.shared[item.ID] = struct{}{}
	}
	return d
}

// talk takes turns until the comparison is done or more than most ids are missing here.
func (st *stand) talk(ctx context.Context, b *sub, f nostr.Filter, c *negentropy.Client, most int) (have, need [][32]byte, err error) {
	if err := st.s.c.Send(ctx, wire.AppendNegOpen(nil, b.id, f, hex.EncodeToString(c.Open()))); err != nil {
		return nil, nil, err
	}
	began := time.Now()
	for {
		if time.Since(began) > maxCompareTime*st.s.u.m.o.pace.answer {
			return nil, nil, &compareFault{why: whyEndless}
		}
		message, err := st.hear(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		raw, err := hex.DecodeString(message)
		if err != nil {
			st.s.fault(reasonShape)
			return nil, nil, &compareFault{why: whyMalformed}
		}
		next, ours, theirs, err := c.Reconcile(raw)
		switch {
		case errors.Is(err, negentropy.ErrEndless):
			return nil, nil, &compareFault{why: whyEndless}
		case err != nil:
			st.s.fault(reasonShape)
			return nil, nil, &compareFault{why: whyMalformed}
		}
		have = append(have, ours...)
		if need = append(need, theirs...); len(need) > most {
			return nil, nil, &compareFault{why: whyShareFew}
		}
		if next == nil {
			return have, need, nil
		}
		if err := st.s.c.Send(ctx, wire.AppendNegMsg(nil, b.id, hex.EncodeToString(next))); err != nil {
			return nil, nil, err
		}
	}
}

// hear waits for the next answer. After a NOTICE it waits only a little longer: that may have been the answer.
func (st *stand) hear(ctx context.Context, b *sub) (string, error) {
	p := st.s.u.m.o.pace
	patience := time.NewTimer(p.answer)
	defer patience.Stop()
	why := whySilent
	for {
		select {
		case a := <-b.talk.answers:
			if a.fault != nil {
				return "", a.fault
			}
			return a.message, nil
		case <-b.closed:
			return "", &compareFault{why: whyRefused, narrower: b.reason == reasonClosed}
		case <-b.talk.notice:
			if why == whySilent {
				why = whyNotice
				patience.Reset(p.split)
			}
		case <-patience.C:
			return "", &compareFault{why: why}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// hangUp forgets a comparison and tells the upstream so.
func (st *stand) hangUp(ctx context.Context, b *sub) error {
	st.s.mu.Lock()
	delete(st.s.subs, b.id)
	st.s.mu.Unlock()
	return st.s.c.Send(ctx, wire.AppendNegClose(nil, b.id))
}

// idsPerReq is how many ids one filter may carry to the upstream.
func (u *upstream) idsPerReq() int {
	const bytesPerID = 67 // with quotes and comma
	n := int64(u.pageLimit())
	if most := u.info.Limitation.MaxMessageLength; most > 0 {
		n = min(n, (most-filterBytes)/bytesPerID)
	}
	return int(max(n, 1))
}

// fetch asks for events by their ids and submits them; oldest is the least created_at that came. Some may be gone since the
// comparison; when it is more than a tenth, the upstream is not believed.
func (st *stand) fetch(ctx context.Context, wanted nostr.Filter, ids []nip90.ID) (oldest int64, err error) {
	oldest = math.MaxInt64
	absent := 0
	for some := range slices.Chunk(ids, st.s.u.idsPerReq()) {
		n, at, err := st.fetchSome(ctx, wanted, some)
		if err != nil {
			return 0, err
		}
		absent, oldest = absent+n, min(oldest, at)
	}
	st.s.u.tally.absent(absent)
	if absent > max(10, len(ids)/10) {
		return 0, &compareFault{why: whyNotGiven}
	}
	return oldest, nil
}

// fetchSome asks for what one filter can carry, and for the rest as long as some of it comes. It says how many did not.
func (st *stand) fetchSome(ctx context.Context, wanted nostr.Filter, ids []nip90.ID) (absent int, oldest int64, err error) {
	oldest = math.MaxInt64
	left := make([]string, len(ids))
	for i, id := range ids {
		left[i] = id.String()
	}
	for len(left) > 0 {
		wanted.IDs = left
		came, at, err := st.askOr(ctx, nostr.Filter{IDs: left, Limit: len(left)}, wanted)
		if err != nil {
			return 0, 0, err
		}
		if len(came) == 0 {
			break
		}
		oldest = min(oldest, at)
		left = slices.DeleteFunc(slices.Clone(left), func(id string) bool { return came[id] })
	}
	return len(left), oldest, nil
}

// bottom looks for events of a slice that the comparison did not show: some relays compare no more than their newest few.
func (st *stand) bottom(ctx context.Context, f nostr.Filter, d difference) error {
	const few = 16 // the oldest second comes along, which proves nothing
	if d.oldest < math.MaxInt64 {
		f = within(f, 0, d.oldest)
	}
	f.Limit = few
	came, _, err := st.askOr(ctx, f, f)
	if err != nil || len(came) == 0 {
		return err
	}
	for _, id := range d.need {
		delete(came, nip90.ID(id).String())
	}
	for id := range d.shared {
		delete(came, id.String())
	}
	if len(came) > 0 {
		return &compareFault{why: whyCutOff}
	}
	return nil
}

// askOr is request, with a refusal as a fault of the comparison.
func (st *stand) askOr(ctx context.Context, f, wanted nostr.Filter) (came map[string]bool, oldest int64, err error) {
	pg, err := st.request(ctx, f, wanted)
	var refused *errRefusedPage
	if errors.As(err, &refused) {
		return nil, 0, &compareFault{why: whyRefused}
	}
	if err != nil {
		return nil, 0, err
	}
	came, oldest = pg.result()
	return came, oldest, nil
}
