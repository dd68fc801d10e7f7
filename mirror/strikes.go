package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// temper is how this relay bears with an upstream that lies, or does not know who asks.
type temper struct {
	auth     time.Duration // for a challenge, and for what becomes of its answer
	message  time.Duration // for one message from its first byte to its last
	rounds   int           // how many times the patience for an answer a page may take while events keep coming
	strikes  int           // so many faults in ten minutes are a pause
	pause    time.Duration // the first pause; each next one is twice as long
	maxPause time.Duration // the longest pause
	forgive  time.Duration // so long after a pause the next one is the first again
}

func (t temper) orDefault() temper {
	if t.strikes != 0 {
		return t
	}
	return temper{
		auth: 10 * time.Second, message: 30 * time.Second, rounds: 10,
		strikes: 1000, pause: 10 * time.Minute, maxPause: 6 * time.Hour, forgive: 24 * time.Hour,
	}
}

const (
	strikeTime   = 10 * time.Minute // how long a fault counts
	strikeSlots  = 20               // strikeTime is counted in so many pieces
	maxRunFaults = 250              // so many faults in a row, without one good event between, end a connection
	maxLate      = 1000             // events for subscriptions that are over, in one connection; more are unasked
)

// faults are the words for what no honest upstream does, as Status.Rejected counts them.
var faults = [...]string{reasonUnasked, reasonID, ReasonSignature, reasonShape, reasonLimit, reasonTooBig}

// fault says what of faults was done; false for a rule of this relay, which an upstream need not know.
func fault(reason string) (int, bool) {
	i := slices.Index(faults[:], reason)
	return i, i >= 0
}

// faultyError means that a connection brought one fault after another.
type faultyError struct{ reason string }

func (e *faultyError) Error() string { return "upstream sends nothing of use: " + e.reason }

// strikes counts the faults of one upstream in the last ten minutes, over all its connections, and remembers when it was
// last left alone for them. It is safe for concurrent use.
type strikes struct {
	mu    sync.Mutex // guards below
	slots [strikeSlots]strikeSlot
	last  pause
	read  bool // last was read from the state
}

// strikeSlot is a piece of strikeTime.
type strikeSlot struct {
	number int64 // pieces since 1970
	counts [len(faults)]int
}

// pause is a time in which an upstream is left alone. Its JSON stands in the state.
type pause struct {
	Until  int64         `json:"until"`  // unix seconds
	Length time.Duration `json:"length"` // nanoseconds
	Reason string        `json:"reason"` // one of faults
}

// add counts a fault, and returns how many there are now.
func (s *strikes) add(now time.Time, fault int) int {
	n := now.UnixNano() / int64(strikeTime/strikeSlots)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.slots[uint64(n)%strikeSlots]
	if slot.number != n {
		*slot = strikeSlot{number: n}
	}
	slot.counts[fault]++
	total, _ := s.sum(n)
	return total
}

// sum is how many faults there are, and the word for most of them. mu must be held.
func (s *strikes) sum(n int64) (total int, reason string) {
	var counts [len(faults)]int
	for _, slot := range s.slots {
		if slot.number <= n-strikeSlots || slot.number > n {
			continue
		}
		for i, c := range slot.counts {
			counts[i] += c
			total += c
		}
	}
	most := 0
	for i, c := range counts {
		if c > most {
			most, reason = c, faults[i]
		}
	}
	return total, reason
}

// count is how many faults there are.
func (s *strikes) count(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	total, _ := s.sum(now.UnixNano() / int64(strikeTime/strikeSlots))
	return total
}

// clear forgets the faults, not the last pause.
func (s *strikes) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots = [strikeSlots]strikeSlot{}
}

// sentence makes a pause when there are too many faults, longer than the last one unless that is long past. Nil when
// there are not.
func (s *strikes) sentence(now time.Time, p pace) *pause {
	s.mu.Lock()
	defer s.mu.Unlock()
	total, reason := s.sum(now.UnixNano() / int64(strikeTime/strikeSlots))
	if total < p.strikes {
		return nil
	}
	length := p.pause
	if s.last.Until != 0 && now.Sub(time.Unix(s.last.Until, 0)) < p.forgive {
		length = min(2*s.last.Length, p.maxPause)
	}
	s.last = pause{Until: now.Add(length + time.Second - 1).Unix(), Length: length, Reason: reason}
	sentenced := s.last
	return &sentenced
}

