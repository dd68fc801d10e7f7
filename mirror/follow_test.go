package mirror

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// openList names jobs as an index would.
type openList struct {
	mu    sync.Mutex // guards below
	jobs  []Job
	asked int
	err   error
}

func (o *openList) Open(since int64, limit int) ([]Job, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	var out []Job
	for _, j := range o.jobs {
		if j.CreatedAt >= since && len(out) < limit {
			out = append(out, j)
		}
	}
	return out, o.err
}

func (o *openList) set(jobs ...Job) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs = jobs
}

func (o *openList) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// hasty are bounds for tests that let loopback pass.
func hasty() bounds {
	b := bounds{}.orDefault()
	b.poll, b.reissue, b.firstWait, b.mostWait = 5*time.Millisecond, time.Millisecond, 20*time.Millisecond, time.Second
	b.except = func(to netip.AddrPort) bool { return to.Addr().IsLoopback() }
	return b
}

func following(jobs Jobs, b bounds) Options {
	return Options{Follow: true, Jobs: jobs, bounds: b}
}

// asking makes a request, an answer to it, and the job that they are.
func asking(relays, writes []string) (Job, *nostr.Event) {
	request := job(5300, time.Now().Unix(), nostr.Tag{"n", fmt.Sprint(relays, writes)})
	id, _ := nip90.ParseID(request.ID)
	j := Job{ID: id, Kind: 5300, CreatedAt: int64(request.CreatedAt), Relays: relays, Writes: writes}
	return j, job(6300, time.Now().Unix(), nostr.Tag{"e", request.ID})
}

func (r *fakeRelay) standing() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

func (r *fakeRelay) dialled() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dials
}

func TestFollow_AnswersFromTheRelaysThatAJobAndItsProviderName(t *testing.T) {
	named, listed := newFake(t), newFake(t)
	j, result := asking([]string{named.addr() + "/"}, []string{listed.addr()})
	paid := job(9735, time.Now().Unix(), nostr.Tag{"e", j.ID.String()})
	later := job(7000, time.Now().Unix()+1, nostr.Tag{"e", j.ID.String()})
	named.events = []*nostr.Event{result, job(1, time.Now().Unix(), nostr.Tag{"e", j.ID.String()}), job(6300, 5, nostr.Tag{"e", strings.Repeat("0", 64)})}
	listed.events = []*nostr.Event{paid}
	jobs, sink := &openList{}, newSink()
	jobs.set(j)
	var mu sync.Mutex
	seen := map[string]string{}
	o := following(jobs, hasty())
	o.Seen = func(id nip90.ID, upstream string) {
		mu.Lock()
		defer mu.Unlock()
		seen[id.String()] = upstream
	}
	m, stop := start(t, o, sink, newState())
	eventually(t, "result and payment", func() bool { return sink.has(result) && sink.has(paid) })
	named.publish(later)
	eventually(t, "live feedback", func() bool { return sink.has(later) })
	eventually(t, "both relays heard", func() bool { return len(m.Followed(j.ID)) == 2 })
	mu.Lock()
	if seen[result.ID] != named.addr() || seen[paid.ID] != listed.addr() {
		t.Errorf("seen = %v, want the result on %s and the payment on %s", seen, named.addr(), listed.addr())
	}
	mu.Unlock()
	sink.mu.Lock()
	if p := sink.events[result.ID]; p.Door != nip90.DoorMirror || p.Source != named.addr() {
		t.Errorf("result came by door %v from %q, want the mirror's and %s", p.Door, p.Source, named.addr())
	}
	sink.mu.Unlock()
	if got := sink.len(); got != 3 {
		t.Errorf("%d events, want 3: nothing else was asked for", got)
	}
	for _, req := range append(named.requests(), listed.requests()...) {
		for _, f := range req.filters {
			if len(f.Tags["e"]) != 1 || f.Tags["e"][0] != j.ID.String() {
				t.Errorf("asked for %v, want the answers to %s only", f, j.ID)
			}
		}
	}
	jobs.set() // the job ended
	eventually(t, "connections closed", func() bool { return named.standing()+listed.standing() == 0 && m.Following().Relays == 0 })
	if f := m.Following(); f.Dials != 2 || f.Accepted != 3 || f.Jobs != 0 || len(f.Lost) != 0 {
		t.Errorf("following = %+v, want two dials, three events, nothing lost", f)
	}
	stop()
}

