package mirror

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// missing says how many events have not come.
func missing(sink *memSink, events []*nostr.Event) (n int) {
	for _, e := range events {
		if !sink.has(e) {
			n++
		}
	}
	return n
}

func TestMirror_SecondsFullerThanAPageArriveWhole(t *testing.T) {
	at := time.Now().Unix() - 10_000
	var kinds, lists, both []*nostr.Event
	for i := range 120 {
		kinds = append(kinds, job(5003+i*16, at, nostr.Tag{"n", strconv.Itoa(i)}))
	}
	for i := range 60 {
		lists = append(lists, job(31989, at, nostr.Tag{"d", strconv.Itoa(5000 + i)}))
	}
	for i := range 90 { // two crowded seconds side by side, and some traffic around
		both = append(both, job(5000+i*11, at+int64(i%2), nostr.Tag{"n", strconv.Itoa(i)}), job(5300, at-100+int64(i*7), nostr.Tag{"m", strconv.Itoa(i)}))
	}
	for _, tc := range []struct {
		name   string
		events []*nostr.Event
	}{{"many kinds", kinds}, {"many recommendations", lists}, {"neighbours", both}} {
		t.Run(tc.name, func(t *testing.T) {
			r := newFake(t)
			r.maxLimit = 7
			r.events = tc.events
			sink := newSink()
			m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
			eventually(t, "backfill", backfilled(m))
			if n := missing(sink, tc.events); n > 0 {
				t.Errorf("%d of %d events are missing", n, len(tc.events))
			}
		})
	}
}

// TestMirror_CrowdOfOneKindIsTold: nothing is left to split, so the rest of that second is passed over, and said.
func TestMirror_CrowdOfOneKindIsTold(t *testing.T) {
	r := newFake(t)
	r.maxLimit = 7
	at := time.Now().Unix() - 10_000
	older := job(5300, at-5)
	r.events = append(r.events, older)
	for i := range 20 {
		r.events = append(r.events, job(5300, at, nostr.Tag{"n", strconv.Itoa(i)}))
	}
	var mu sync.Mutex
	var log bytes.Buffer
	sink := newSink()
	m, stop := start(t, Options{Upstreams: []string{r.addr()}, Log: slog.New(slog.NewTextHandler(locked{&mu, &log}, nil))}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	stop()
	if !sink.has(older) || sink.len() != 8 {
		t.Errorf("got %d events, the older one %t, want the 7 that the upstream gives, and the older one", sink.len(), sink.has(older))
	}
	if text := log.String(); strings.Count(text, "gives only part of a second") != 1 || !strings.Contains(text, fmt.Sprint(at)) {
		t.Errorf("log says %q, want one line that names the second", text)
	}
}

type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// TestMirror_SecondCutInOneFilterWhileAnotherIsBehind: a page that comes again because another filter has not come as
// far is no proof that its last second is whole.
func TestMirror_SecondCutInOneFilterWhileAnotherIsBehind(t *testing.T) {
	r := newFake(t)
	r.maxLimit, r.maxValues = 7, 1100 // two filters
	at := time.Now().Unix() - 10_000
	for i := range int64(5) {
		r.events = append(r.events, job(5300, at+121+i))
	}
	for i := range 4 {
		r.events = append(r.events, job(5300, at+80, nostr.Tag{"n", strconv.Itoa(i)}))
	}
	for i := range int64(40) {
		r.events = append(r.events, job(6300, at+130+i))
	}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if n := missing(sink, r.events); n > 0 {
		t.Errorf("%d of %d events are missing", n, len(r.events))
	}
}

// TestMirror_QuietUpstreamsAreNotAskedByParts: what is no more than the upstream gives needs no splitting.
func TestMirror_QuietUpstreamsAreNotAskedByParts(t *testing.T) {
	r := newFake(t)
	at := time.Now().Unix() - 10_000
	r.events = []*nostr.Event{job(5300, at), job(5301, at-500), job(31990, at, nostr.Tag{"d", "x"})}
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, pace: func() pace { p := quick(); p.crowd = 0; return p }()}, newSink(), newState())
	eventually(t, "backfill", backfilled(m))
	for _, q := range r.requests() {
		if f := q.filters[0]; q.paging() && f.Since != nil && *f.Since == *f.Until {
			t.Errorf("asked for one second alone: %v", f.String()[:100])
		}
	}
}

func TestMirror_NoKindsOfJobsAskForNoneOfThem(t *testing.T) {
	r := newFake(t)
	at := time.Now().Unix() - 10_000
	handler := job(31990, at, nostr.Tag{"d", "x"})
	r.events = []*nostr.Event{job(5300, at), job(1, at), handler}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Kinds: []int{}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if sink.len() != 1 || !sink.has(handler) {
		t.Errorf("got %d events, the handler %t, want the handler alone", sink.len(), sink.has(handler))
	}
	for _, q := range r.requests() {
		for _, f := range q.filters {
			if len(f.Kinds) == 0 {
				t.Errorf("asked for every kind: %v", f)
			}
		}
	}
}

// TestMirror_CrowdedHistoriesArriveWhole draws histories whose seconds hold more than the upstream gives at once, but no
// kind by itself does.
func TestMirror_CrowdedHistoriesArriveWhole(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 8))
	for round := range 6 {
		r := newFake(t)
		r.maxLimit = 3 + rnd.IntN(8)
		if rnd.IntN(2) == 0 {
			r.maxValues = 200 + rnd.IntN(2000)
		}
		at := time.Now().Unix() - 100_000
		for range 1 + rnd.IntN(12) {
			at += rnd.Int64N(30)
			kinds := rnd.Perm(900)
			for i := range rnd.IntN(4 * r.maxLimit) {
				kind := 5130 + kinds[i]%500
				if kinds[i] >= 450 {
					kind += 1000
				}
				r.events = append(r.events, job(kind, at, nostr.Tag{"n", strconv.FormatUint(rnd.Uint64(), 36)}))
			}
			at++
		}
		sink := newSink()
		m, stop := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
		eventually(t, "backfill", backfilled(m))
		stop()
		if n := missing(sink, r.events); n > 0 {
			t.Errorf("seed %d, round %d: %d of %d events are missing (limit %d, values %d)", seed, round, n, len(r.events), r.maxLimit, r.maxValues)
		}
	}
}
