package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dvmrelay/control"
	"dvmrelay/index"
	"dvmrelay/web"
)

// threadCmd is `thread`.
type threadCmd struct {
	ID   string `arg:"" help:"Any id in the job: hex, note or nevent."`
	JSON bool   `name:"json" help:"Print JSON: the object of /api/v1/jobs/ID."`
}

// Run prints a job.
func (c *threadCmd) Run(k *call) error {
	return k.withVerbs(reads, func(ctx context.Context, v control.Verbs) error {
		raw, err := v.Thread(ctx, c.ID)
		if errors.Is(err, control.ErrNotFound) {
			return fmt.Errorf("%w\nit may have been asked where this relay does not listen, or before it did: see mirror.upstreams and mirror.backfill", err)
		}
		if err != nil {
			return err
		}
		return printView(k.std.out, raw, c.JSON, func(p *page, t shownThread) { p.thread(t, time.Now()) })
	})
}

// handlersCmd is `handlers`.
type handlersCmd struct {
	Kind   int    `help:"Only handlers of this job kind."`
	Online bool   `help:"Only handlers with a recent heartbeat."`
	Search string `help:"Words in name or description." placeholder:"WORDS" name:"q"`
	Sort   string `help:"answer_rate, first_result, price, seen, new, name or kind; newest first when absent." placeholder:"BY"`
	Limit  int    `help:"At most so many, 0 = all." default:"200"`
	JSON   bool   `name:"json" help:"Print JSON lines: the items of /api/v1/handlers."`
}

// Run prints handlers.
func (c *handlersCmd) Run(k *call) error {
	if c.Limit < 0 {
		return &coded{exitUsage, fmt.Errorf("--limit: %d: must not be negative", c.Limit)}
	}
	q := url.Values{}
	if c.Kind != 0 {
		q.Set("kind", strconv.Itoa(c.Kind))
	}
	if c.Online {
		q.Set("online", "true")
	}
	if c.Search != "" {
		q.Set("q", c.Search)
	}
	if c.Sort != "" {
		q.Set("sort", c.Sort)
	}
	return k.withVerbs(reads, func(ctx context.Context, v control.Verbs) error {
		items, more, err := c.items(ctx, v, q)
		if err != nil {
			return err
		}
		if c.JSON {
			return printItems(k.std.out, items)
		}
		return printHandlers(k.std.out, items, more)
	})
}

// items reads page after page; more says that the limit left some out.
func (c *handlersCmd) items(ctx context.Context, v control.Verbs, q url.Values) (items []json.RawMessage, more bool, err error) {
	for {
		size := index.MaxLimit
		if c.Limit > 0 {
			size = min(size, c.Limit-len(items))
		}
		q.Set("limit", strconv.Itoa(size))
		raw, err := v.Handlers(ctx, q)
		if err != nil {
			return nil, false, err
		}
		var list struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, false, fmt.Errorf("read answer: %w", err)
		}
		items = append(items, list.Items...)
		if list.Next == "" || c.Limit > 0 && len(items) >= c.Limit {
			return items, list.Next != "", nil
		}
		q.Set("cursor", list.Next)
	}
}

// statsCmd is `stats`.
type statsCmd struct {
	Window      string `help:"1h, 24h, 7d, 30d or all; 24h when neither this nor --since is given."`
	Since       string `help:"In place of --window: unix seconds, RFC 3339, or how long ago (36h, 7d)." placeholder:"TIME"`
	Until       string `help:"As --since; now when absent." placeholder:"TIME"`
	Kind        int    `help:"Only jobs of this kind."`
	Provider    string `help:"Only this provider's side: hex, npub or nprofile." placeholder:"KEY"`
	ExcludeKind []int  `help:"Without jobs of this kind; may be repeated." placeholder:"KIND"`
	JSON        bool   `name:"json" help:"Print JSON: the object of /api/v1/stats."`
}

// Run prints counts.
func (c *statsCmd) Run(k *call) error {
	q, err := c.query(time.Now())
	if err != nil {
		return &coded{exitUsage, err}
	}
	return k.withVerbs(reads, func(ctx context.Context, v control.Verbs) error {
		raw, err := v.Stats(ctx, q)
		if err != nil {
			return err
		}
		return printView(k.std.out, raw, c.JSON, func(p *page, st web.WindowStats) { p.stats(st) })
	})
}

func (c *statsCmd) query(now time.Time) (url.Values, error) {
	q := url.Values{}
	for _, x := range []struct{ flag, text string }{{"since", c.Since}, {"until", c.Until}} {
		if x.text == "" {
			continue
		}
		at, err := moment(x.text, now)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", x.flag, err)
		}
		q.Set(x.flag, strconv.FormatInt(at, 10))
	}
	if c.Window != "" {
		q.Set("window", c.Window)
	}
	if c.Kind != 0 {
		q.Set("kind", strconv.Itoa(c.Kind))
	}
	if c.Provider != "" {
		q.Set("provider", c.Provider)
	}
	for _, kind := range c.ExcludeKind {
		q.Add("exclude_kind", strconv.Itoa(kind))
	}
	return q, nil
}

// moment reads a time: unix seconds, RFC 3339, a date, or how long ago.
func moment(text string, now time.Time) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return n, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Unix() >= 0 {
			return t.Unix(), nil
		}
	}
	span := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "ago"))
	if days, ok := strings.CutSuffix(span, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			span = strconv.FormatUint(n*24, 10) + "h"
		}
	}
	if d, err := time.ParseDuration(span); err == nil && d >= 0 {
		return max(0, now.Add(-d).Unix()), nil
	}
	return 0, fmt.Errorf("%q: must be unix seconds, a time like 2006-01-02T15:04:05Z, or how long ago like 36h or 7d", text)
}