func TestFollow_OffDialsNothingAndCanBeSwitched(t *testing.T) {
	r := newFake(t)
	j, result := asking([]string{r.addr()}, nil)
	r.events = []*nostr.Event{result}
	jobs, sink := &openList{}, newSink()
	jobs.set(j)
	o := following(jobs, hasty())
	o.Follow = false
	m, _ := start(t, o, sink, newState())
	other := newFake(t) // an upstream, to know that the mirror runs
	m.Reload([]string{other.addr()})
	eventually(t, "backfill of an upstream", backfilled(m))
	if jobs.times() != 0 || r.dialled() != 0 {
		t.Errorf("jobs were asked for %d times and a relay dialled %d times while following is off", jobs.times(), r.dialled())
	}
	m.ReloadFollow(true)
	eventually(t, "result", func() bool { return sink.has(result) })
	m.ReloadFollow(false)
	eventually(t, "connection closed", func() bool { return r.standing() == 0 && m.Following().Relays == 0 })
	if f := m.Following(); f.Dials != 1 {
		t.Errorf("%d dials, want 1", f.Dials)
	}
}

func TestFollow_LeavesOutUpstreamsAndItself(t *testing.T) {
	up, self, other := newFake(t), newFake(t), newFake(t)
	j, _ := asking([]string{up.addr() + "/", strings.ToUpper(up.addr()[:5]) + up.addr()[5:], self.addr(), other.addr()}, nil)
	jobs := &openList{}
	jobs.set(j)
	o := following(jobs, hasty())
	o.Upstreams, o.Self = []string{up.addr()}, self.addr()+"/"
	m, _ := start(t, o, newSink(), newState())
	eventually(t, "the other relay heard", func() bool { return len(m.Followed(j.ID)) == 1 })
	if up.dialled() > 1 || self.dialled() != 0 {
		t.Errorf("the upstream was dialled %d times, this relay %d times, want 1 and 0", up.dialled(), self.dialled())
	}
}

// TestFollow_GuardStandsBeforeEveryDial has no exception for loopback.
func TestFollow_GuardStandsBeforeEveryDial(t *testing.T) {
	r := newFake(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.URL, "http://"))
	j, _ := asking([]string{r.addr(), "ws://localhost:" + port, "wss://user@relay.damus.io", "wss://x.onion"}, []string{"wss://relay.damus.io:22", "not a relay"})
	jobs := &openList{}
	jobs.set(j)
	b := hasty()
	b.except = nil
	m, _ := start(t, following(jobs, b), newSink(), newState())
	eventually(t, "several looks", func() bool { return jobs.times() > 5 })
	f := m.Following()
	want := map[string]uint64{refusedHidden: 3, refusedNoRelay: 2, refusedPort: 1}
	if fmt.Sprint(f.Refused) != fmt.Sprint(want) || f.Dials != 0 || r.dialled() != 0 {
		t.Errorf("refused %v with %d dials, want %v, counted once, and none", f.Refused, f.Dials, want)
	}
}

// TestFollow_RefusedAtConnect names the server by a name that passes and resolves to loopback only when it is connected to:
// the check of names is bypassed by an exception that ends before the connection.
func TestFollow_RefusedAtConnect(t *testing.T) {
	r := newFake(t)
	j, _ := asking([]string{r.addr()}, nil)
	jobs := &openList{}
	jobs.set(j)
	b := hasty()
	m := New(following(jobs, b), newSink(), newState())
	u, err := m.follow.guard.learned(r.addr())
	if err != nil {
		t.Fatal(err)
	}
	m.follow.guard.except = nil
	l := &listener{f: m.follow, url: u.String(), host: u.Hostname(), began: time.Now(), wake: make(chan struct{}, 1), jobs: map[nip90.ID]Job{j.ID: j}}
	err = l.listen(t.Context())
	if !errors.Is(err, errNotPublic) || r.dialled() != 0 {
		t.Fatalf("listen = %v after %d dials, want %v before any", err, r.dialled(), errNotPublic)
	}
	m.follow.end(t.Context(), l, err)
	if f := m.Following(); f.Refused[refusedHidden] != 1 || f.Lost[reasonGuard] != 1 {
		t.Errorf("following = %+v, want the refusal counted", f)
	}
}

