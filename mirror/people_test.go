package mirror

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// someKeys is a Watched that a test changes.
type someKeys struct {
	mu   sync.Mutex // guards below
	pros []nip90.PubKey
	cust []nip90.PubKey
	fail error
}

func (s *someKeys) Providers(_ int64, limit int) ([]nip90.PubKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pros[:min(limit, len(s.pros))]), s.fail
}

func (s *someKeys) Customers(_ int64, limit int) ([]nip90.PubKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.cust[:min(limit, len(s.cust))]), s.fail
}

func (s *someKeys) add(pros, cust []nip90.PubKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pros, s.cust = append(s.pros, pros...), append(s.cust, cust...)
}

// person is the nth key.
func person(n int) nip90.PubKey {
	return nip90.PubKey{byte(n >> 8), byte(n), 0x77, byte(n >> 8), byte(n), 0x77, 0x99, 1}
}

func persons(from, n int) (all []nip90.PubKey) {
	for i := range n {
		all = append(all, person(from+i))
	}
	return all
}

// by makes an event of a person.
func by(pk nip90.PubKey, kind int, at int64, tags ...nostr.Tag) *nostr.Event {
	e := job(kind, at, tags...)
	e.PubKey = pk.String()
	e.ID = e.GetID()
	return e
}

func zapTo(pk nip90.PubKey, at int64) *nostr.Event { return job(9735, at, nostr.Tag{"p", pk.String()}) }

// people says whether a request is about keys.
func (r fakeReq) people() bool { return len(r.filters[0].Authors)+len(r.filters[0].Tags["p"]) > 0 }

// settled says that all parts are heard and the past of all keys was read.
func settled(m *Mirror, keys int) func() bool {
	return func() bool {
		st := m.Upstreams()[0]
		n := 0
		for _, p := range st.Parts {
			if p.State == HeardRefused || p.Pending > 0 {
				return false
			}
			n += p.Keys
		}
		return n == keys && backfilled(m)()
	}
}

// remembers is of how many keys the state says that their past was read.
func (s *memState) remembers(t *testing.T, part, url string) int {
	t.Helper()
	raw, err := s.Meta("mirror/read/" + part + "/" + url)
	if err != nil {
		t.Fatal(err)
	}
	var n memoNote
	if raw == nil {
		return 0
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		t.Fatal(err)
	}
	rows, err := base64.StdEncoding.DecodeString(n.Read)
	if err != nil {
		t.Fatal(err)
	}
	return len(rows) / memoRow
}

func (s *memState) remembersAll(t *testing.T, url string, keys int) func() bool {
	return func() bool {
		return s.remembers(t, "c.past", url) == keys && s.remembers(t, "profiles", url) == keys
	}
}

func TestPeople_ANewProviderIsAskedAboutAndItsPastIsRead(t *testing.T) {
	r, w, sink := newFake(t), &someKeys{}, newSink()
	old, next := person(1), person(2)
	at := time.Now().Unix() - 100_000
	events := []*nostr.Event{by(next, 0, 1000), by(next, 10002, at), zapTo(next, at), zapTo(next, at+5), by(next, 5, at, nostr.Tag{"e", strings.Repeat("1", 64)}), job(1985, at, nostr.Tag{"p", next.String()})}
	others := []*nostr.Event{by(person(3), 0, 1000), zapTo(person(3), at), by(next, 1, at), zapTo(next, 1000)}
	r.events = append(append(r.events, events...), others...)
	w.add([]nip90.PubKey{old}, nil)
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w, Backfill: 48 * time.Hour}, sink, newState())
	eventually(t, "the first provider", settled(m, 1))
	w.add([]nip90.PubKey{next}, nil)
	eventually(t, "the second provider", settled(m, 2))
	for _, e := range events {
		eventually(t, fmt.Sprintf("kind %d at %d of the new provider", e.Kind, e.CreatedAt), func() bool { return sink.has(e) })
	}
	zap, profile := zapTo(next, time.Now().Unix()), by(next, 0, time.Now().Unix())
	r.publish(zap, profile, zapTo(person(3), time.Now().Unix()))
	eventually(t, "a live zap and a live profile", func() bool { return sink.has(zap) && sink.has(profile) })
	if got, want := sink.len(), len(events)+2; got != want {
		t.Errorf("%d events came, want %d: neither of others, nor of other kinds, nor from before the backfill", got, want)
	}
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if d := sink.events[zap.ID].Door; d != nip90.DoorMirror {
		t.Errorf("the live zap came through door %d, want %d", d, nip90.DoorMirror)
	}
	if d := sink.events[events[2].ID].Door; d != nip90.DoorBackfill {
		t.Errorf("the old zap came through door %d, want %d", d, nip90.DoorBackfill)
	}
	if st := m.Upstreams()[0]; len(st.Rejected) > 0 {
		t.Errorf("rejected = %v, want none", st.Rejected)
	}
}

