package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Change is an event that moved a job.
type Change struct {
	ID        nip90.ID `json:"id"`
	Kind      int      `json:"kind"`
	Role      string   `json:"role"`
	PubKey    string   `json:"pubkey"`
	CreatedAt int64    `json:"created_at"`
}

// JobNote is a job as a stream tells it.
type JobNote struct {
	index.Thread
	Change  *Change  `json:"change"`            // the newest of Changes; null when an event went away
	Changes []Change `json:"changes"`           // what moved it, oldest first
	Omitted int      `json:"omitted,omitempty"` // how many older changes are not named
}

// EventNote is an event as a stream tells it.
type EventNote struct {
	index.Event
	TooLong bool `json:"too_long,omitempty"` // its body stands at /events/{id} alone
}

// The bounds of what one note holds, so that those who read slowly hold little.
const (
	noteBody      = 32 << 10 // bytes of an event
	noteProviders = 50
)

// ProviderNote tells what became of a service.
type ProviderNote struct {
	PubKey  string         `json:"pubkey"`
	D       string         `json:"d"`
	Turn    string         `json:"turn"` // announced, withdrawn, online or offline
	At      int64          `json:"at"`
	Handler *index.Handler `json:"handler"`
}

// render reads what notes name: each thread once, all from one view. It is an index.Renderer.
func (s *Site) render(ctx context.Context, notes []*index.Note) ([]index.Shown, error) {
	out := make([]index.Shown, len(notes))
	err := s.view(ctx, func(r store.Reader) error {
		jobs := make(map[nip90.ID]*index.Thread)
		for i, n := range notes {
			var err error
			out[i].Version = r.Version()
			switch n.Topic {
			case index.TopicJob:
				err = s.renderJob(r, n, &out[i], jobs)
			case index.TopicEvent:
				err = s.renderEvent(r, n, &out[i])
			case index.TopicProvider:
				err = s.renderProvider(r, n, &out[i])
			default:
				out[i].Data = n.Told
			}
			if err != nil {
				return fmt.Errorf("render note of topic %s: %w", n.Topic, err)
			}
		}
		return nil
	})
	return out, err
}

func (s *Site) renderJob(r store.Reader, n *index.Note, out *index.Shown, jobs map[nip90.ID]*index.Thread) error {
	t, read := jobs[n.Root]
	if !read {
		one, ok, err := s.d.Index.Job(r, n.Root)
		if err != nil {
			return err
		}
		if ok {
			s.veil(&one)
			t = &one
		}
		jobs[n.Root] = t
	}
	if t == nil {
		return nil
	}
	note := JobNote{Thread: *t, Changes: []Change{}, Omitted: n.Omitted}
	out.Root, out.Customer = n.Root, t.Customer
	if t.RequestSeen {
		out.Kinds = []int{t.Kind}
	}
	for _, m := range n.Moved {
		c := Change{ID: m.ID, Kind: m.Kind, Role: m.Role.String(), PubKey: m.PubKey.String(), CreatedAt: m.CreatedAt}
		if t.Customer == "" && (m.Role == nip90.RoleRequest || m.Role == nip90.RoleCancel) {
			c.PubKey = ""
		}
		note.Changes = append(note.Changes, c)
	}
	if len(note.Changes) > 0 {
		note.Change = &note.Changes[len(note.Changes)-1]
	}
	for i := range t.Providers {
		out.Providers = append(out.Providers, t.Providers[i].PubKey)
	}
	if len(t.Providers) > noteProviders {
		note.Providers, note.More = t.Providers[:noteProviders], true
	}
	return encode(note, out)
}

func (s *Site) renderEvent(r store.Reader, n *index.Note, out *index.Shown) error {
	if len(n.Moved) == 0 {
		return nil
	}
	e, _, ok, err := s.d.Index.Event(r, n.Moved[0].ID)
	if err != nil || !ok {
		return err
	}
	if s.conceals(e.Event) {
		e.Event = nil
	}
	note := EventNote{Event: e, TooLong: len(e.Event) > noteBody}
	if note.TooLong {
		note.Event.Event = nil
	}
	out.Kinds, out.Providers, out.Customer = []int{e.Kind}, []string{e.PubKey}, e.PubKey
	if e.Root != nil {
		out.Root = *e.Root
	}
	return encode(note, out)
}

