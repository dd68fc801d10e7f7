package bench

import (
	"fmt"
	"slices"

	"github.com/nbd-wtf/go-nostr"
)

// item is a generated event with its ready-made frame.
type item struct {
	nostr.Event
	id    eventID
	frame []byte
}

// fate is what the relay said about a stored event, and what follows from that.
type fate uint8

const (
	served fate = iota // a correct relay serves it
	gone               // refused, superseded or deleted
	maybe              // kept until something else arrives, or never answered: both are right
)

// dataset knows what was made, and so what a correct relay answers.
type dataset struct {
	stored, paced, burst []item

	providers []string
	kinds     []int
	start     int64 // unix seconds, of the oldest stored event
	end       int64

	fates    []fate
	byID     map[eventID]int // into stored; live events are -1
	byTag    map[string][]int
	byAuthor map[string][]int
	byKind   map[int][]int
	reqs     []int // requests, found on first use
}

func newDataset(o *Options, w *world, stored, paced, burst []*draft) (*dataset, error) {
	d := &dataset{
		kinds: w.kinds, start: o.End - windowSeconds, end: o.End,
		byID: map[eventID]int{}, byTag: map[string][]int{}, byAuthor: map[string][]int{}, byKind: map[int][]int{},
	}
	for _, p := range w.providers {
		d.providers = append(d.providers, p.public)
	}
	var err error
	if d.stored, err = items(stored); err != nil {
		return nil, err
	}
	if d.paced, err = items(paced); err != nil {
		return nil, err
	}
	if d.burst, err = items(burst); err != nil {
		return nil, err
	}
	for i := range d.stored {
		d.index(i)
	}
	for _, live := range [][]item{d.paced, d.burst} {
		for i := range live {
			d.byID[live[i].id] = -1
		}
	}
	if want := len(stored) + len(paced) + len(burst); len(d.byID) != want {
		return nil, fmt.Errorf("%d of %d events are twins", want-len(d.byID), want)
	}
	d.settle(make([]fate, len(d.stored)))
	return d, nil
}

func items(ds []*draft) ([]item, error) {
	out := make([]item, len(ds))
	err := inParallel(len(ds), func(i int) error {
		e := &out[i]
		e.Event = ds[i].Event
		e.frame = clientFrame([]byte(`["EVENT",` + e.String() + `]`))
		var err error
		e.id, err = decodeID([]byte(e.ID))
		return err
	})
	return out, err
}

func (d *dataset) index(i int) {
	e := &d.stored[i]
	d.byID[e.id] = i
	d.byAuthor[e.PubKey] = append(d.byAuthor[e.PubKey], i)
	d.byKind[e.Kind] = append(d.byKind[e.Kind], i)
	var seen []string
	for _, t := range e.Tags {
		if len(t) < 2 || len(t[0]) != 1 {
			continue
		}
		if k := t[0] + ":" + t[1]; !slices.Contains(seen, k) {
			seen = append(seen, k)
			d.byTag[k] = append(d.byTag[k], i)
		}
	}
}

// address is the replaceable or addressable address of an event, or empty. NIP-01 "Kinds".
func address(e *nostr.Event) string {
	switch {
	case nostr.IsReplaceableKind(e.Kind):
		return fmt.Sprintf("%d:%s", e.Kind, e.PubKey)
	case nostr.IsAddressableKind(e.Kind):
		return fmt.Sprintf("%d:%s:%s", e.Kind, e.PubKey, e.Tags.GetD())
	}
	return ""
}

