package mirror

import (
	"context"

	"dvmrelay/nip90"
)

// syncDoor hands events of a Sync to the sink, or only counts them.
type syncDoor struct {
	y    *syncer
	sink Sink
}

// Submit implements Sink.
func (d *syncDoor) Submit(ctx context.Context, p *nip90.Parsed) Verdict {
	p.Door = nip90.DoorSync
	if d.y.known != nil {
		return d.y.looked(p.ID)
	}
	v := d.sink.Submit(ctx, p)
	d.y.count(v)
	return v
}

// count notes what became of an event. Refusals are counted by the upstream's tally.
func (y *syncer) count(v Verdict) {
	y.mu.Lock()
	defer y.mu.Unlock()
	r := &y.report
	r.Events++
	switch v.Outcome {
	case Stored:
		r.Stored++
	case Duplicate:
		r.Duplicate++
	case Ignored:
		switch v.Reason {
		case ReasonDeleted:
			r.Deleted++
		case ReasonFactOnly:
			r.FactOnly++
		case ReasonWaiting:
			r.Waiting++
		default:
			r.Stale++
		}
	case Refused, Failed:
	}
}

// looked counts an event of a dry run once, by whether it was ever counted here.
func (y *syncer) looked(id nip90.ID) Verdict {
	v := Verdict{Outcome: Duplicate}
	if h := y.o.Holdings; h != nil {
		known, err := h.Known([]nip90.ID{id})
		if err != nil {
			return Verdict{Outcome: Failed, Err: err}
		}
		if len(known) > 0 && !known[0] {
			v.Outcome = Stored
		}
	} else {
		v.Outcome = Stored
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.report.Events++
	switch {
	case v.Outcome == Duplicate:
		y.report.Duplicate++
	case y.known.add(id):
		y.report.Missing++
	}
	return v
}

// recent remembers the ids of late: pages overlap, and what they share must count once. It is not safe for concurrent use.
type recent struct {
	now, before map[nip90.ID]struct{}
}

// maxRecent bounds each half of what is remembered; one page is far smaller.
const maxRecent = 100_000

// add is false when the id was there.
func (r *recent) add(id nip90.ID) bool {
	if _, ok := r.now[id]; ok {
		return false
	}
	if _, ok := r.before[id]; ok {
		return false
	}
	if r.now == nil || len(r.now) >= maxRecent {
		r.now, r.before = map[nip90.ID]struct{}{}, r.now
	}
	r.now[id] = struct{}{}
	return true
}

// forgetful is a State for what is done once.
type forgetful struct{}

// Meta implements State.
func (forgetful) Meta(string) ([]byte, error) { return nil, nil }

// SetMeta implements State.
func (forgetful) SetMeta(context.Context, string, []byte) error { return nil }

var _ State = forgetful{}