// standing is the last pause, if it was read.
func (s *strikes) standing() (last pause, read bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.read
}

func (s *strikes) found(last pause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.read = last, true
}

// forget says that the last pause must be read from the state.
func (s *strikes) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = false
}

func (u *upstream) pauseKey() string { return "mirror/pause/" + u.url }

// remembered is how long the pause lasts that was under way when this relay, or this upstream, was stopped.
func (u *upstream) remembered() (*pause, time.Duration, error) {
	last, read := u.strikes.standing()
	if !read {
		raw, err := u.m.state.Meta(u.pauseKey())
		if err != nil {
			return nil, 0, fmt.Errorf("read pause of %s: %w", u.url, err)
		}
		if raw != nil {
			if err := json.Unmarshal(raw, &last); err != nil {
				u.m.log.Error("pause is damaged and is forgotten", "upstream", u.url, "err", err)
				last = pause{}
			}
		}
		if _, ok := fault(last.Reason); !ok {
			last.Reason = reasonOther
		}
		last.Length = min(max(last.Length, u.m.o.pace.pause), u.m.o.pace.maxPause)
		u.strikes.found(last)
	}
	left := time.Unix(last.Until, 0).Sub(u.m.now())
	if left <= 0 {
		return nil, 0, nil
	}
	return &last, min(left, u.m.o.pace.maxPause), nil // a clock that was wrong then does not shut it out for years
}

// resume waits until a pause that is remembered is over. It says false when ctx ended first.
func (u *upstream) resume(ctx context.Context) bool {
	if _, read := u.strikes.standing(); read {
		return ctx.Err() == nil // whoever paused it has waited
	}
	p, left, err := u.remembered()
	if err != nil {
		u.m.log.Warn("pause not read, the upstream is asked", "upstream", u.url, "err", err)
	}
	return ctx.Err() == nil && (p == nil || u.sitOut(ctx, p, left))
}

// sitOut waits until a pause is over. It says false when ctx ended first.
func (u *upstream) sitOut(ctx context.Context, p *pause, left time.Duration) bool {
	if err := u.m.ledger.begin(ctx, u.url); err != nil {
		u.m.log.Warn("ledger not read, the pause is not in it", "upstream", u.url, "err", err)
	}
	u.m.ledger.lost(u.url, paused)
	u.m.ledger.save(ctx, u.url)
	u.tally.update(func(s *Status) {
		s.State, s.Reason, s.HeardSince, s.PausedUntil = StatePaused, p.Reason, 0, p.Until
	})
	u.m.log.Warn("upstream is left alone", "upstream", u.url, "reason", p.Reason, "for", left.Round(time.Second))
	ok := sleep(ctx, left)
	u.strikes.clear()
	u.tally.update(func(s *Status) { s.PausedUntil = 0 })
	return ok
}

// punish pauses an upstream that has done too much, and waits until the pause is over. It says whether there was one.
func (u *upstream) punish(ctx context.Context) bool {
	p := u.strikes.sentence(u.m.now(), u.m.o.pace)
	if p == nil {
		return false
	}
	raw, err := json.Marshal(p)
	if err == nil {
		err = u.m.state.SetMeta(ctx, u.pauseKey(), raw)
	}
	if err != nil && ctx.Err() == nil {
		u.m.log.Warn("pause not written, a restart would forget it", "upstream", u.url, "err", err)
	}
	u.sitOut(ctx, p, p.Length)
	return true
}

// fault counts what an honest upstream does not do. Too many in a row end the connection, too many in ten minutes all of
// them for a while.
func (s *session) fault(reason string) {
	s.u.tally.refuse(reason)
	which, is := fault(reason)
	if !is {
		return
	}
	now, p := s.u.m.now(), s.u.m.o.pace
	s.mu.Lock()
	s.measure(now)
	s.flawed = now
	s.mu.Unlock()
	run := s.faults.Add(1)
	if s.u.strikes.add(now, which) >= p.strikes || run >= maxRunFaults {
		s.fail(&faultyError{reason})
	}
}

// good notes an event of use.
func (s *session) good() {
	if s.faults.Load() != 0 {
		s.faults.Store(0)
	}
}

// measure takes the time since all parts stand, or since the last fault if that is less, for the longest if it is. mu
// must be held.
func (s *session) measure(now time.Time) {
	if s.since.IsZero() {
		return
	}
	from := s.since
	if s.flawed.After(from) {
		from = s.flawed
	}
	s.longest = max(s.longest, now.Sub(from))
}