func TestPeople_ACustomersWithdrawalArrivesWhileItsJobIsYoung(t *testing.T) {
	r, w, sink := newFake(t), &someKeys{}, newSink()
	pk, now := person(7), time.Now().Unix()
	before, profile := by(pk, 5, now-5000, nostr.Tag{"k", "5300"}), by(pk, 0, 1000)
	r.events = []*nostr.Event{before, profile, zapTo(pk, now-5000), by(pk, 5, now-100_000)}
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, sink, newState())
	eventually(t, "nobody", settled(m, 0))
	w.add(nil, []nip90.PubKey{pk})
	eventually(t, "the customer", settled(m, 1))
	eventually(t, "what it withdrew before, and its profile", func() bool { return sink.has(before) && sink.has(profile) })
	live := by(pk, 5, now, nostr.Tag{"k", "5300"})
	r.publish(live, zapTo(pk, now), by(pk, 0, now))
	eventually(t, "a live withdrawal", func() bool { return sink.has(live) })
	w.mu.Lock()
	w.cust = nil
	w.mu.Unlock()
	eventually(t, "nobody", settled(m, 0))
	late := by(pk, 5, now+1, nostr.Tag{"k", "5300"})
	r.publish(late)
	fresh := job(5300, now)
	r.publish(fresh)
	eventually(t, "a job", func() bool { return sink.has(fresh) })
	if sink.has(late) || sink.len() != 4 {
		t.Errorf("%d events came, the late one %t, want 4 without it", sink.len(), sink.has(late))
	}
}

func TestPeople_TwoThousandAreAskedAboutInParts(t *testing.T) {
	r, w, sink := newFake(t), &someKeys{}, newSink()
	w.add(persons(0, 2400), persons(5000, 1000))
	for _, n := range []int{0, 250, 1999} {
		r.events = append(r.events, by(person(n), 0, 1000), zapTo(person(n), time.Now().Unix()-5000))
	}
	want := len(r.events)
	r.events = append(r.events, by(person(2300), 0, 1000), zapTo(person(2300), time.Now().Unix()-5000))
	m, stop := start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, sink, newState())
	eventually(t, "all of them", settled(m, 3000))
	eventually(t, "their past", func() bool { return sink.len() == want })
	open, named := 0, map[string]int{}
	r.mu.Lock()
	for c := range r.conns {
		c.mu.Lock()
		open += len(c.subs)
		for _, filters := range c.subs {
			for _, f := range filters {
				for _, key := range f.Authors {
					named[key]++
				}
			}
		}
		c.mu.Unlock()
	}
	r.mu.Unlock()
	if open > maxLive || len(named) != 3000 {
		t.Errorf("%d subscriptions name %d keys, want at most %d that name 3000", open, len(named), maxLive)
	}
	stop()
	if sink.len() != want {
		t.Errorf("%d events came, want %d: those of the first 2,000", sink.len(), want)
	}
	for _, q := range r.requests() {
		if n := len(wire.AppendReq(nil, q.sub, q.filters...)); n > 131072 {
			t.Errorf("a REQ has %d bytes, want at most 131072", n)
		}
		for _, f := range q.filters {
			if len(f.Authors) > keysPerFilter || len(f.Tags["p"]) > keysPerFilter {
				t.Errorf("a filter names %d keys, want at most %d", width(f), keysPerFilter)
			}
		}
	}
}

