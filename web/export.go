package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/nbd-wtf/go-nostr"
)

const (
	exportEvents = 256     // that are read at once
	exportBytes  = 1 << 20 // or as many bytes, whichever is less
	// exportSecond is how many events of one and the same second are given; their ids are held.
	exportSecond = 1 << 19
	endOfTime    = 1 << 40 // unix seconds
)

func (s *Site) exportAPI(api huma.API) {
	op := operation("export", "/export", "Stored events as JSON lines, oldest first")
	op.Description = "Each line is an event exactly as signed. Expired events are left out, and what is not shown here: encrypted ones " +
		"when relay.auth_encrypted is set, those that hold inputs when web.inputs is hide. What is deleted while it runs is left " +
		"out from then on. A broken connection means that it is not complete."
	op.Errors = []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "One event on each line",
		Content:     map[string]*huma.MediaType{"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, s.export)
}

type exportInput struct {
	Since int64    `query:"since" minimum:"0" maximum:"1099511627776" doc:"Made at or after."`
	Until int64    `query:"until" minimum:"0" maximum:"1099511627776" doc:"Made at or before."`
	Kind  []string `query:"kind,explode" maxItems:"200" doc:"Kinds; repeated, or joined by commas. All when absent."`
}

func (s *Site) export(_ context.Context, in *exportInput) (*huma.StreamResponse, error) {
	kinds, err := parsedKinds("kind", in.Kind)
	if err != nil {
		return nil, err
	}
	if in.Until == 0 {
		in.Until = endOfTime
	}
	if in.Since > in.Until {
		return nil, huma.Error400BadRequest("since: must not be later than until")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		leave, refused := s.streams.exports.enter(s.d.Address(r))
		if refused != "" {
			s.streams.refuse(w, refused)
			return
		}
		defer leave()
		h := w.Header()
		h.Set("Content-Type", "application/x-ndjson; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		if r.Method == http.MethodHead {
			return
		}
		e := exporter{s: s, kinds: kinds, out: pusher{w, http.NewResponseController(w), s.streams.deadline}}
		defer e.out.done()
		err := e.span(r.Context(), in.Since, in.Until)
		if err == nil {
			err = e.push()
		}
		switch {
		case errors.Is(err, errBusy) && !e.begun:
			w.Header().Del("Content-Type")
			s.streams.refuse(w, refusedAll)
		case errors.Is(err, errSlow):
			s.streams.slow.Add(1)
			panic(http.ErrAbortHandler)
		case err != nil:
			if r.Context().Err() == nil {
				s.d.Log.Warn("export broken off", "err", err)
			}
			panic(http.ErrAbortHandler) // or what was written would look complete
		}
	}}, nil
}

// exporter writes events oldest first, though the store gives them newest first: it reads spans of time that are small
// enough to be turned round, each from a view of its own, so that nothing is held while the peer reads.
type exporter struct {
	s     *Site
	kinds []int
	out   pusher
	buf   []byte
	begun bool
}

// line is an event that was read.
type line struct {
	at  int64
	raw []byte
}

// span writes what was made from one second to another, both included.
func (e *exporter) span(ctx context.Context, from, to int64) error {
	lines, all, err := e.read(ctx, from, to)
	if err != nil {
		return err
	}
	switch {
	case all:
		// Those of one second stay in the order of their ids.
		slices.SortStableFunc(lines, func(a, b line) int { return int(min(max(a.at-b.at, -1), 1)) })
		return e.write(lines)
	case from == to:
		return e.second(ctx, from)
	}
	middle := from + (to-from)/2
	if err := e.span(ctx, from, middle); err != nil {
		return err
	}
	return e.span(ctx, middle+1, to)
}

func (e *exporter) filter(from, to int64, limit int) nostr.Filter {
	since, until := nostr.Timestamp(from), nostr.Timestamp(to)
	return nostr.Filter{Kinds: e.kinds, Since: &since, Until: &until, Limit: limit}
}

// read takes the events of a span, unless there are more than are read at once.
func (e *exporter) read(ctx context.Context, from, to int64) (lines []line, all bool, err error) {
	all = true
	err = e.s.view(ctx, func(r store.Reader) error {
		q, err := querier(r)
		if err != nil {
			return err
		}
		size, seen := 0, 0
		for raw, err := range q.Query(ctx, e.filter(from, to, exportEvents+1)) {
			if err != nil {
				return err
			}
			seen++
			size += len(raw.JSON)
			if seen > exportEvents || size > exportBytes && seen > 1 {
				all = false
				return nil
			}
			shown, err := e.s.exportable(r, &raw)
			if err != nil {
				return err
			}
			if shown {
				lines = append(lines, line{raw.CreatedAt, slices.Clone(raw.JSON)})
			}
		}
		return nil
	})
	return lines, all, err
}

// second writes the events of one second, which are too many to be read at once.
func (e *exporter) second(ctx context.Context, at int64) error {
	var ids []nip90.ID
	err := e.s.view(ctx, func(r store.Reader) error {
		q, err := querier(r)
		if err != nil {
			return err
		}
		for raw, err := range q.Query(ctx, e.filter(at, at, exportSecond+1)) {
			if err != nil {
				return err
			}
			ids = append(ids, raw.ID)
		}
		return nil
	})
	if err == nil && len(ids) > exportSecond {
		err = fmt.Errorf("export second %d: more than %d events", at, exportSecond)
	}
	for err == nil && len(ids) > 0 {
		var lines []line
		lines, ids, err = e.some(ctx, ids)
		if err == nil {
			err = e.write(lines)
		}
	}
	return err
}

// some reads the first events of a list of ids, and returns the rest of the list.
func (e *exporter) some(ctx context.Context, ids []nip90.ID) (lines []line, rest []nip90.ID, err error) {
	err = e.s.view(ctx, func(r store.Reader) error {
		size := 0
		for len(ids) > 0 && len(lines) < exportEvents && size < exportBytes {
			event, _, ok, err := e.s.d.Index.Event(r, ids[0])
			if err != nil {
				return err
			}
			ids = ids[1:]
			if ok && event.Event != nil && !e.s.conceals(event.Event) {
				size += len(event.Event)
				lines = append(lines, line{event.CreatedAt, event.Event})
			}
		}
		return nil
	})
	return lines, ids, err
}

func (e *exporter) write(lines []line) error {
	for _, l := range lines {
		e.buf = append(append(e.buf, l.raw...), '\n')
		if len(e.buf) >= pushAt {
			if err := e.push(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exporter) push() error {
	if len(e.buf) > 0 {
		e.begun = true
	}
	err := e.out.push(e.buf)
	e.buf = e.buf[:0]
	return err
}

// exportable says whether a stored event is shown to everybody.
func (s *Site) exportable(r store.Reader, raw *store.Raw) (bool, error) {
	if s.conceals(raw.JSON) {
		return false, nil
	}
	sealed, err := s.d.Index.Sealed(r, raw.ID)
	return !sealed, err
}

// errNoQuery is a view of the store that answers no filters.
var errNoQuery = errors.New("view answers no filters")

func querier(r store.Reader) (store.Snapshot, error) {
	q, ok := r.(store.Snapshot)
	if !ok {
		return nil, errNoQuery
	}
	return q, nil
}
