package index

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// The topics of notes.
const (
	TopicJob      = "job"      // a thread moved
	TopicEvent    = "event"    // an event came in
	TopicProvider = "provider" // a handler was announced, changed or withdrawn, or a service came or went
	TopicUpstream = "upstream" // an upstream changed its state
	TopicStats    = "stats"
)

// Topics are all topics of notes.
func Topics() []string {
	return []string{TopicJob, TopicEvent, TopicProvider, TopicUpstream, TopicStats}
}

// What a provider's note tells.
const (
	ServiceAnnounced = "announced"
	ServiceWithdrawn = "withdrawn"
	ServiceOnline    = "online"
	ServiceOffline   = "offline"
)

// ErrMissed means that notes were asked for which are not kept any more, or were never made.
var ErrMissed = errors.New("notes were missed")

// WatchOptions bound a Watch; zero fields take the defaults.
type WatchOptions struct {
	MaxNotes int           // kept for who comes back; default 10,000
	MaxAge   time.Duration // default 10 min
	Beat     time.Duration // what moves one thread within it becomes one note; default 100 ms
	Fresh    time.Duration // how long a rendering may be shared; default 2 s
	Now      func() time.Time
}

// Moved is an event that moved a thread.
type Moved struct {
	ID        nip90.ID
	Kind      int
	Role      nip90.Role
	PubKey    nip90.PubKey
	CreatedAt int64 // unix seconds
}

// maxMoved is how many of the events that moved a thread within a beat its note names: the newest.
const maxMoved = 64

// Note is one thing that subscribers are told. It names what changed and holds none of it: whoever reads notes shows
// what they name as it is then, so nothing deleted since is shown. All but the unexported fields are immutable.
type Note struct {
	ID       uint64 // grows with every note, also over a restart; below 2^53
	At       int64  // unix seconds
	Topic    string
	Root     nip90.ID     // of a job
	Moved    []Moved      // of a job, oldest first; empty when an event went away. Of an event: the event
	Omitted  int          // how many more moved the job than Moved names
	Provider nip90.PubKey // of a provider
	Service  string       // of a provider: its d
	Turn     string       // of a provider: one of the Service constants
	Name     string       // of what is told from outside: a later note of the topic with this name stands for it
	Told     []byte       // what is told from outside

	shown   atomic.Pointer[Shown]
	settled atomic.Bool // a later note stands for it
}

// Settled says whether a later note with the same topic and name stands for this one.
func (n *Note) Settled() bool { return n.settled.Load() }

// Shown is a note as readers get it. It is shared and never changed.
type Shown struct {
	Version   uint64   // of the view that it was read from
	Root      nip90.ID // of the job it belongs to
	Kinds     []int    // that it can be chosen by
	Customer  string
	Providers []string
	Data      []byte // one line of JSON; nil when there is nothing to show any more
	at        time.Time
}

// Renderer reads what notes name, from one view of the store; it returns one Shown for each.
type Renderer func(ctx context.Context, notes []*Note) ([]Shown, error)

// Watch turns commits into notes, keeps the newest, and lets any number of readers follow them. Safe for concurrent use.
type Watch struct {
	o      WatchOptions
	loss   atomic.Uint64 // the last version that took bodies away
	wake   chan struct{}
	moves  atomic.Uint64 // the last version that moved anything
	recent *Recent

	mu      sync.Mutex // guards below
	pending pending
	notes   []*Note // oldest first, with ids that follow one another
	last    uint64  // id of the newest note ever
	named   map[string]*Note
	grown   chan struct{} // closed when there are new notes
	readers map[string]int
	fresh   []*Note // that may hold a rendering
	beats   beats
}

const (
	defaultMaxNotes = 10_000
	defaultMaxAge   = 10 * time.Minute
	defaultBeat     = 100 * time.Millisecond
	defaultFresh    = 2 * time.Second
)

