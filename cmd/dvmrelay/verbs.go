package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"dvmrelay/control"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// needs says what a verb wants of the parts when no relay runs.
type needs int

const (
	reads   needs = iota // a view of the store
	writes               // every part that an event passes
	rebuilt              // the store's writer and nothing that folds beside it
)

// withVerbs calls fn with the relay that runs on the data directory, or with the store itself when none runs.
func (c *call) withVerbs(need needs, fn func(context.Context, control.Verbs) error) error {
	client, err := control.Dial(c.ctx, c.dataDir())
	if err == nil {
		defer client.Close()
		return verbError(fn(c.ctx, client))
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if need != writes {
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
		return &openError{err}
	}
	if need == reads {
		h.warnUnfinished()
		return errors.Join(verbError(fn(c.ctx, h.local())), h.close())
	}
	return errors.Join(h.perform(c.ctx, need, fn), h.close())
}

// perform runs the parts that a verb needs while it lasts.
func (h *hub) perform(ctx context.Context, need needs, fn func(context.Context, control.Verbs) error) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	stages := []stage{{"store", h.store.Run}}
	if need == writes {
		stages = append(stages, stage{"index", h.mend}, stage{"sightings", h.seen.Run}, stage{"relay", h.relay.Run})
	}
	var verb error
	err := runStages(ctx, append(stages, stage{"command", func(context.Context) error {
		defer done()
		verb = fn(ctx, h.local())
		return nil
	}}))
	return errors.Join(verbError(verb), err)
}

// warnUnfinished says when views are not whole, and how they get so.
func (h *hub) warnUnfinished() {
	var unfinished bool
	err := h.store.View(func(r store.Reader) (err error) {
		unfinished, err = h.index.Unfinished(r)
		return err
	})
	switch {
	case err != nil:
		h.log.Warn("not known whether the index is whole", "err", err)
	case unfinished:
		h.log.Warn("index was left unfinished, views are incomplete; serve or reindex finishes it")
	}
}

// verbError gives an error of a verb its exit status.
func verbError(err error) error {
	if errors.Is(err, control.ErrUsage) {
		return &coded{exitUsage, err}
	}
	return err
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
	return k.withVerbs(reads, func(ctx context.Context, v control.Verbs) error {
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
