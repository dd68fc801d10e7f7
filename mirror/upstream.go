package mirror

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/wire"
)

// Errors that end a connection; each has a word for the status.
var (
	errSilent   = errors.New("upstream does not answer subscriptions")
	errFlood    = errors.New("upstream sends more than was asked for")
	errNotTaken = errors.New("event was not taken")
	errProgress = errors.New("progress was not saved")
)

// upstream is one relay that is read, over all its connections.
type upstream struct {
	m       *Mirror
	url     string
	kinds   []int
	tally   *tally
	reaches []*reach
	most    atomic.Int64 // events of the longest answer that it ever gave
	strikes *strikes
	bytes   *meter
	events  *meter
	bears   bearing

	info   wire.Info
	infoAt time.Time
}

// newUpstream makes an upstream that is asked for the kinds of the moment. m.mu must be held.
func (m *Mirror) newUpstream(url string) *upstream {
	u := &upstream{m: m, url: url, kinds: m.kinds, tally: newTally(url), strikes: &strikes{}, bytes: &meter{}, events: &meter{}}
	all := parts(m.kinds)
	if m.people != nil {
		all = append(all, peopleParts(m.kinds, m.o.Backfill)...)
	}
	for _, p := range all {
		u.reaches = append(u.reaches, &reach{u: u, part: p, values: p.values, saving: make(chan struct{}, 1)})
	}
	return u
}

// run connects again and again until ctx ends.
func (u *upstream) run(ctx context.Context) {
	u.tally.only(u.reaches)
	defer u.m.ledger.end(ctx, u.url)
	u.strikes.forget()
	b := backoff{first: u.m.o.pace.firstRetry, most: u.m.o.pace.maxRetry}
	for u.resume(ctx) {
		stood, err := u.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if stood >= u.m.o.pace.healthy {
			b.reset()
		}
		if u.punish(ctx) {
			continue
		}
		wait := b.next()
		reason := reasonOf(err)
		u.m.ledger.lost(u.url, reasonWhy(ctx, err))
		u.m.ledger.save(ctx, u.url)
		u.tally.update(func(s *Status) { s.State, s.Reason, s.HeardSince = StateWaiting, reason, 0 })
		u.m.log.Warn("upstream lost", "upstream", u.url, "reason", reason, "err", err, "retry_in", wait.Round(time.Millisecond))
		if !sleep(ctx, wait) {
			return
		}
	}
}

func reasonOf(err error) string {
	var dial *dialError
	var faulty *faultyError
	switch {
	case errors.As(err, &dial):
		return dialReason(err)
	case errors.As(err, &faulty):
		return faulty.reason
	case errors.Is(err, wire.ErrTooBig):
		return reasonTooBig
	case errors.Is(err, wire.ErrSlow):
		return reasonSlow
	case errors.Is(err, wire.ErrBinary):
		return reasonBinary
	case errors.Is(err, errFlood):
		return reasonEndless
	case errors.Is(err, errSilent):
		return reasonSilent
	case errors.Is(err, errNotTaken):
		return reasonSink
	case errors.Is(err, errProgress):
		return reasonProgress
	}
	return reasonLost
}

type dialError struct{ err error }

