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
	"sync"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// Local answers from an open store: beside a running relay as the other end of Client, or alone. It implements Verbs.
type Local struct {
	Store *store.Store // for Reindex it must be running
	Index *index.Index
	// Submit is the way in for events: every check, then the store. Only Import and Sync need it.
	Submit func(context.Context, *nip90.Parsed) mirror.Verdict
	// Mirror is how other relays are read; nil = not at all. Only Sync needs it.
	Mirror func() mirror.Options
	// Now is the clock; nil = time.Now.
	Now func() time.Time

	marking sync.Mutex // held while what is remembered of imports is rewritten

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
		Kind: int(p.number("kind", 0, 65535)), Online: p.flag("online"), Q: query.Get("q"), Sort: p.word("sort", index.HandlerSorts()...),
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
	window, since, until := p.window(now)
	q := index.StatsQuery{
		Since: since, Until: until, Now: now.Unix(),
		Kind: int(p.number("kind", 0, 65535)), Provider: p.key("provider"), ExcludeKinds: p.kinds("exclude_kind"),
	}
	if p.err != nil {
		return nil, p.err
	}
	var st index.Stats
	err := l.Store.View(func(r store.Reader) (err error) {
		st, err = l.Index.Stats(r, q)
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

// Import implements Verbs.
func (l *Local) Import(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error) {
	return l.ImportFrom(ctx, ImportSource{In: in}, progress)
}

// ImportFrom implements Verbs.
func (l *Local) ImportFrom(ctx context.Context, src ImportSource, progress func(ImportReport)) (ImportReport, error) {
	if l.Submit == nil {
		return ImportReport{}, errors.New("import: nothing takes events here")
	}
	im := &importer{submit: l.Submit, now: l.now}
	if src.File != "" {
		im.from.File, im.remember = src.File, l.remember
	}
	if src.From != 0 {
		mark, err := l.resumed(ctx, &src)
		if err != nil {
			return ImportReport{}, err
		}
		im.from = mark
	}
	in, hangUp := src.interruptible(ctx)
	defer hangUp()
	return im.run(ctx, in, progress)
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
