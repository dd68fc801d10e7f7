package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Self is the name under which a Ledger keeps this relay's own doors.
const Self = "self"

const (
	// recentTurns is how many turns stand in the note that is written often; half of the overflow moves to the other.
	recentTurns = 64
	// growEvery is how often a Ledger writes down that sources are still heard. What a signal of life vouches for may be
	// as old again, so a killed process forgets half a minute at most.
	growEvery = 15 * time.Second
	// saveTime bounds how long the end of a stretch may take to be written.
	saveTime = 5 * time.Second
)

// Ledger remembers when each upstream was heard, and when this relay's own doors were open, across restarts. What was
// missed counts as heard once the mirror has read it from the upstream's past. All methods are safe for concurrent use;
// reading takes no I/O.
type Ledger struct {
	state State
	now   func() time.Time
	log   *slog.Logger

	pulsed atomic.Int64 // unix seconds when this relay last said that it lives

	mu      sync.RWMutex // guards below
	sources map[string]*source
	listed  []string
}

// source is the timeline of one upstream, or of Self.
type source struct {
	url    string
	saving chan struct{} // one slot: keeps writes in order without holding mu meanwhile

	// guarded by Ledger.mu
	loaded bool
	line   timeline
	moved  int          // so many turns stand in the note of the past
	runs   bool         // it is listened to, or tried; else it is stopped since line.until
	reach  func() int64 // while heard: until when that is certain; nil = now
	cuts   []cut        // replaced, never changed in place

	// guarded by saving
	wrotePast []turn
	wroteNow  note
	wroteCuts []cut
	failing   bool // the last write failed, and that was told
}

// note is what stands on disk: turns, and until when the last one is known to hold.
type note struct {
	Turns []turn `json:"turns"`
	Until int64  `json:"until"`
}

// NewLedger opens what is remembered in state. Now nil = time.Now, log nil = silence. Run writes; without it a ledger can
// be read.
func NewLedger(state State, now func() time.Time, log *slog.Logger) *Ledger {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{state: state, now: now, log: log, sources: map[string]*source{}}
	l.list(nil)
	return l
}

// Run keeps Self heard until ctx ends, and writes down now and then how far every source is heard. The state must take
// writes until Run has returned. It returns nil.
func (l *Ledger) Run(ctx context.Context) error {
	for wait := time.Second; ; wait = min(2*wait, growEvery) { // sooner at first: a process that starts may be killed again
		l.pulse(ctx)
		if !sleep(ctx, wait) {
			l.end(ctx, Self)
			return nil
		}
	}
}

// pulse says that this relay lives. Where pulses are missing, the machine slept, and nothing was heard at its doors.
func (l *Ledger) pulse(ctx context.Context) {
	if err := l.begin(ctx, Self); err != nil {
		l.log.Warn("ledger not read, tried again later", "source", Self, "err", err)
	}
	now := l.now().Unix()
	if l.awake() < now {
		l.lost(Self, stopped)
	}
	l.pulsed.Store(now)
	l.up(Self, now, l.awake)
	l.grow(ctx)
}

// awake is until when this relay certainly lived: now, unless pulses are missing.
func (l *Ledger) awake() int64 {
	const missed = 3 * int64(growEvery/time.Second)
	last, now := l.pulsed.Load(), l.now().Unix()
	if last != 0 && now-last > missed {
		return last
	}
	return now
}