func (s *Site) renderProvider(r store.Reader, n *index.Note, out *index.Shown) error {
	note := ProviderNote{PubKey: n.Provider.String(), D: n.Service, Turn: n.Turn, At: n.At}
	out.Providers = []string{note.PubKey}
	h, ok, err := s.d.Index.Handler(r, nip90.Address{Kind: nip90.KindHandler, PubKey: n.Provider, D: n.Service})
	if err != nil {
		return err
	}
	if ok {
		note.Handler, out.Kinds = &h, h.Kinds
	}
	return encode(note, out)
}

func encode(v any, out *index.Shown) (err error) {
	out.Data, err = json.Marshal(v)
	return err
}

const (
	lookEvery  = time.Second
	countEvery = 2 * time.Second
	countAgain = 30 * time.Second // though nothing came in: time alone moves counts
)

// Run serves streams until ctx ends, and ends them then. End it before the HTTP server, which waits for requests to end.
// Its error is nil.
func (s *Site) Run(ctx context.Context) error {
	runs := make(chan struct{})
	s.mu.Lock()
	s.runs = runs
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.runs = nil
		s.mu.Unlock()
		close(runs)
	}()
	err := s.d.View(func(r store.Reader) error { return s.d.Watch.Remember(s.d.Index, r) })
	if err != nil {
		// Without it each living service is told as new once more, and that is all.
		s.d.Log.Warn("services not remembered", "err", err)
	}
	if err := s.d.Watch.Recent().Fill(s.d.Index, s.d.View); err != nil {
		// The first visitor tries again.
		s.d.Log.Warn("recent jobs not read", "err", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.d.Watch.Run(ctx, s.render) }()
	t := teller{s: s, upstreams: make(map[string]string)}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return <-done
		case <-tick.C:
			t.look(ctx)
			s.days.again(ctx, s.d.Now())
			s.demand.again(ctx, s.d.Now())
		}
	}
}

// running says whether Run runs.
func (s *Site) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs != nil
}

// teller tells the watch what is not committed: upstreams and statistics.
type teller struct {
	s         *Site
	upstreams map[string]string // their states when last told
	known     bool
	counted   time.Time
	moves     uint64
	stats     []byte
}

func (t *teller) look(ctx context.Context) {
	for _, u := range t.s.d.Upstreams() {
		state := u.State + " " + u.Reason
		if t.upstreams[u.URL] == state {
			continue
		}
		t.upstreams[u.URL] = state
		if !t.known {
			continue
		}
		if u.Rejected == nil {
			u.Rejected = map[string]uint64{}
		}
		if u.Gaps == nil {
			u.Gaps = []index.Gap{}
		}
		if b, err := json.Marshal(u); err == nil {
			t.s.d.Watch.Tell(index.TopicUpstream, u.URL, b)
		}
	}
	t.known = true
	t.count(ctx)
}

// count tells the statistics of a day when they changed, and to the first who follows them.
func (t *teller) count(ctx context.Context) {
	w := t.s.d.Watch
	if w.Readers(index.TopicStats) == 0 {
		t.stats = nil
		return
	}
	now, moves := t.s.d.Now(), w.Moves()
	since := now.Sub(t.counted)
	if t.stats != nil && (since < countEvery || t.s.fed && moves == t.moves && since < countAgain) {
		return
	}
	st, err := t.s.count(ctx, index.StatsQuery{Since: index.WindowStart("24h", now), Until: now.Unix(), Now: now.Unix()})
	if err != nil {
		return // busy: next time
	}
	t.counted, t.moves = now, moves
	told, err := json.Marshal(WindowStats{Window: "24h", Stats: st})
	if err != nil {
		return
	}
	st.Since, st.Until = 0, 0
	same, err := json.Marshal(st)
	if err != nil || bytes.Equal(same, t.stats) {
		return
	}
	t.stats = same
	w.Tell(index.TopicStats, "24h", told)
}
