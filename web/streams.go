package web

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of answers without an end.
const (
	maxStreams        = 512
	maxStreamsOfOne   = 16
	maxExports        = 4
	maxExportsOfOne   = 2
	refusedAll        = "full"
	refusedOne        = "address"
	droppedSlow       = "slow"   // did not take what was written
	droppedBehind     = "behind" // took it too slowly
	droppedUnreadable = "store"  // the store could not be read
)

// room bounds how many answers of a kind are under way, in all and for each address.
type room struct {
	all, each int
	mu        sync.Mutex // guards below
	used      int
	by        map[string]int
}

// enter takes a place; the address is empty for who is bounded by the whole only. refused is empty when there is one.
func (r *room) enter(address string) (leave func(), refused string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.used >= r.all:
		return nil, refusedAll
	case address != "" && r.by[address] >= r.each:
		return nil, refusedOne
	}
	r.used++
	if address != "" {
		r.by[address]++
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.used--
		if address == "" {
			return
		}
		if r.by[address]--; r.by[address] == 0 {
			delete(r.by, address)
		}
	}), ""
}

func (r *room) inUse() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// streams is what is counted of answers without an end.
type streams struct {
	open, exports room
	refused       [2]atomic.Uint64 // refusedAll, refusedOne
	slow, behind  atomic.Uint64
	unreadable    atomic.Uint64
	resets        atomic.Uint64
	notes         map[string]*atomic.Uint64 // by topic

	heartbeat time.Duration
	deadline  time.Duration // for a peer to take what is written
	behindBy  int           // notes
	pulse     time.Duration // between looks at a live page
}

func (s *streams) refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "10")
	if why == refusedOne {
		s.refused[1].Add(1)
		problem(w, http.StatusTooManyRequests, "too many of these are open for your address: close some first")
		return
	}
	s.refused[0].Add(1)
	problem(w, http.StatusServiceUnavailable, "too many of these are open, try again in a moment")
}

// Figures implements Gauges.
func (s *Site) Figures() []Figure {
	st := &s.streams
	out := []Figure{
		{Name: "dvmrelay_web_streams", Help: "Streams that are open.", Value: float64(st.open.inUse())},
		{Name: "dvmrelay_web_exports", Help: "Exports under way.", Value: float64(st.exports.inUse())},
		{Name: "dvmrelay_web_stream_resets_total", Help: "Streams told that they missed something.", Total: true, Value: float64(st.resets.Load())},
	}
	for i, why := range [...]string{refusedAll, refusedOne} {
		out = append(out, Figure{
			Name: "dvmrelay_web_refused_streams_total", Help: "Streams and exports refused, by reason.", Total: true,
			Labels: []Label{{"reason", why}}, Value: float64(st.refused[i].Load()),
		})
	}
	for why, n := range map[string]*atomic.Uint64{droppedSlow: &st.slow, droppedBehind: &st.behind, droppedUnreadable: &st.unreadable} {
		out = append(out, Figure{
			Name: "dvmrelay_web_dropped_streams_total", Help: "Streams ended by the relay, by reason.", Total: true,
			Labels: []Label{{"reason", why}}, Value: float64(n.Load()),
		})
	}
	for topic, n := range st.notes {
		out = append(out, Figure{
			Name: "dvmrelay_web_stream_notes_total", Help: "Notes written to streams, by topic.", Total: true,
			Labels: []Label{{"topic", topic}}, Value: float64(n.Load()),
		})
	}
	return out
}
