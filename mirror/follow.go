package mirror

import (
	"context"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"dvmrelay/nip90"

	"golang.org/x/sync/semaphore"
)

// Job is an open job whose answers may appear on relays that are not mirrored.
type Job struct {
	ID        nip90.ID
	Kind      int      // of the request
	CreatedAt int64    // unix seconds
	Relays    []string // where its customer looks for answers, as written. NIP-90
	Writes    []string // where those who answered it or are named by it publish, as written. NIP-65
}

// Jobs name the jobs to follow. It is safe for concurrent use.
type Jobs interface {
	// Open are jobs made since then, unix seconds, that are not at their end, the newest first; at most limit.
	Open(since int64, limit int) ([]Job, error)
}

// bounds of following. What strangers name is never worth more than this.
type bounds struct {
	poll      time.Duration // between two looks at the open jobs
	reissue   time.Duration // between two subscriptions on one connection
	age       time.Duration // of a job; older ones are let go
	patience  time.Duration // that a relay keeps its place while it brings nothing and others wait
	dial      time.Duration
	answer    time.Duration // to answer a subscription with EOSE
	ping      time.Duration
	firstWait time.Duration // before a relay that failed is dialled again; doubles each time
	mostWait  time.Duration

	jobs         int   // followed at once
	jobRelays    int   // relays of one job
	jobNames     int   // addresses of one job that are looked at
	relays       int   // connections
	hostRelays   int   // connections to one host
	relayJobs    int   // jobs on one connection
	dials        int   // a minute
	events       int   // a minute from one relay
	bytes        int64 // a minute from one relay
	strikes      int   // events of one connection that are forged, unasked or against a rule
	messageBytes int64 // of one message
	inFlight     int   // events of one relay on their way to the sink
	flightBytes  int64 // of all such relays
	remembered   int   // hosts that failed, and jobs that were listened for

	except func(netip.AddrPort) bool // tests only: addresses that pass the guard
}

func (b bounds) orDefault() bounds {
	if b.jobs != 0 {
		return b
	}
	return bounds{
		poll: 3 * time.Second, reissue: 5 * time.Second, age: time.Hour, patience: 10 * time.Minute, dial: 10 * time.Second,
		answer: 30 * time.Second, ping: 30 * time.Second, firstWait: 30 * time.Second, mostWait: time.Hour,
		jobs: 300, jobRelays: 8, jobNames: 32, relays: 50, hostRelays: 2, relayJobs: 200, dials: 30, events: 600, bytes: 8 << 20,
		strikes: 20, messageBytes: 512 << 10, inFlight: 8, flightBytes: 8 << 20, remembered: 10_000,
	}
}

// follower listens on relays that jobs name, while those jobs are open. One goroutine runs it; each connection has its own.
type follower struct {
	m     *Mirror
	b     bounds
	guard guard
	bytes *semaphore.Weighted
	look  chan struct{} // one slot: something changed, look at the jobs now
	ended sync.WaitGroup

	mu        sync.Mutex // guards below
	on        bool
	listeners map[string]*listener // by address
	failed    map[string]failure   // by host; by address those that only brought nothing
	dialled   []time.Time          // within the last minute, oldest first
	counted   map[nip90.ID]bool    // jobs of the last look, whose refused addresses were counted
	heard     memory
	tally     followTally
}

// failure is a host, or one relay, that is left alone for a time.
type failure struct {
	until time.Time
	wait  time.Duration
}

func newFollower(m *Mirror, on bool, b bounds) *follower {
	b = b.orDefault()
	return &follower{
		m: m, b: b, on: on, guard: guard{except: b.except}, bytes: semaphore.NewWeighted(max(b.flightBytes, b.messageBytes)),
		look: make(chan struct{}, 1), listeners: map[string]*listener{}, failed: map[string]failure{}, counted: map[nip90.ID]bool{},
		heard: memory{most: b.remembered}, tally: newFollowTally(),
	}
}

// ReloadFollow replaces Options.Follow. Switched off, every connection that following made is closed. It does not wait.
func (m *Mirror) ReloadFollow(on bool) {
	m.follow.mu.Lock()
	m.follow.on = on
	m.follow.mu.Unlock()
	m.follow.soon()
}

func (f *follower) soon() {
	select {
	case f.look <- struct{}{}:
	default: // a look is due already
	}
}