// settle works out what is served from what the relay said to each event:
// the newest of each address, and nothing that an accepted deletion names.
func (d *dataset) settle(said []fate) {
	d.fates = slices.Clone(said)
	newest := map[string]int{}
	for i := range d.stored {
		e := &d.stored[i]
		if said[i] == gone {
			continue
		}
		if a := address(&e.Event); a != "" {
			j, taken := newest[a]
			switch {
			case !taken:
				newest[a] = i
			case supersedes(&e.Event, &d.stored[j].Event):
				d.fates[j], newest[a] = gone, i
			default:
				d.fates[i] = gone
			}
		}
		if e.Kind != nostr.KindDeletion {
			continue
		}
		for t := range e.Tags.FindAll("e") {
			id, err := decodeID([]byte(t[1]))
			if j, ours := d.byID[id]; err == nil && ours && j >= 0 && d.stored[j].PubKey == e.PubKey {
				d.fates[j] = gone
			}
		}
	}
}

func supersedes(a, b *nostr.Event) bool {
	if a.CreatedAt != b.CreatedAt {
		return a.CreatedAt > b.CreatedAt
	}
	return a.ID < b.ID
}

// candidates are the stored events that can match: a superset.
func (d *dataset) candidates(f *nostr.Filter) []int {
	var out []int
	switch {
	case f.IDs != nil:
		for _, s := range f.IDs {
			id, err := decodeID([]byte(s))
			if i, ours := d.byID[id]; err == nil && ours && i >= 0 {
				out = append(out, i)
			}
		}
	case len(f.Tags) > 0:
		for name, values := range f.Tags {
			for _, v := range values {
				out = append(out, d.byTag[name+":"+v]...)
			}
			break // the other tags are checked by Matches
		}
	case f.Authors != nil:
		for _, a := range f.Authors {
			out = append(out, d.byAuthor[a]...)
		}
	case f.Kinds != nil:
		for _, k := range f.Kinds {
			out = append(out, d.byKind[k]...)
		}
	default:
		since, until := int64(0), d.end
		if f.Since != nil {
			since = int64(*f.Since)
		}
		if f.Until != nil {
			until = int64(*f.Until)
		}
		at, _ := slices.BinarySearchFunc(d.stored, since, func(e item, t int64) int { return int(int64(e.CreatedAt) - t) })
		for ; at < len(d.stored) && int64(d.stored[at].CreatedAt) <= until; at++ {
			out = append(out, at)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// check compares one answer with the right one and says what is wrong with it, or nothing.
// An event with the fate maybe counts as served exactly if the answer has it.
// Where a limit cuts between events of the same second, either may stay.
func (d *dataset) check(f *nostr.Filter, got []eventID) (wrong string, unordered bool) {
	answered := make(map[int]bool, len(got))
	var have []nostr.Timestamp
	for _, id := range got {
		i, ours := d.byID[id]
		switch {
		case !ours || i < 0:
			return "unknown event", false
		case answered[i]:
			return "event sent twice", false
		case d.fates[i] == gone:
			return "refused, superseded or deleted event", false
		case !f.Matches(&d.stored[i].Event):
			return "event does not match the filter", false
		}
		answered[i] = true
		at := d.stored[i].CreatedAt
		if len(have) > 0 && have[len(have)-1] < at {
			unordered = true
		}
		have = append(have, at)
	}
	want := d.wanted(f, answered)
	descending(have)
	switch {
	case len(have) < len(want):
		return "too few events", unordered
	case len(have) > len(want):
		return "too many events", unordered
	case !slices.Equal(have, want):
		return "not the newest events", unordered
	}
	return "", unordered
}

// wanted gives the times of the right answer, newest first.
func (d *dataset) wanted(f *nostr.Filter, answered map[int]bool) []nostr.Timestamp {
	var want []nostr.Timestamp
	for _, i := range d.candidates(f) {
		if d.fates[i] == served || d.fates[i] == maybe && answered[i] {
			if e := &d.stored[i].Event; f.Matches(e) {
				want = append(want, e.CreatedAt)
			}
		}
	}
	descending(want)
	if f.Limit > 0 && len(want) > f.Limit {
		want = want[:f.Limit]
	}
	return want
}

func descending(ts []nostr.Timestamp) {
	slices.SortFunc(ts, func(a, b nostr.Timestamp) int { return int(b - a) })
}