// TestFollow_CapsHoldAgainstTenThousandHostileRequests lets each request name a hundred relays; all hosts are loopback
// addresses on which one relay listens.
func TestFollow_CapsHoldAgainstTenThousandHostileRequests(t *testing.T) {
	r := newFake(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.URL, "http://"))
	var list []Job
	for i := range 10_000 {
		var relays []string
		for k := range 100 {
			relays = append(relays, fmt.Sprintf("ws://127.0.%d.%d:%s/%d", i%200, k, port, k%7))
		}
		j, _ := asking(nil, nil)
		j.ID[0], j.ID[1], j.Relays = byte(i), byte(i>>8), relays
		list = append(list, j)
	}
	honest, _ := asking([]string{r.addr()}, nil)
	jobs := &openList{}
	jobs.set(append([]Job{honest}, list...)...)
	b := hasty()
	b.dials, b.relays, b.relayJobs = 12, 10, 20
	sink := newSink()
	m, stop := start(t, following(jobs, b), sink, newState())
	eventually(t, "every dial of a minute", func() bool { return m.Following().Dials == 12 || m.Following().Relays == 10 })
	for range 20 {
		at := jobs.times()
		eventually(t, "another look", func() bool { return jobs.times() > at })
		f := m.Following()
		if f.Relays > 10 || f.Dials > 12 || f.Jobs > b.jobs {
			t.Fatalf("following = %+v, want at most 10 relays, 12 dials and %d jobs", f, b.jobs)
		}
	}
	for _, req := range r.requests() {
		for _, f := range req.filters {
			if len(f.Tags["e"]) > 20 {
				t.Errorf("%d jobs on one relay, want at most 20", len(f.Tags["e"]))
			}
		}
	}
	if got := m.Following().Refused[refusedTooMany]; got < uint64(b.jobs-1)*80 {
		t.Errorf("%d addresses counted as too many, want at least %d", got, (b.jobs-1)*80)
	}
	if r.dialled() > 12 {
		t.Errorf("the relay was dialled %d times, want at most 12", r.dialled())
	}
	stop()
}

func TestFollow_IdleRelaysMakeRoom(t *testing.T) {
	idle, useful, waits := newFake(t), newFake(t), newFake(t)
	first, _ := asking([]string{idle.addr()}, nil)
	second, result := asking([]string{useful.addr()}, nil)
	useful.events = []*nostr.Event{result}
	jobs, sink := &openList{}, newSink()
	jobs.set(first, second)
	b := hasty()
	b.relays, b.hostRelays, b.patience, b.firstWait, b.mostWait = 2, 10, 0, time.Hour, time.Hour
	m, _ := start(t, following(jobs, b), sink, newState())
	eventually(t, "both heard", func() bool { return len(m.Followed(first.ID)) == 1 && m.Following().Accepted == 1 })
	third, wanted := asking([]string{waits.addr()}, nil)
	waits.events = []*nostr.Event{wanted}
	jobs.set(first, second, third)
	eventually(t, "the third heard", func() bool { return sink.has(wanted) })
	eventually(t, "the idle one left", func() bool { return idle.standing() == 0 && m.Following().Lost[reasonIdle] == 1 })
	if useful.standing() != 1 || waits.standing() != 1 {
		t.Errorf("connections = %d to the useful, %d to the new relay, want 1 and 1", useful.standing(), waits.standing())
	}
}

func TestFollow_NewJobsShareTheConnection(t *testing.T) {
	r := newFake(t)
	first, one := asking([]string{r.addr()}, nil)
	second, two := asking([]string{r.addr(), "junk"}, nil)
	r.events = []*nostr.Event{one, two}
	jobs, sink := &openList{}, newSink()
	jobs.set(first)
	m, _ := start(t, following(jobs, hasty()), sink, newState())
	eventually(t, "first result", func() bool { return sink.has(one) })
	jobs.set(second, first)
	eventually(t, "second result", func() bool { return sink.has(two) })
	later := job(7000, time.Now().Unix(), nostr.Tag{"e", first.ID.String()})
	r.publish(later)
	eventually(t, "live for the first job", func() bool { return sink.has(later) })
	if f := m.Following(); f.Dials != 1 {
		t.Errorf("%d dials, want 1", f.Dials)
	}
	reqs := r.requests()
	last := reqs[len(reqs)-1].filters
	if len(last) != 2 || last[0].Since != nil || last[0].Tags["e"][0] != second.ID.String() || last[1].Since == nil {
		t.Errorf("asked for %v, want all of the new job and only what is new of the other", last)
	}
}

