package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"dvmrelay/control"
	"dvmrelay/mirror"
)

// syncCmd is `sync`.
type syncCmd struct {
	URL    string `arg:"" help:"The relay to read from, ws:// or wss://."`
	Since  string `help:"Unix seconds, RFC 3339, a date, or how long ago (36h, 7d); as far back as mirror.backfill when absent." placeholder:"TIME"`
	Until  string `help:"As --since; now when absent." placeholder:"TIME"`
	Filter string `help:"A NIP-01 filter in place of what the mirror asks for." placeholder:"JSON"`
	DryRun bool   `help:"Count what is missing here and store nothing."`
	JSON   bool   `name:"json" help:"Print progress and report as JSON lines."`
}

// Run reads another relay once. It fails unless everything that was found there is here.
func (c *syncCmd) Run(k *call) error {
	req, err := c.request(time.Now())
	if err != nil {
		return &coded{exitUsage, err}
	}
	show := progressOf(k, c.JSON, syncLine)
	show.quiet = !c.JSON && !show.terminal
	return k.withVerbs(writes, func(ctx context.Context, v control.Verbs) error {
		rep, err := v.Sync(ctx, req, show.progress)
		show.close()
		if errors.Is(err, control.ErrUsage) {
			return err
		}
		if err == nil && rep.NotGiven > 0 {
			err = fmt.Errorf("%d events that the relay has were not given", rep.NotGiven)
		}
		if c.JSON {
			return errors.Join(err, json.NewEncoder(k.std.out).Encode(rep))
		}
		return errors.Join(err, printSync(k.std.out, rep, c.DryRun))
	})
}

func (c *syncCmd) request(now time.Time) (req control.SyncRequest, err error) {
	req = control.SyncRequest{URL: c.URL, DryRun: c.DryRun}
	for _, x := range []struct {
		flag, text string
		at         *int64
	}{{"since", c.Since, &req.Since}, {"until", c.Until, &req.Until}} {
		if x.text == "" {
			continue
		}
		at, err := moment(x.text, now)
		if err != nil {
			return req, fmt.Errorf("--%s: %w", x.flag, err)
		}
		*x.at = max(at, 1) // 0 would mean that nothing was said
	}
	if c.Filter != "" {
		f, err := readFilter(c.Filter)
		if err != nil {
			return req, err
		}
		req.Filter = &f
	}
	return req, nil
}

// syncLine is progress on a terminal.
func syncLine(r mirror.SyncReport) string {
	how := "connecting"
	switch r.How {
	case mirror.HowReconciled:
		how = "comparing"
	case mirror.HowPages:
		how = "reading"
	}
	return fmt.Sprintf("%s%s, %d events, %d new, %s", bar(r.Read, 24), how, r.Events, r.Stored+r.Missing, byteSize(r.BytesIn))
}

// printSync says what became of it, and what is not here.
func printSync(w io.Writer, r mirror.SyncReport, dry bool) error {
	var p page
	if dry {
		p.line("missing here      %d", r.Missing)
	} else {
		p.line("stored            %d", r.Stored)
		for _, x := range []struct {
			name string
			n    uint64
		}{{"already here", r.Duplicate}, {"older version", r.Stale}, {"deleted before", r.Deleted}, {"expired, counted", r.FactOnly}, {"kept waiting", r.Waiting}} {
			if x.n > 0 {
				p.line("%-17s %d", x.name, x.n)
			}
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Rejected)) {
		p.line("rejected          %d  %s", r.Rejected[reason], reason)
	}
	if r.NotGiven > 0 {
		p.line("not given         %d", r.NotGiven)
	}
	for _, g := range r.Left {
		p.line("not read          part %s, %s to %s: %s", g.Part, clock(g.Since), clock(g.Until), g.Why)
	}
	p.line("%s in, %s out, %d windows compared, in %.1f s", byteSize(r.BytesIn), byteSize(r.BytesOut), r.Compared, r.Seconds)
	_, err := p.WriteTo(w)
	return err
}
