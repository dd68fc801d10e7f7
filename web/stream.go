package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	heartbeatEvery = 15 * time.Second
	writeDeadline  = 10 * time.Second
	streamChunk    = 16   // notes that are written at once
	maxBehind      = 4096 // notes that a reader who has caught up may fall behind
)

// init sets the bounds, which tests change.
func (s *streams) init() {
	s.open = room{all: maxStreams, each: maxStreamsOfOne, by: make(map[string]int)}
	s.exports = room{all: maxExports, each: maxExportsOfOne, by: make(map[string]int)}
	s.heartbeat, s.deadline, s.behindBy, s.pulse = heartbeatEvery, writeDeadline, maxBehind, pulseEvery
	s.notes = make(map[string]*atomic.Uint64)
	for _, t := range index.Topics() {
		s.notes[t] = new(atomic.Uint64)
	}
}

func (s *Site) streamAPI(api huma.API) {
	op := operation("stream", "/stream", "What happens, as it happens (server-sent events)")
	op.Description = "The name of an event is its topic, its data one JSON object. A job is what /jobs lists, with change, the event that " +
		"moved it, and changes, all that moved it at once. Who comes back with Last-Event-ID gets what was missed of the last 10 " +
		"minutes or 10,000 notes; when that does not reach back far enough, the event reset says so first. A comment comes every 15 " +
		"seconds. Who reads too slowly is dropped."
	op.Errors = []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A stream without an end",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, s.stream)
}

type streamInput struct {
	Topics   string `query:"topics" maxLength:"200" doc:"Of job, event, provider, upstream and stats, joined by commas; job when absent."`
	ID       string `query:"id" maxLength:"5000" doc:"Jobs, and events of the job, with this event: hex, note or nevent."`
	Kind     int    `query:"kind" minimum:"0" maximum:"65535" doc:"Jobs of this kind, events of this kind, providers that serve it."`
	Provider string `query:"provider" maxLength:"5000" doc:"Jobs that it answered, its events and services: hex, npub or nprofile."`
	Customer string `query:"customer" maxLength:"5000" doc:"Jobs that it asked for, and its events: hex, npub or nprofile."`
	Last     string `header:"Last-Event-ID" maxLength:"32" doc:"The id of the last event that was read."`
	LastID   string `query:"last_event_id" maxLength:"32" doc:"In place of the header."`
}

// wish is what a reader of a stream wants.
type wish struct {
	topics   []string
	id       nip90.ID // as given
	root     nip90.ID // of the job that it belongs to
	kind     int
	provider string
	customer string
	last     string
}

func (s *Site) wish(ctx context.Context, in *streamInput) (*wish, error) {
	want := &wish{kind: in.Kind, last: in.Last}
	if want.last == "" {
		want.last = in.LastID
	}
	if in.Topics == "" {
		in.Topics = index.TopicJob
	}
	for _, t := range strings.Split(in.Topics, ",") {
		if t = strings.TrimSpace(t); !slices.Contains(index.Topics(), t) {
			return nil, huma.Error400BadRequest("topics: are job, event, provider, upstream and stats")
		}
		if !slices.Contains(want.topics, t) {
			want.topics = append(want.topics, t)
		}
	}
	for _, key := range []struct {
		name, text string
		to         *string
	}{{"provider", in.Provider, &want.provider}, {"customer", in.Customer, &want.customer}} {
		pk, err := parsedKey(key.name, key.text)
		if err != nil {
			return nil, err
		}
		if !pk.IsZero() {
			*key.to = pk.String()
		}
	}
	if in.ID == "" {
		return want, nil
	}
	var err error
	if want.id, err = parsedID(in.ID); err != nil {
		return nil, err
	}
	want.root = want.id
	err = s.view(ctx, func(r store.Reader) error {
		root, ok, err := s.d.Index.Root(r, want.id)
		if ok {
			want.root = root
		}
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	return want, nil
}

// may says whether a note can be wanted, by what it says itself.
func (want *wish) may(n *index.Note) bool {
	if want.id.IsZero() || n.Topic != index.TopicJob {
		return true
	}
	return n.Root == want.root || n.Root == want.id || slices.ContainsFunc(n.Moved, func(m index.Moved) bool { return m.ID == want.id })
}

// matches says whether a note is wanted, as it shows. What is told of upstreams and statistics is for everybody.
func (want *wish) matches(n *index.Note, s *index.Shown) bool {
	switch n.Topic {
	case index.TopicUpstream, index.TopicStats:
		return true
	case index.TopicProvider:
		if !want.id.IsZero() || want.customer != "" {
			return false
		}
	case index.TopicEvent:
		if !want.id.IsZero() && s.Root != want.root && (len(n.Moved) == 0 || n.Moved[0].ID != want.id) {
			return false
		}
	}
	return (want.kind == 0 || slices.Contains(s.Kinds, want.kind)) &&
		(want.provider == "" || slices.Contains(s.Providers, want.provider)) &&
		(want.customer == "" || s.Customer == want.customer)
}

func (s *Site) stream(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
	want, err := s.wish(ctx, in)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		s.serveStream(w, r, want)
	}}, nil
}

