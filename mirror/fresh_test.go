package mirror_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// listener is a client that holds one subscription without since.
type listener struct {
	t    testing.TB
	name string
	eose chan struct{}

	mu     sync.Mutex // guards below
	stored []*nostr.Event
	live   []*nostr.Event
}

// listen subscribes, and listens until the test ends.
func (h *hub) listen(name string, f nostr.Filter) *listener {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := wire.Dial(ctx, h.addr, wire.DialOptions{ReadLimit: 4 << 20})
	if err != nil {
		h.t.Fatal(err)
	}
	l := &listener{t: h.t, name: name, eose: make(chan struct{})}
	done := make(chan error, 1)
	h.t.Cleanup(func() {
		cancel()
		c.Close()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, wire.ErrClosed) {
			h.t.Errorf("listener %s: %v", name, err)
		}
	})
	if err := c.Req(ctx, "q", f); err != nil {
		h.t.Fatal(err)
	}
	go func() { done <- l.read(ctx, c) }()
	return l
}

func (l *listener) read(ctx context.Context, c *wire.Client) error {
	past := false
	for {
		msg, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case wire.EventMsg:
			l.mu.Lock()
			if past {
				l.live = append(l.live, msg.Event)
			} else {
				l.stored = append(l.stored, msg.Event)
			}
			l.mu.Unlock()
		case wire.EOSE:
			past = true
			close(l.eose)
		case wire.Closed:
			return errors.New("closed: " + msg.Reason)
		}
	}
}

// ids are those of what came after EOSE.
func (l *listener) ids() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.live {
		ids = append(ids, e.ID)
	}
	return ids
}

// onlyNew wants all that came after EOSE to be no older than this, in unix seconds, and nothing twice.
func (l *listener) onlyNew(oldest int64) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range l.live {
		if int64(e.CreatedAt) < oldest {
			l.t.Errorf("listener %s was told of %s, of kind %d and %d s old", l.name, e.ID, e.Kind, time.Now().Unix()-int64(e.CreatedAt))
		}
		if seen[e.ID] {
			l.t.Errorf("listener %s was told of %s twice", l.name, e.ID)
		}
		seen[e.ID] = true
	}
}

// TestFresh_ProvidersAreHandedNoOldJobs: a hub with an empty store reads a month from an upstream. Providers that
// subscribe without since, before or in the middle of that, hear after EOSE of jobs of the last ten minutes, and of new
// ones at once, and never of an old one; nor does who listens for everything, to whom what had to wait for its author
// comes late.
func TestFresh_ProvidersAreHandedNoOldJobs(t *testing.T) {
	leakless(t)
	now := time.Now().Unix()
	w := newWorld(seeded(t), 1500, now)
	past := w.past(t, 1500)
	var recent, old []string
	for i := range 5 {
		e := w.customers[i].event(5300, now-60*int64(i), "", nostr.Tag{"i", strconv.Itoa(i), "text"})
		past, recent = append(past, e), append(recent, e.ID)
	}
	for i := range 5 {
		e := w.customers[i].event(5300, now-900-60*int64(i), "", nostr.Tag{"i", strconv.Itoa(i), "text"})
		past, old = append(past, e), append(old, e.ID)
	}
	r := newMemRelay(t, 100, past)
	const halfWay = 5 // pages
	pages, reached, goOn := 0, make(chan struct{}), make(chan struct{})
	r.paging = func() { // called by one connection's reader
		if pages++; pages == halfWay {
			close(reached)
			<-goOn
		}
	}
	t.Cleanup(sync.OnceFunc(func() {
		select {
		case <-goOn:
		default:
			close(goOn)
		}
	}))
	h := newHub(t)
	jobs, all := nostr.Filter{Kinds: []int{5300}}, nostr.Filter{}
	before := []*listener{h.listen("before", jobs), h.listen("before, for all", all)}
	for _, l := range before {
		h.told(l.name+": EOSE", l.eose)
		if len(l.stored) != 0 {
			t.Fatalf("listener %s was given %d stored events by an empty hub", l.name, len(l.stored))
		}
	}
	m, _ := h.mirrors([]*memRelay{r})
	h.told("the middle of the backfill", reached)
	if u := m.Upstreams()[0]; u.Backfill == nil || u.Backfill.Done {
		t.Fatalf("upstream in the middle of its backfill: %+v", u)
	}
	within := []*listener{h.listen("within", jobs), h.listen("within, for all", all)}
	for _, l := range within {
		h.told(l.name+": EOSE", l.eose)
	}
	first := w.customers[0].event(5300, time.Now().Unix(), "", nostr.Tag{"i", "while it reads", "text"})
	arrives := func(e *stocked) {
		t.Helper()
		began := time.Now()
		r.publish(e)
		for _, l := range slices.Concat(before, within) {
			h.until("a new job at listener "+l.name, func() bool { return slices.Contains(l.ids(), e.ID) })
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("a new job took %s", d)
		}
	}
	arrives(first) // the upstream's reader waits; who publishes does not
	close(goOn)
	h.until("the past", func() bool { return whole(m) })
	arrives(w.customers[1].event(5300, time.Now().Unix(), "", nostr.Tag{"i", "when all is read", "text"}))

	for _, id := range slices.Concat(old, recent) {
		if !slices.Contains(h.servedAll(), id) {
			t.Errorf("job %s is not here", id)
		}
	}
	for _, l := range before {
		for _, id := range recent {
			if !slices.Contains(l.ids(), id) {
				t.Errorf("listener %s was not told of %s, which is some minutes old", l.name, id)
			}
		}
	}
	for _, l := range slices.Concat(before, within) {
		l.onlyNew(now - 600)
	}
}

// told waits for a channel to be closed.
func (h *hub) told(what string, ch <-chan struct{}) {
	h.t.Helper()
	select {
	case <-ch:
	case <-time.After(30 * time.Second):
		h.t.Fatalf("not within 30 s: %s", what)
	}
}
