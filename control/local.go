package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// Local answers from an open store: beside a running relay as the other end of Client, or alone. It implements Verbs.
type Local struct {
	Store interface {
		View(fn func(store.Reader) error) error
		Snapshot() store.Snapshot
	}
	Index *index.Index
	// Submit is the way in for imported events: every check, then the store. Only Import needs it.
	Submit func(context.Context, *nip90.Parsed) mirror.Verdict
	// Now is the clock; nil = time.Now.
	Now func() time.Time

	page int // events per query of an export; 0 = exportPage
}

func (l *Local) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// Thread implements Verbs.
func (l *Local) Thread(_ context.Context, id string) (json.RawMessage, error) {
	ref, err := nip90.ParseReference(id)
	if err != nil || ref.ID.IsZero() {
		return nil, fmt.Errorf("%w: %q names no event (hex, note or nevent)", ErrUsage, id)
	}
	var t index.Thread
	var ok bool
	err = l.Store.View(func(r store.Reader) error {
		t, ok, err = l.Index.Thread(r, ref.ID)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read thread of %s: %w", ref.ID, err)
	case !ok:
		return nil, fmt.Errorf("%w: no job with event %s was seen here", ErrNotFound, ref.ID)
	}
	return marshal(t)
}

// Handlers implements Verbs.
func (l *Local) Handlers(_ context.Context, query url.Values) (json.RawMessage, error) {
	p := params{query: query}
	q := index.HandlerQuery{
		Kind: int(p.number("kind", 0, 65535)), Online: p.flag("online"), Q: query.Get("q"), Sort: p.word("sort", "name", "kind"),
		Cursor: query.Get("cursor"), Limit: int(p.number("limit", 1, index.MaxLimit)), Now: l.now().Unix(),
	}
	if p.err != nil {
		return nil, p.err
	}
	var page index.HandlerPage
	err := l.Store.View(func(r store.Reader) (err error) {
		page, err = l.Index.Handlers(r, q)
		return err
	})
	switch {
	case errors.Is(err, index.ErrCursor):
		return nil, fmt.Errorf("%w: cursor: %w", ErrUsage, err)
	case err != nil:
		return nil, fmt.Errorf("read handlers: %w", err)
	}
	if page.Items == nil {
		page.Items = []index.Handler{}
	}
	return marshal(page)
}

// Stats implements Verbs.
func (l *Local) Stats(_ context.Context, query url.Values) (json.RawMessage, error) {
	now := l.now()
	p := params{query: query}
	window := p.word("window", "1h", "24h", "7d", "30d", "all")
	since, until := p.number("since", 0, 1<<62), p.number("until", 0, 1<<62)
	switch {
	case p.err != nil:
		return nil, p.err
	case window != "" && (since != 0 || until != 0):
		return nil, fmt.Errorf("%w: window stands in place of since and until, not beside them", ErrUsage)
	case since == 0 && until == 0 && window == "":
		window = "24h"
	}
	if window != "" {
		since = windowStart(window, now)
	}
	if until == 0 {
		until = now.Unix()
	}
	if since > until {
		return nil, fmt.Errorf("%w: since must not be later than until", ErrUsage)
	}
	var st index.Stats
	err := l.Store.View(func(r store.Reader) (err error) {
		st, err = l.Index.Stats(r, since, until, now.Unix())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read stats: %w", err)
	}
	return marshal(struct {
		Window string `json:"window,omitempty"`
		index.Stats
	}{window, st})
}

func windowStart(window string, now time.Time) int64 {
	span := map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}[window]
	if span == 0 {
		return 0
	}
	return now.Add(-span).Unix()
}

// Import implements Verbs.
func (l *Local) Import(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error) {
	if l.Submit == nil {
		return ImportReport{}, errors.New("import: nothing takes events here")
	}
	lines, hangUp := interruptible(ctx, in)
	defer hangUp()
	im := &importer{submit: l.Submit, now: l.now}
	return im.run(ctx, lines, progress)
}

// Export implements Verbs.
func (l *Local) Export(ctx context.Context, f nostr.Filter, out io.Writer) error {
	snap := l.Store.Snapshot()
	defer snap.Close()
	return export(ctx, snap, f, out, cmp.Or(l.page, exportPage))
}

// marshal writes a view byte for byte as the HTTP API does.
func marshal(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// params reads a query and keeps the first fault.
type params struct {
	query url.Values
	err   error
}

func (p *params) fault(name, text, wanted string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s: %q: must be %s", ErrUsage, name, text, wanted)
	}
}

func (p *params) number(name string, lo, hi int64) int64 {
	text := p.query.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lo || n > hi {
		p.fault(name, text, fmt.Sprintf("a number from %d to %d", lo, hi))
	}
	return n
}

func (p *params) flag(name string) *bool {
	text := p.query.Get(name)
	if text == "" {
		return nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		p.fault(name, text, "true or false")
	}
	return &on
}

func (p *params) word(name string, words ...string) string {
	text := p.query.Get(name)
	if text == "" {
		return ""
	}
	for _, w := range words {
		if w == text {
			return text
		}
	}
	p.fault(name, text, fmt.Sprintf("one of %v", words))
	return ""
}