// enterStream takes a place for a stream, whose context ends with the request and with Run; leave gives the place back.
// Without a place the answer is written and ok is false.
func (s *Site) enterStream(w http.ResponseWriter, r *http.Request) (ctx context.Context, leave func(), ok bool) {
	out, refused := s.streams.open.enter(s.d.Address(r))
	if refused != "" {
		s.streams.refuse(w, refused)
		return nil, nil, false
	}
	ctx, cancel := s.whileRunning(r.Context())
	if ctx.Err() != nil {
		cancel()
		out()
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "nothing is streamed now")
		return nil, nil, false
	}
	return ctx, func() { cancel(); out() }, true
}

// streaming says that an answer is a stream of events.
func streaming(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // or a proxy would keep the stream to itself
}

func (s *Site) serveStream(w http.ResponseWriter, r *http.Request, want *wish) {
	ctx, leave, ok := s.enterStream(w, r)
	if !ok {
		return
	}
	defer leave()
	streaming(w.Header())
	f := &follower{s: s, want: want, sub: s.d.Watch.Subscribe(want.topics...), out: pusher{w, http.NewResponseController(w), s.streams.deadline}}
	defer f.sub.Close()
	if r.Method == http.MethodHead {
		return
	}
	defer f.out.done()
	f.run(ctx)
}

// follower writes one stream.
type follower struct {
	s        *Site
	want     *wish
	sub      *index.Subscription
	out      pusher
	buf      bytes.Buffer
	caughtUp bool
}

// run writes until the reader is gone, too slow, or nothing is streamed any more.
func (f *follower) run(ctx context.Context) {
	f.buf.WriteString("retry: 2000\n")
	if f.want.last != "" {
		id, err := strconv.ParseUint(f.want.last, 10, 64)
		if err != nil || f.sub.Resume(id) != nil {
			f.reset()
		}
	}
	f.beat()
	for f.push() {
		wait, cancel := context.WithTimeout(ctx, f.s.streams.heartbeat)
		notes, left, err := f.sub.Next(wait, streamChunk)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, index.ErrMissed) && f.caughtUp, left > f.s.streams.behindBy && f.caughtUp:
			f.s.streams.behind.Add(1)
			return
		case errors.Is(err, index.ErrMissed):
			f.reset()
		case err != nil: // nothing happened for a while
			f.beat()
		case !f.write(ctx, notes):
			return
		}
		f.caughtUp = f.caughtUp || left == 0
	}
}

// beat tells the reader that the stream lives, and where it stands.
func (f *follower) beat() {
	f.buf.WriteString(": beat\nid: ")
	f.buf.WriteString(strconv.FormatUint(f.sub.At(), 10))
	f.buf.WriteString("\n\n")
}

func (f *follower) reset() {
	f.s.streams.resets.Add(1)
	f.event(f.sub.At(), "reset", []byte(`{"why":"what followed the last event is not kept any more; read it anew"}`))
}

func (f *follower) event(id uint64, name string, data []byte) {
	f.buf.WriteString("id: ")
	f.buf.WriteString(strconv.FormatUint(id, 10))
	f.buf.WriteString("\nevent: ")
	f.buf.WriteString(name)
	f.buf.WriteString("\ndata: ")
	f.buf.Write(data)
	f.buf.WriteString("\n\n")
}

// write puts notes into the buffer. When the store cannot be read it is false: who comes back is served from there on.
func (f *follower) write(ctx context.Context, notes []*index.Note) bool {
	notes = slices.DeleteFunc(notes, func(n *index.Note) bool { return !f.want.may(n) })
	shown, err := f.s.d.Watch.Show(ctx, notes, f.s.render)
	if err != nil {
		f.s.streams.unreadable.Add(1)
		return false
	}
	for i, n := range notes {
		if shown[i].Data == nil || !f.want.matches(n, shown[i]) {
			continue
		}
		f.s.streams.notes[n.Topic].Add(1)
		f.event(n.ID, n.Topic, shown[i].Data)
		// A reader who takes nothing must not make the buffer grow.
		if f.buf.Len() > pushAt && !f.push() {
			return false
		}
	}
	return true
}

// push writes what is in the buffer; false when the reader did not take it in time.
func (f *follower) push() bool {
	err := f.out.push(f.buf.Bytes())
	if f.buf.Reset(); f.buf.Cap() > 2*pushAt {
		f.buf = bytes.Buffer{}
	}
	if errors.Is(err, errSlow) {
		f.s.streams.slow.Add(1)
	}
	return err == nil
}