// run follows until ctx ends, and waits for every connection.
func (f *follower) run(ctx context.Context) {
	if f.m.o.Jobs == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer f.ended.Wait()
	defer cancel()
	tick := time.NewTicker(f.b.poll)
	defer tick.Stop()
	for {
		f.turn(ctx)
		select {
		case <-ctx.Done():
			return
		case <-f.look:
		case <-tick.C:
		}
	}
}

// turn looks at the open jobs and makes the connections fit them.
func (f *follower) turn(ctx context.Context) {
	f.mu.Lock()
	on := f.on
	f.mu.Unlock()
	var jobs []Job
	if on {
		var err error
		jobs, err = f.m.o.Jobs.Open(f.m.now().Add(-f.b.age).Unix(), f.b.jobs)
		if err != nil {
			f.m.log.Warn("jobs to follow not read, tried again soon", "err", err)
			return
		}
		jobs = jobs[:min(len(jobs), f.b.jobs)]
	}
	known := f.m.addresses()
	f.mu.Lock()
	defer f.mu.Unlock()
	places := f.places(jobs, known)
	for url, l := range f.listeners {
		if p := places[url]; p != nil {
			l.follow(p.jobs)
			continue
		}
		l.stop()
	}
	for _, p := range f.inOrder(places) {
		if f.listeners[p.url] == nil && f.mayDial() {
			f.start(ctx, p)
		}
	}
}

// start opens a connection for a place. mu must be held.
func (f *follower) start(ctx context.Context, p *place) {
	f.dialled = append(f.dialled, f.m.now())
	f.tally.dials++
	ctx, stop := context.WithCancel(ctx)
	l := &listener{f: f, url: p.url, host: p.host, began: f.m.now(), stop: stop, wake: make(chan struct{}, 1), jobs: p.jobs}
	f.listeners[p.url] = l
	f.ended.Go(func() {
		defer stop()
		f.end(ctx, l, l.listen(ctx))
	})
}

// end notes how a connection ended. One that was ended from here leaves no mark on its host, unless it brought nothing and
// made room for others.
func (f *follower) end(ctx context.Context, l *listener, err error) {
	stopped := ctx.Err() != nil
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.soon() // its place is free
	delete(f.listeners, l.url)
	now := f.m.now()
	if stopped && !l.idle {
		delete(f.failed, l.host)
		return
	}
	reason, who := followReason(err), l.host
	if l.idle {
		reason, who = reasonIdle, l.url
	}
	f.tally.lost[reason]++
	if refusal := refusalOf(err); refusal != "" {
		f.tally.refused[refusal]++
	}
	fail := f.failed[who]
	if l.useful() && now.Sub(l.began) > f.b.patience {
		fail.wait = 0
	}
	fail.wait = min(max(2*fail.wait, f.b.firstWait), f.b.mostWait)
	fail.until = now.Add(fail.wait)
	f.forgive(now)
	f.failed[who] = fail
	f.m.log.Debug("followed relay lost", "relay", l.url, "reason", reason, "err", err, "retry_in", fail.wait)
}

// forgive makes room among the hosts that failed. mu must be held.
func (f *follower) forgive(now time.Time) {
	if len(f.failed) < f.b.remembered {
		return
	}
	soonest, host := time.Time{}, ""
	for h, fail := range f.failed {
		if fail.until.Add(fail.wait).Before(now) {
			delete(f.failed, h)
		} else if host == "" || fail.until.Before(soonest) {
			soonest, host = fail.until, h
		}
	}
	if len(f.failed) >= f.b.remembered {
		delete(f.failed, host)
	}
}

// mayDial says whether one more dial is within what a minute allows. mu must be held.
func (f *follower) mayDial() bool {
	old := f.m.now().Add(-time.Minute)
	for len(f.dialled) > 0 && !f.dialled[0].After(old) {
		f.dialled = f.dialled[1:]
	}
	return len(f.dialled) < f.b.dials && len(f.listeners) < f.b.relays
}

// addresses are the relays that are read anyway, and this one: nothing is to be followed there.
func (m *Mirror) addresses() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]bool, len(m.wanted)+1)
	for _, raw := range append([]string{m.o.Self}, m.wanted...) {
		if u, err := url.Parse(raw); err == nil {
			if u, _, err := spelled(u); err == nil {
				out[u.String()] = true
			}
		}
	}
	return out
}