// list says which upstreams there are to tell about.
func (l *Ledger) list(urls []string) {
	for _, url := range append([]string{Self}, urls...) {
		if _, err := l.load(url); err != nil {
			l.log.Warn("ledger not read", "source", url, "err", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed = slices.Clone(urls)
}

// load reads what is remembered of a source, once.
func (l *Ledger) load(url string) (*source, error) {
	l.mu.Lock()
	s := l.sources[url]
	if s == nil {
		s = &source{url: url, saving: make(chan struct{}, 1)}
		l.sources[url] = s
	}
	loaded := s.loaded
	l.mu.Unlock()
	if loaded {
		return s, nil
	}
	var past, recent note
	for key, n := range map[string]*note{pastKey(url): &past, recentKey(url): &recent} {
		raw, err := l.state.Meta(key)
		if err != nil {
			return s, fmt.Errorf("read ledger of %s: %w", url, err)
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, n); err != nil {
			l.log.Error("ledger is damaged, that part of it begins anew", "note", key, "err", err)
			*n = note{}
		}
	}
	cuts, err := l.loadCuts(url)
	if err != nil {
		return s, err
	}
	line, moved := join(past, recent)
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.loaded {
		return s, nil
	}
	s.loaded, s.line, s.moved, s.cuts, s.wroteCuts = true, line, moved, cuts, cuts
	return s, nil
}

// join puts the two notes together. A process may have ended between writing the one and the other, so turns may stand in
// both, and what they say at the seam may be the same.
func join(past, recent note) (line timeline, moved int) {
	add := func(t turn) {
		n := len(line.turns)
		if n == 0 && t.is != heard || n > 0 && (t.at <= line.turns[n-1].at || t.is == line.turns[n-1].is) {
			return
		}
		line.turns = append(line.turns, t)
		line.until = t.at
	}
	for _, t := range past.Turns {
		if len(recent.Turns) == 0 || t.at < recent.Turns[0].at {
			add(t)
		}
	}
	moved = len(line.turns)
	for _, t := range recent.Turns {
		add(t)
	}
	line.grow(recent.Until)
	return line, moved
}

func recentKey(url string) string { return "heard/now/" + url }
func pastKey(url string) string   { return "heard/past/" + url }

// begin says that a source is tried from now on.
func (l *Ledger) begin(ctx context.Context, url string) error {
	s, err := l.load(url)
	if err != nil {
		return err
	}
	l.mu.Lock()
	if !s.runs {
		s.runs = true
		s.line.turn(s.line.until, stopped)
		s.line.turn(l.now().Unix(), connecting)
	}
	l.mu.Unlock()
	l.save(ctx, url)
	return nil
}

// end says that a source is tried no more.
func (l *Ledger) end(ctx context.Context, url string) {
	l.mu.Lock()
	if s := l.sources[url]; s != nil && s.runs {
		s.line.turn(l.certain(s), stopped)
		s.runs, s.reach = false, nil
	}
	l.mu.Unlock()
	l.save(ctx, url)
}

// up says that a source is heard from since on. What reach returns is how far that is certain, at any time until the next
// call for this source; it must not call the Ledger.
func (l *Ledger) up(url string, since int64, reach func() int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sources[url]; s != nil && s.runs {
		s.line.turn(since, heard)
		s.reach = reach
	}
}

// lost says why a source is not heard any more, from where it last was for certain.
func (l *Ledger) lost(url string, why hearing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[url]
	if s == nil || !s.runs || s.line.now() == why {
		return
	}
	s.line.turn(l.certain(s), why)
	s.reach = nil
}

// certain is until when the last word about a source holds. mu must be held.
func (l *Ledger) certain(s *source) int64 {
	now := l.now().Unix()
	if s.line.now() == heard && s.reach != nil {
		return min(now, s.reach())
	}
	return now
}

// fill says that stretches of the past have been read. It returns whether that was news.
func (l *Ledger) fill(url string, read []window) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[url]
	if s == nil || !s.runs {
		return false
	}
	for _, w := range read {
		news = s.line.paint(w.Since, w.Until+1) || news
	}
	return news
}

// grow writes down how far every source is heard.
func (l *Ledger) grow(ctx context.Context) {
	l.mu.RLock()
	var urls []string
	for url, s := range l.sources {
		if s.runs {
			urls = append(urls, url)
		}
	}
	l.mu.RUnlock()
	var all sync.WaitGroup
	for _, url := range urls { // together, so that one sync of the store serves them all
		all.Go(func() { l.save(ctx, url) })
	}
	all.Wait()
}