func TestPeople_AnUpstreamOfTwoSubscriptionsStillGivesEverything(t *testing.T) {
	for _, tc := range []struct {
		name, info string
		most       int
		answer     string
	}{
		{"it says so", `{"limitation":{"max_subscriptions":2}}`, 2, ""},
		{"one only", `{"limitation":{"max_subscriptions":1}}`, 1, ""},
		{"it refuses more", "", 3, "error: too many concurrent subscriptions"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, w, sink := newFake(t), &someKeys{}, newSink()
			r.info, r.maxSubs, r.complaint = tc.info, tc.most, cmp.Or(tc.answer, "error: too many subscriptions")
			past(r, 40)
			w.add(persons(0, 300), persons(900, 20))
			r.events = append(r.events, by(person(299), 0, 1000), zapTo(person(299), time.Now().Unix()-5000), by(person(905), 0, 1000))
			want := slices.Clone(r.events)
			m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, sink, newState())
			eventually(t, "all that is stored", func() bool { return missing(sink, want) == 0 })
			now := time.Now().Unix()
			live := []*nostr.Event{job(5300, now), job(31990, now, nostr.Tag{"d", "y"}), zapTo(person(3), now), by(person(901), 5, now)}
			r.publish(live...)
			eventually(t, "all that is new", func() bool { return missing(sink, live) == 0 })
			r.mu.Lock()
			refused, most := r.refused, r.mostSubs
			r.mu.Unlock()
			if tc.info != "" && (refused > 0 || most > tc.most) {
				t.Errorf("%d subscriptions were open at once, %d were refused, want at most %d and 0", most, refused, tc.most)
			}
			polled := slices.ContainsFunc(m.Upstreams()[0].Parts, func(p PartStatus) bool { return p.State == HeardPolled })
			if tc.info != "" && !polled {
				t.Errorf("status = %+v, want parts that are polled", m.Upstreams()[0].Parts)
			}
		})
	}
}

func TestPeople_RestartAsksOnlyForWhatIsMissing(t *testing.T) {
	r, w, state := newFake(t), &someKeys{}, newState()
	w.add(persons(0, 600), nil)
	m, stop := start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, newSink(), state)
	eventually(t, "all of them", settled(m, 600))
	eventually(t, "their past", state.remembersAll(t, r.addr(), 600))
	stop()
	count := func() (pages, old int) {
		for _, q := range r.requests() {
			if !q.people() {
				continue
			}
			if q.paging() {
				pages++
			}
			for _, f := range q.filters {
				if f.Since == nil || int64(*f.Since) < time.Now().Unix()-11*60 {
					old++
				}
			}
		}
		return pages, old
	}
	first, _ := count()
	missed := zapTo(person(42), time.Now().Unix())
	r.publish(missed)
	w.add([]nip90.PubKey{person(700)}, nil)
	r.events = append(r.events, by(person(700), 0, 1000))
	r.forget()
	sink := newSink()
	m, stop = start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, sink, state)
	eventually(t, "one more", settled(m, 601))
	eventually(t, "its past", state.remembersAll(t, r.addr(), 601))
	eventually(t, "what was missed", func() bool { return sink.has(missed) && sink.has(r.events[1]) })
	stop()
	pages, old := count()
	if first < 9 || pages > 18 || old > 5 {
		t.Errorf("%d pages at first, then %d, of them %d older than the overlap, want at most 18, of them 5 for the new key", first, pages, old)
	}
	for key, value := range state.meta {
		if len(value) > 32<<10 {
			t.Errorf("note %s has %d bytes, want a small one", key, len(value))
		}
	}
	for _, q := range r.requests() {
		for _, f := range q.filters {
			if f.Since == nil && len(f.Authors) > 1 {
				t.Errorf("asked for profiles of %d keys again", len(f.Authors))
			}
		}
	}
}

func TestPeople_AKeyThatWasForgottenIsReadAgain(t *testing.T) {
	r, w, state, sink := newFake(t), &someKeys{}, newState(), newSink()
	w.add(persons(0, 2), nil)
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, sink, state)
	eventually(t, "both", settled(m, 2))
	eventually(t, "their past", state.remembersAll(t, r.addr(), 2))
	w.mu.Lock()
	w.pros = w.pros[:1]
	w.mu.Unlock()
	eventually(t, "one", settled(m, 1))
	eventually(t, "that", state.remembersAll(t, r.addr(), 1))
	while := zapTo(person(1), time.Now().Unix()-3000)
	r.publish(while)
	w.add([]nip90.PubKey{person(1)}, nil)
	eventually(t, "both again", settled(m, 2))
	eventually(t, "what came meanwhile", func() bool { return sink.has(while) })
}
