package mirror

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

func TestMirror_KindsThatAreAcceptedAgainAreReadFromTheBeginning(t *testing.T) {
	r := newFake(t)
	at := time.Now().Unix() - 100_000
	one, two := job(5300, at), job(5301, at+5)
	r.events = []*nostr.Event{one, two}
	state, sink := newState(), newSink()
	run := func(kinds ...int) {
		t.Helper()
		r.forget()
		m, stop := start(t, Options{Upstreams: []string{r.addr()}, Kinds: kinds}, sink, state)
		eventually(t, "backfill", backfilled(m))
		stop()
	}
	run(5300)
	if !sink.has(one) || sink.has(two) {
		t.Fatalf("kind 5300 %t, 5301 %t, want only the first", sink.has(one), sink.has(two))
	}
	run(5300, 5301)
	if !sink.has(two) {
		t.Error("a kind that was asked for later lacks its past")
	}
	for _, kinds := range [][]int{{5300, 5301}, {5301}} {
		run(kinds...)
		for _, q := range r.requests() {
			if f := q.filters[0]; f.Kinds[0] < 6000 && (f.Since == nil || int64(*f.Since) < at+50_000) {
				t.Errorf("with %v, all of it read before, asked %v, want no more than the overlap", kinds, f)
			}
		}
	}
}

func TestMirror_KindsChangeWhileItRuns(t *testing.T) {
	r := newFake(t)
	at := time.Now().Unix() - 100_000
	one, two := job(5300, at), job(5301, at+5)
	r.events = []*nostr.Event{one, two}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Kinds: []int{5300}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	m.ReloadKinds([]int{5300}) // nothing new
	m.ReloadKinds([]int{5300, 5301})
	eventually(t, "the past of the new kind", func() bool { return sink.has(two) })
	live := job(5301, time.Now().Unix())
	r.publish(live)
	eventually(t, "a live event of the new kind", func() bool { return sink.has(live) })
	if st := m.Upstreams()[0]; st.Accepted < 2 || st.Connects != 2 {
		t.Errorf("status = %+v, want one new connection and its counts kept", st)
	}
	m.ReloadKinds([]int{})
	eventually(t, "no kinds of jobs", func() bool { return m.Upstreams()[0].Connects == 3 && backfilled(m)() })
	eventually(t, "the end of the old connections", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.conns) == 1
	})
	m.ReloadKinds(nil)
	gone := job(6999, at)
	r.publish(gone)
	eventually(t, "the default", func() bool { return sink.has(gone) })
}

func TestMark_Cover(t *testing.T) {
	old := mark{Heard: 100, Floor: 10, Kinds: []span{{5000, 5999}, {7000, 7000}}}
	for _, tc := range []struct {
		name  string
		kinds []int
		want  []window
	}{
		{"the same", append(DefaultKinds()[:0:0], 5000, 5001, 7000), nil},
		{"one more", []int{5000, 7000, 7007}, []window{{10, 100}}},
		{"one inside", []int{5500}, nil},
		{"over the edge", []int{5999, 6000}, []window{{10, 100}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := old.clone()
			m.cover(spans(tc.kinds))
			if d := cmp.Diff(tc.want, m.Windows, cmp.AllowUnexported(window{})); d != "" {
				t.Errorf("windows: -want +got\n%s", d)
			}
		})
	}
	fresh := mark{Heard: 100, Floor: 10} // written before kinds were
	fresh.cover(spans([]int{5000}))
	if len(fresh.Windows) != 0 || len(fresh.Kinds) != 1 {
		t.Errorf("mark = %+v, want the kinds and nothing to read", fresh)
	}
}