func TestFollow_HostileRelaysAreLeft(t *testing.T) {
	flood := func(make func(i int, j Job) *nostr.Event) func(*fakeRelay, Job) {
		return func(r *fakeRelay, j Job) {
			r.twisted(func(sub string, _ nostr.Filter, c *fakeConn) bool {
				for i := range 1000 {
					c.event(sub, make(i, j))
				}
				return true
			})
		}
	}
	for name, tc := range map[string]struct {
		twist  func(*fakeRelay, Job)
		reason string
	}{
		"unasked": {flood(func(i int, _ Job) *nostr.Event { return job(1, int64(i)) }), reasonHostile},
		"forged ids": {flood(func(i int, j Job) *nostr.Event {
			e := job(7000, int64(i), nostr.Tag{"e", j.ID.String()})
			e.Content = "other"
			return e
		}), reasonHostile},
		"endless": {flood(func(i int, j Job) *nostr.Event { return job(7000, int64(i), nostr.Tag{"e", j.ID.String()}) }), reasonFlood},
		"closed": {func(r *fakeRelay, _ Job) {
			r.twisted(func(sub string, _ nostr.Filter, c *fakeConn) bool {
				c.send(wire.AppendClosed(nil, sub, "auth-required: who are you"))
				return true
			})
		}, reasonServes},
		"silent": {func(r *fakeRelay, _ Job) {
			r.twisted(func(string, nostr.Filter, *fakeConn) bool { return true })
		}, reasonSilent},
		"away":    {func(r *fakeRelay, _ Job) { r.leave(true) }, reasonDial},
		"too big": {func(r *fakeRelay, _ Job) { r.twisted(big) }, reasonTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFake(t)
			j, _ := asking([]string{r.addr()}, nil)
			tc.twist(r, j)
			jobs := &openList{}
			jobs.set(j)
			b := hasty()
			b.events, b.messageBytes, b.answer, b.firstWait, b.mostWait = 100, 4096, 5*time.Second, time.Hour, time.Hour
			if tc.reason == reasonSilent {
				b.answer = 50 * time.Millisecond
			}
			m, _ := start(t, following(jobs, b), newSink(), newState())
			eventually(t, "loss", func() bool { return m.Following().Lost[tc.reason] == 1 })
			at := jobs.times()
			eventually(t, "more looks", func() bool { return jobs.times() > at+3 })
			if f := m.Following(); f.Dials != 1 || f.Relays != 0 {
				t.Errorf("following = %+v, want one dial, and none within the hour after", f)
			}
		})
	}
}

func big(sub string, _ nostr.Filter, c *fakeConn) bool {
	c.send(wire.AppendNotice(nil, sub+strings.Repeat("x", 5000)))
	return true
}

func TestFollow_WaitsGrow(t *testing.T) {
	r := newFake(t)
	r.leave(true)
	j, _ := asking([]string{r.addr()}, nil)
	jobs := &openList{}
	jobs.set(j)
	m, _ := start(t, following(jobs, hasty()), newSink(), newState())
	eventually(t, "some dials", func() bool { return m.Following().Lost[reasonDial] >= 4 })
	m.follow.mu.Lock()
	wait := m.follow.failed["127.0.0.1"].wait
	m.follow.mu.Unlock()
	if wait < 160*time.Millisecond {
		t.Errorf("waits %v after four failures, want 20 ms doubled three times", wait)
	}
}

func TestFollow_MemoryIsBounded(t *testing.T) {
	h := memory{most: 3}
	var ids []nip90.ID
	for i := range 10 {
		id := nip90.ID{byte(i)}
		ids = append(ids, id)
		h.note(id, "wss://a.example")
		h.note(id, "wss://a.example")
		h.note(id, "wss://b.example")
	}
	if len(h.of) != 3 || len(h.order) != 3 || len(h.of[ids[9]]) != 2 || h.of[ids[0]] != nil {
		t.Errorf("remembers %v, want the newest three jobs", h.of)
	}
}