// dialReason tells apart why no connection came about.
func dialReason(err error) string {
	var (
		name  *net.DNSError
		cert  *tls.CertificateVerificationError
		plain tls.RecordHeaderError
		alert tls.AlertError
	)
	switch {
	case errors.As(err, &name):
		return reasonDNS
	case errors.As(err, &cert), errors.As(err, &plain), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return reasonTLS
	}
	return reasonDial
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// connect holds one connection until it ends, and says how long both parts stood.
func (u *upstream) connect(ctx context.Context) (stood time.Duration, err error) {
	u.tally.update(func(s *Status) { s.State, s.Reason, s.HeardSince = StateConnecting, "", 0 })
	if err := u.m.ledger.begin(ctx, u.url); err != nil {
		return 0, fmt.Errorf("%w: %w", errProgress, err)
	}
	for _, r := range u.reaches {
		if err := r.load(); err != nil {
			return 0, fmt.Errorf("%w: %w", errProgress, err)
		}
	}
	o := wire.DialOptions{
		DialTimeout: u.m.o.pace.dial, PingEvery: u.m.o.pace.idle, UserAgent: "dvmrelay",
		ReadLimit: u.m.o.MaxMessageBytes, SkipLimit: skipFactor * u.m.o.MaxMessageBytes, MessageTimeout: u.m.o.pace.message,
	}
	u.learn(ctx, o)
	c, err := wire.Dial(ctx, u.url, o)
	if err != nil {
		return 0, &dialError{err}
	}
	defer c.Close()
	u.tally.update(func(s *Status) { s.Connects++ })
	u.m.log.Info("upstream connected", "upstream", u.url)
	s := newSession(u, c)
	err = s.run(ctx)
	return s.stood(), err
}

// learn asks for the upstream's limits, which are guesses until it refuses something; not knowing them is no fault.
func (u *upstream) learn(ctx context.Context, o wire.DialOptions) {
	const goodFor = time.Hour
	if now := u.m.now(); u.infoAt.IsZero() || now.Sub(u.infoAt) > goodFor {
		o.DialTimeout = min(o.DialTimeout, 5*time.Second)
		info, err := wire.FetchInfo(ctx, u.url, o)
		if err != nil {
			u.m.log.Debug("upstream gives no information document", "upstream", u.url, "err", err)
			return
		}
		u.info, u.infoAt = info, now
	}
}

// pageLimit is how many events one page of backfill asks for.
func (u *upstream) pageLimit() int {
	if most := u.info.Limitation.MaxLimit; most > 0 {
		return int(min(most, int64(u.m.o.pace.page)))
	}
	return u.m.o.pace.page
}

// reach is how far one part of one upstream came, over all connections.
type reach struct {
	u      *upstream
	part   *part
	saving chan struct{} // one slot: keeps writes in order without holding mu meanwhile

	mu     sync.Mutex // guards below
	loaded bool
	mark   mark
	values int   // values per filter that the upstream is known to bear
	again  int64 // when cuts were last asked for again, unix seconds
	memo   memo  // of a part that reads the past of keys; the one who reads guards it
}

func (r *reach) key() string { return "mirror/" + r.part.name + "/" + r.u.url }

func (r *reach) load() error {
	r.mu.Lock()
	loaded := r.loaded
	r.mu.Unlock()
	if loaded {
		return nil
	}
	raw, err := r.u.m.state.Meta(r.key())
	if err != nil {
		return fmt.Errorf("read progress of %s: %w", r.u.url, err)
	}
	var m mark
	if raw != nil {
		if err := json.Unmarshal(raw, &m); err != nil {
			return fmt.Errorf("read progress of %s: %w", r.u.url, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mark, r.loaded = m, true
	if m.Heard != 0 {
		r.tell(m)
	}
	return nil
}

// change alters the mark and writes it down.
func (r *reach) change(ctx context.Context, fn func(*mark)) error {
	select {
	case r.saving <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.saving }()
	r.mu.Lock()
	before := r.mark.clone()
	after := r.mark.clone()
	fn(&after)
	r.mu.Unlock()
	if before.equal(after) {
		return nil
	}
	raw, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("%w: %w", errProgress, err)
	}
	if err := r.u.m.state.SetMeta(ctx, r.key(), raw); err != nil {
		return fmt.Errorf("%w: write progress of %s: %w", errProgress, r.u.url, err)
	}
	r.mu.Lock()
	r.mark = after
	r.mu.Unlock()
	r.tell(after)
	return nil
}

// tell notes progress for the status. What is read of people is no part of it: it says how far the past of jobs was read.
func (r *reach) tell(m mark) {
	if r.part.keys == nil {
		r.u.tally.progress(r.part.name, m.clone())
	}
}

// next is the window to work on.
func (r *reach) next() (window, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mark.next()
}

// read is what of these spans is not missing.
func (r *reach) read(spans []window) []window {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mark.read(spans)
}

// bears is how many values a filter may carry.
func (r *reach) bears() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.u.fitting(r.values, r.part.valueBytes())
}

// split halves the filters after a refusal; false when they are small enough already.
func (r *reach) split(refused int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refused > r.values {
		return true // somebody else has split meanwhile
	}
	longest := r.part.longest(refused)
	if longest <= minValues {
		return false
	}
	r.values = max(minValues, (longest+1)/2)
	return true
}

// floor is the oldest created_at that is asked for.
func (r *reach) floor() int64 {
	back := r.u.m.o.Backfill
	if r.part.past {
		back = r.part.back
	}
	if r.part.sweeping || back == 0 {
		return 0
	}
	return max(0, r.u.m.now().Add(-back).Unix())
}
