package mirror

import (
	"context"
	"encoding/hex"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/wire"
	"dvmrelay/wire/negentropy"

	"github.com/nbd-wtf/go-nostr"
)

const offers77 = `{"supported_nips":[1,11,77]}`

// holdings answer from a sink, and know what is gone.
type holdings struct {
	sink *memSink
	mu   sync.Mutex // guards below
	gone map[nip90.ID]bool
}

func (h *holdings) Items(_ context.Context, f nostr.Filter) iter.Seq2[Item, error] {
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	var items []Item
	for _, p := range h.sink.events {
		if f.Matches(p.Event) {
			items = append(items, Item{p.CreatedAt, p.ID})
		}
	}
	return func(yield func(Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func (h *holdings) Known(ids []nip90.ID) ([]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	out := make([]bool, len(ids))
	for i, id := range ids {
		out[i] = h.gone[id] || h.sink.events[id.String()] != nil
	}
	return out, nil
}

// put stores events as if they had come earlier.
func (s *memSink) put(t testing.TB, events ...*nostr.Event) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		p, err := nip90.Open(e, wire.AppendEventJSON(nil, e), nip90.DoorImport, e.CreatedAt.Time())
		if err != nil {
			t.Fatal(err)
		}
		s.events[e.ID] = p
	}
}

// negServer speaks NIP-77 for a fake relay.
type negServer struct {
	r     *fakeRelay
	frame int
	most  int // events of one comparison, else NEG-ERR; 0 = all
	cut   int // events that it looks at, the newest; 0 = all
	claim []negentropy.Item
	twist func(sub string, c *fakeConn) bool // true: it has answered itself

	mu    sync.Mutex // guards below
	sets  map[string]*negentropy.Set
	opens []nostr.Filter
}

func serveNeg(r *fakeRelay) *negServer {
	n := &negServer{r: r, frame: 32_000, sets: map[string]*negentropy.Set{}}
	r.info, r.neg = offers77, n.take
	return n
}

func (n *negServer) opened() []nostr.Filter {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.opens)
}

func (n *negServer) take(cmd wire.Command, c *fakeConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sub, message := "", ""
	switch cmd := cmd.(type) {
	case wire.NegOpen:
		n.opens = append(n.opens, cmd.Filter)
		items := slices.Clone(n.claim)
		if n.cut > 0 {
			cmd.Filter.Limit = n.cut
		}
		for _, e := range n.r.all(cmd.Filter) {
			id, _ := nip90.ParseID(e.ID)
			items = append(items, negentropy.Item{CreatedAt: int64(e.CreatedAt), ID: id})
		}
		if n.most > 0 && len(items) > n.most {
			c.send(wire.AppendNegErr(nil, cmd.Sub, "blocked: this query is too big"))
			return
		}
		sub, message = cmd.Sub, cmd.Message
		n.sets[sub] = negentropy.NewSet(items)
	case wire.NegMsg:
		sub, message = cmd.Sub, cmd.Message
	case wire.NegClose:
		delete(n.sets, cmd.Sub)
		return
	}
	if n.twist != nil && n.twist(sub, c) {
		return
	}
	set := n.sets[sub]
	if set == nil {
		return
	}
	raw, err := hex.DecodeString(message)
	if err == nil {
		raw, err = negentropy.Respond(set, raw, n.frame)
	}
	if err != nil {
		c.send(wire.AppendNegErr(nil, sub, "invalid: "+err.Error()))
		return
	}
	c.send(wire.AppendNegMsg(nil, sub, hex.EncodeToString(raw)))
}

// jobs makes events, one each step seconds, the newest at from.
func jobs(n int, from, step int64) (all []*nostr.Event) {
	for i := range int64(n) {
		all = append(all, job(5300+int(i%3), from-i*step))
	}
	return all
}

// pagings are the requests of backfill by REQ, and the ids that were asked for.
func (r *fakeRelay) pagings() (pages int, ids []string) {
	for _, q := range r.requests() {
		switch {
		case q.paging():
			pages++
		case len(q.filters) == 1 && len(q.filters[0].IDs) > 0:
			ids = append(ids, q.filters[0].IDs...)
		}
	}
	return pages, ids
}

func TestErrored_TellsSizeFromTheRest(t *testing.T) {
	for reason, shorter := range map[string]bool{
		"blocked: this query is too big": true, "RESULTS_TOO_BIG": true, "blocked: too many query results": true, "blocked: filter is not allowed": false,
		"closed: you took too long": false, "": false, "error: disabled": false,
	} {
		if got := errored(reason).shorter; got != shorter {
			t.Errorf("%q: shorter = %t, want %t", reason, got, shorter)
		}
	}
	if !strings.HasPrefix(errored("x").Error(), "not compared") {
		t.Error("a fault does not say what was not done")
	}
}
