// Package relay is the door for Nostr sockets: it owns `/`, judges every event that comes in by whatever door, and tells
// live subscribers what was stored. khatru runs the rules and calls the store; its socket, its listeners and its expiry
// loop are never used.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/relay/live"
	"dvmrelay/relay/session"
	"dvmrelay/store"

	"github.com/fiatjaf/khatru"
)

// Deps are what a relay stands on. Store, Index and Policies are required.
type Deps struct {
	Store    *store.Store
	Index    *index.Index
	Policies *policies.Set
	Log      *slog.Logger
	Now      func() time.Time
	Fallback http.Handler // for what is not the relay's; nil answers 404
	// Seen hears of events that came by a socket and were here already. It does not block; nil = nobody asks.
	Seen func(id nip90.ID)
}

// Relay is the relay. All methods are safe for concurrent use.
type Relay struct {
	o       Options
	d       Deps
	key     Key
	hasKey  bool
	admins  []nip90.PubKey
	trusted []netip.Prefix

	khatru    *khatru.Relay
	live      *live.Index
	slots     *slots
	gatherers *slots // sets for reconciliations made at once
	verifier  *verifier
	counters  session.Counters
	counts    counts
	host      atomic.Pointer[hostFor]
	costly    costlies
	slow      slows
	signIns   *signIns

	announcements chan announcement
	started       chan struct{} // closed when Run has begun; no session is older
	stopped       chan struct{} // closed when Run is over

	mu       sync.Mutex // guards below
	sessions map[*session.Session]context.CancelFunc
	closing  bool
	open     sync.WaitGroup
}

// hostFor is what sessions share, made for one set of limits.
type hostFor struct {
	limits policies.Limits
	host   *session.Host
}

// announceQueue is how many groups of commits may wait to be told to live subscribers.
const announceQueue = 256

// New makes a relay. It makes the key file if it is wanted and not there. Nothing runs before Run.
func New(o Options, d Deps) (*Relay, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if d.Store == nil || d.Index == nil || d.Policies == nil {
		return nil, errors.New("make relay: store, index and policies are required")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Fallback == nil {
		d.Fallback = http.HandlerFunc(notFound)
	}
	r := &Relay{
		o: o, d: d,
		live:      live.New(live.Options{}),
		slots:     newSlots(o.InFlightBytes),
		gatherers: newSlots(int64(max(1, runtime.GOMAXPROCS(0)-1))),
		verifier:  newVerifier(runtime.GOMAXPROCS(0)),
		signIns:   newSignIns(),

		announcements: make(chan announcement, announceQueue),
		started:       make(chan struct{}),
		stopped:       make(chan struct{}),
		sessions:      make(map[*session.Session]context.CancelFunc),
	}
	if err := r.identify(); err != nil {
		return nil, err
	}
	r.khatru = khatru.NewRelay()
	r.khatru.Log = slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn)
	r.khatru.RejectConnection = append(r.khatru.RejectConnection, func(*http.Request) bool { return true })
	r.hook(r.khatru)
	return r, nil
}

// identify reads what says who the relay is and whom it trusts.
func (r *Relay) identify() (err error) {
	if r.admins, err = parseAdmins(r.o.Admins); err != nil {
		return err
	}
	if r.trusted, err = parsePrefixes(r.o.TrustedProxies); err != nil {
		return err
	}
	if r.o.KeyFile == "" {
		return nil
	}
	if r.key, err = LoadKey(r.o.KeyFile); err != nil {
		return err
	}
	r.hasKey = true
	return nil
}

// Key is the relay's own identity; false when it has none.
func (r *Relay) Key() (Key, bool) { return r.key, r.hasKey }

// Live is the index of live subscriptions, for its figures.
func (r *Relay) Live() *live.Index { return r.live }

// Run tells subscribers what is stored and looks after the sockets until ctx ends. Then it takes no new ones, says
// goodbye to all, and returns when the last is gone; events under way are finished, so the store must run longer. It is
// called once.
func (r *Relay) Run(ctx context.Context) error {
	close(r.started)
	done := make(chan struct{})
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		r.announceAll(done)
	}()
	r.tick(ctx)
	r.hangUp()
	r.open.Wait()
	close(done)
	<-announced
	close(r.stopped)
	return nil
}

// isOpen waits until the relay runs, and says whether it still does.
func (r *Relay) isOpen(ctx context.Context) bool {
	select {
	case <-r.started:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closing
}

// tick lets every session see the time.
func (r *Relay) tick(ctx context.Context) {
	every := time.Second
	if p := r.o.PingInterval; p > 0 && p/4 < every {
		every = max(p/4, 10*time.Millisecond)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := r.d.Now()
			for _, s := range r.list() {
				s.Tick(now)
			}
		}
	}
}

func (r *Relay) list() []*session.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*session.Session, 0, len(r.sessions))
	for s := range r.sessions {
		all = append(all, s)
	}
	return all
}

// hangUp ends every session and lets no new one begin.
func (r *Relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = true
	for _, cancel := range r.sessions {
		cancel()
	}
}

// serve runs a session on a connection. It says false when the relay takes none any more.
func (r *Relay) serve(conn net.Conn, early []byte, peer *policies.Peer, release func()) bool {
	s := session.New(r.sharedHost(), conn, early, peer)
	ctx, cancel := context.WithCancel(context.Background())
	r.mu.Lock()
	if r.closing {
		r.mu.Unlock()
		cancel()
		return false
	}
	r.sessions[s] = cancel
	r.open.Add(1)
	r.mu.Unlock()
	go func() {
		defer r.open.Done()
		defer release()
		defer cancel()
		s.Run(ctx)
		r.mu.Lock()
		delete(r.sessions, s)
		r.mu.Unlock()
	}()
	return true
}

// sharedHost is what sessions share under the limits in force now.
func (r *Relay) sharedHost() *session.Host {
	limits := r.d.Policies.Limits()
	if h := r.host.Load(); h != nil && h.limits == limits {
		return h.host
	}
	h := &hostFor{limits, r.newHost(limits)}
	r.host.Store(h)
	return h.host
}