// NewWatch makes a Watch; its Run turns what Committed hears into notes.
func NewWatch(o WatchOptions) *Watch {
	if o.MaxNotes <= 0 {
		o.MaxNotes = defaultMaxNotes
	}
	if o.MaxAge <= 0 {
		o.MaxAge = defaultMaxAge
	}
	if o.Beat <= 0 {
		o.Beat = defaultBeat
	}
	if o.Fresh <= 0 {
		o.Fresh = defaultFresh
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// Four thousand notes a millisecond are never made, so ids grow over a restart.
	first := uint64(max(o.Now().UnixMilli(), 0)) << 12
	return &Watch{
		o: o, wake: make(chan struct{}, 1), last: first, named: make(map[string]*Note), grown: make(chan struct{}),
		readers: make(map[string]int), pending: newPending(), beats: newBeats(), recent: newRecent(),
	}
}

// Committed hears of a group that is on disk and visible, in the order of commits. It never waits for a reader.
func (w *Watch) Committed(version uint64, commits []store.Commit) {
	now := w.o.Now().Unix()
	lossy := false
	for i := range commits {
		lossy = lossy || takesAway(&commits[i])
	}
	if lossy {
		w.loss.Store(version)
	}
	w.moves.Store(version)
	w.recent.committed(version, commits, now)
	w.mu.Lock()
	for i := range commits {
		w.pending.add(&commits[i], now, w.o.MaxNotes)
	}
	some := !w.pending.empty()
	w.mu.Unlock()
	if some {
		w.nudge()
	}
}

func (w *Watch) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Loss is the last version at which bodies went away other than by being replaced: what was rendered before is not to be
// shown any more.
func (w *Watch) Loss() uint64 { return w.loss.Load() }

// Moves is the last version that wrote anything.
func (w *Watch) Moves() uint64 { return w.moves.Load() }

// Readers is how many follow a topic.
func (w *Watch) Readers(topic string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.readers[topic]
}

// Tell adds a note from outside; it stands for an earlier one with the same topic and name.
func (w *Watch) Tell(topic, name string, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.publish([]*Note{{Topic: topic, Name: name, Told: data}})
}

// publish gives notes their ids and wakes readers. The mutex is held.
func (w *Watch) publish(notes []*Note) {
	now := w.o.Now().Unix()
	for _, n := range notes {
		w.last++
		n.ID, n.At = w.last, now
		if n.Name != "" {
			key := n.Topic + "\x00" + n.Name
			if old := w.named[key]; old != nil {
				old.settled.Store(true)
			}
			w.named[key] = n
		}
		if n.shown.Load() != nil {
			w.fresh = append(w.fresh, n)
		}
	}
	w.notes = append(w.notes, notes...)
	w.trim(now)
	if len(notes) > 0 {
		w.tell()
	}
}

// tell wakes readers. The mutex is held.
func (w *Watch) tell() {
	close(w.grown)
	w.grown = make(chan struct{})
}

// trim forgets old notes. The mutex is held.
func (w *Watch) trim(now int64) {
	drop := max(len(w.notes)-w.o.MaxNotes, 0)
	oldest := now - int64(w.o.MaxAge/time.Second)
	for drop < len(w.notes) && w.notes[drop].At < oldest {
		drop++
	}
	for _, n := range w.notes[:drop] {
		if n.Name != "" && w.named[n.Topic+"\x00"+n.Name] == n {
			delete(w.named, n.Topic+"\x00"+n.Name)
		}
	}
	clear(w.notes[:drop])
	w.notes = w.notes[drop:]
	kept := w.fresh[:0]
	for _, n := range w.fresh {
		if s := n.shown.Load(); s != nil && w.o.Now().Sub(s.at) < w.o.Fresh {
			kept = append(kept, n)
		} else {
			n.shown.Store(nil)
		}
	}
	clear(w.fresh[len(kept):])
	w.fresh = kept
}

// Run makes notes until ctx ends, each rendered once while somebody follows its topic. Its error is nil.
func (w *Watch) Run(ctx context.Context, render Renderer) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	beat := time.NewTimer(w.o.Beat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.mu.Lock()
			w.publish(w.beats.silent(w.o.Now().Unix()))
			w.mu.Unlock()
			continue
		case <-w.wake:
		}
		beat.Reset(w.o.Beat)
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		w.turn(ctx, render)
	}
}

// turn makes notes of what was committed since the turn before.
func (w *Watch) turn(ctx context.Context, render Renderer) {
	w.mu.Lock()
	p := w.pending
	w.pending = newPending()
	notes := append(p.notes(), w.beats.heard(p.signs, w.o.Now().Unix())...)
	var wanted []*Note
	for _, n := range notes {
		if w.readers[n.Topic] > 0 {
			wanted = append(wanted, n)
		}
	}
	w.mu.Unlock()
	if p.lost {
		// Nobody could be told all of it: everybody has to look again.
		w.mu.Lock()
		w.last++
		w.notes, w.fresh = nil, nil
		clear(w.named)
		w.tell()
		w.mu.Unlock()
	}
	for len(wanted) > 0 && ctx.Err() == nil {
		some := wanted[:min(len(wanted), renderAtOnce)]
		wanted = wanted[len(some):]
		// What cannot be rendered now is rendered when somebody reads it.
		_, _ = w.render(ctx, some, render)
	}
	w.mu.Lock()
	w.publish(notes)
	w.mu.Unlock()
}

// renderAtOnce is how many notes are rendered from one view.
const renderAtOnce = 64

// Show renders notes, or takes the rendering that others share while it holds: until bodies are taken away, and for
// WatchOptions.Fresh.
func (w *Watch) Show(ctx context.Context, notes []*Note, render Renderer) ([]*Shown, error) {
	out := make([]*Shown, len(notes))
	var missing []*Note
	var where []int
	for i, n := range notes {
		if s := n.shown.Load(); s != nil && s.Version >= w.loss.Load() && w.o.Now().Sub(s.at) < w.o.Fresh {
			out[i] = s
			continue
		}
		missing, where = append(missing, n), append(where, i)
	}
	for len(missing) > 0 {
		some := missing[:min(len(missing), renderAtOnce)]
		shown, err := w.render(ctx, some, render)
		if err != nil {
			return nil, err
		}
		for i := range some {
			out[where[i]] = shown[i]
		}
		missing, where = missing[len(some):], where[len(some):]
	}
	return out, nil
}

func (w *Watch) render(ctx context.Context, notes []*Note, render Renderer) ([]*Shown, error) {
	list, err := render(ctx, notes)
	if err != nil {
		return nil, err
	}
	now := w.o.Now()
	out := make([]*Shown, len(list))
	for i := range list {
		list[i].at = now
		out[i] = &list[i]
		// Only news is shared; the past is rendered for who comes back, and kept by nobody.
		if notes[i].ID == 0 {
			notes[i].shown.Store(out[i])
		}
	}
	return out, nil
}
