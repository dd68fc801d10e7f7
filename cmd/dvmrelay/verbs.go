package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"time"

	"dvmrelay/control"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// withVerbs calls fn with the relay that runs on the data directory, or with the store itself when none runs. Writing
// verbs need the parts that write.
func (c *call) withVerbs(writes bool, fn func(context.Context, control.Verbs) error) error {
	client, err := control.Dial(c.ctx, c.dataDir())
	if err == nil {
		defer client.Close()
		return verbError(fn(c.ctx, client))
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if !writes {
		if _, err := os.Stat(c.dataDir()); err != nil {
			return fmt.Errorf("no data directory: %w", err)
		}
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	cfg.Relay.KeyFile = "" // only a relay that serves has an identity
	var level slog.LevelVar
	log, err := logger(cfg.Log, c.std.err, &level)
	if err != nil {
		return &coded{exitConfig, err}
	}
	level.Set(max(level.Level(), slog.LevelWarn))
	h, err := openHub(cfg, log)
	if err != nil {
		return err
	}
	if !writes {
		return errors.Join(verbError(fn(c.ctx, h.local())), h.close())
	}
	ctx, done := context.WithCancel(c.ctx)
	var verb error
	err = runStages(ctx, []stage{
		{"store", h.store.Run},
		{"index", h.mend},
		{"relay", h.relay.Run},
		{"command", func(context.Context) error {
			defer done()
			verb = fn(ctx, h.local())
			return nil
		}},
	})
	return errors.Join(verbError(verb), err, h.close())
}

// verbError gives an error of a verb its exit status.
func verbError(err error) error {
	if errors.Is(err, control.ErrUsage) {
		return &coded{exitUsage, err}
	}
	return err
}

// threadCmd is `thread`.
type threadCmd struct {
	ID   string `arg:"" help:"Any id in the job: hex, note or nevent."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run prints a job.
func (c *threadCmd) Run(k *call) error {
	return k.withVerbs(false, func(ctx context.Context, v control.Verbs) error {
		raw, err := v.Thread(ctx, c.ID)
		if err != nil {
			return err
		}
		return printView(k.std.out, raw, c.JSON, printThread)
	})
}

// handlersCmd is `handlers`.
type handlersCmd struct {
	Kind   int    `help:"Only handlers of this job kind."`
	Online bool   `help:"Only handlers with a recent heartbeat."`
	Search string `help:"Words in name or description." placeholder:"WORDS" name:"q"`
	Limit  int    `help:"At most so many." default:"200"`
	JSON   bool   `name:"json" help:"Print JSON lines."`
}

// Run prints handlers.
func (c *handlersCmd) Run(k *call) error {
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Kind != 0 {
		q.Set("kind", strconv.Itoa(c.Kind))
	}
	if c.Online {
		q.Set("online", "true")
	}
	if c.Search != "" {
		q.Set("q", c.Search)
	}
	return k.withVerbs(false, func(ctx context.Context, v control.Verbs) error {
		raw, err := v.Handlers(ctx, q)
		if err != nil {
			return err
		}
		if c.JSON {
			return printItems(k.std.out, raw)
		}
		return printView(k.std.out, raw, false, printHandlers)
	})
}

// statsCmd is `stats`.
type statsCmd struct {
	Window string `help:"1h, 24h, 7d, 30d or all." default:"24h"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Run prints counts.
func (c *statsCmd) Run(k *call) error {
	return k.withVerbs(false, func(ctx context.Context, v control.Verbs) error {
		raw, err := v.Stats(ctx, url.Values{"window": {c.Window}})
		if err != nil {
			return err
		}
		return printView(k.std.out, raw, c.JSON, printStats)
	})
}

// importCmd is `import`.
type importCmd struct {
	File string `arg:"" optional:"" help:"JSONL, plain or gzip; - or nothing is standard input." default:"-"`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Run imports events. Lines that are refused are counted, not fatal.
func (c *importCmd) Run(k *call) error {
	in, err := k.open(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	var told time.Time
	progress := func(r control.ImportReport) {
		if isTerminal(k.std.err) && time.Since(told) > time.Second {
			told = time.Now()
			fmt.Fprintf(k.std.err, "\r%d read, %d stored", r.Read, r.Stored)
		}
	}
	return k.withVerbs(true, func(ctx context.Context, v control.Verbs) error {
		report, err := v.Import(ctx, in, progress)
		if !told.IsZero() {
			fmt.Fprintln(k.std.err)
		}
		if c.JSON {
			err = errors.Join(err, json.NewEncoder(k.std.out).Encode(report))
		} else {
			printImport(k.std.out, report)
		}
		return err
	})
}

func (c *call) open(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(c.std.in), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open import: %w", err)
	}
	return f, nil
}

// exportCmd is `export`.
type exportCmd struct {
	Filter string `help:"A NIP-01 filter; without a limit it means everything." default:"{}" placeholder:"JSON"`
}

// Run exports events, oldest first.
func (c *exportCmd) Run(k *call) error {
	f, err := readFilter(c.Filter)
	if err != nil {
		return &coded{exitUsage, err}
	}
	return k.withVerbs(false, func(ctx context.Context, v control.Verbs) error {
		w := bufio.NewWriterSize(k.std.out, 1<<16)
		return errors.Join(v.Export(ctx, f, w), w.Flush())
	})
}

// readFilter reads a filter as strictly as a REQ does.
func readFilter(text string) (nostr.Filter, error) {
	cmd, bad := wire.ParseCommand([]byte(`["REQ","export",`+text+`]`), wire.Limits{})
	if bad != nil {
		return nostr.Filter{}, fmt.Errorf("--filter: %s", bad.Reason)
	}
	req, ok := cmd.(wire.Req)
	if !ok || len(req.Filters) != 1 {
		return nostr.Filter{}, errors.New("--filter: must be one filter object")
	}
	return req.Filters[0], nil
}
