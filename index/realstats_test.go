package index

import (
	"cmp"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// realMarket is what the views of the market say of the real events, a day after the newest.
type realMarket struct {
	Handlers []Handler      `json:"handlers"`
	Kinds    []KindHead     `json:"kinds"`
	All      Stats          `json:"all"`
	LastDay  Stats          `json:"last_day"`
	ByKind   map[int]Counts `json:"by_kind"`
}

// TestMarket_RealEvents holds handlers, kinds and statistics of the 176 real events to a golden file, and the figures that a
// reader can count by hand to what a plain walk over the events gives.
//
// Explained: the events are from 2023 to 2025, one here and one there. 35 of the 88 answers have no request among them and
// are unlinked; of the 82 requests, 48 were answered, 40 by a result, and 7 providers asked for 3,496 sat together. Nothing
// was paid: the receipts in the other file belong to no job. Nothing was announced ahead of being asked often: three
// announcements are held and all are stale; Flat Style (5100) could have answered two jobs of the last 30 days and did
// not, Fluffy Frens (5300) had none to answer, Flare serves profiles and videos, which are no jobs. The last two days hold
// ten requests. Customers and providers are exact at this size, quantiles are buckets: 1,589,247 stands for 1,599,000.
func TestMarket_RealEvents(t *testing.T) {
	events := realEvents(t, "real-events.jsonl")
	r := newRig(t, nil)
	r.putReal(t, events)
	r.at.Store(lookedAt)
	var m realMarket
	err := r.View(func(v store.Reader) error {
		page, err := r.x.Handlers(v, HandlerQuery{Limit: MaxLimit})
		if err != nil {
			return err
		}
		kinds, err := r.x.Kinds(v, KindQuery{Until: lookedAt})
		m.Handlers, m.Kinds = page.Items, kinds.Items
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m.All, m.LastDay = r.stats(t, StatsQuery{}), r.stats(t, StatsQuery{Since: lookedAt - 2*daySeconds})
	m.ByKind = make(map[int]Counts)

	requests, customers := make(map[nip90.ID]*nip90.Parsed), make(map[nip90.PubKey]bool)
	perKind, linked, answers := make(map[int]int64), 0, 0
	for _, p := range events {
		if _, ok := p.Message.(*nip90.Request); ok {
			requests[p.ID], customers[p.Author] = p, true
			perKind[p.Event.Kind]++
		}
	}
	for _, p := range events {
		var links []nip90.Link
		switch a := p.Message.(type) {
		case *nip90.Result:
			links = a.Links
		case *nip90.Feedback:
			links = a.Links
		default:
			continue
		}
		answers++
		if slices.ContainsFunc(links, func(l nip90.Link) bool { return requests[l.ID] != nil }) {
			linked++
		}
	}
	for kind, n := range perKind {
		c := r.stats(t, StatsQuery{Kind: kind, Step: -1}).Counts
		if m.ByKind[kind] = c; c.Requests != n {
			t.Errorf("kind %d: %d requests, want %d", kind, c.Requests, n)
		}
	}
	if m.All.Requests != int64(len(requests)) || m.All.Customers != int64(len(customers)) || m.All.Unlinked != int64(answers-linked) {
		t.Errorf("got %d requests, %d customers, %d unlinked; want %d, %d, %d",
			m.All.Requests, m.All.Customers, m.All.Unlinked, len(requests), len(customers), answers-linked)
	}
	slices.SortFunc(m.Kinds, func(a, b KindHead) int { return cmp.Compare(a.Kind, b.Kind) })
	golden(t, "real-market.json", m)
}
