package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"dvmrelay/config"
	"dvmrelay/control"
	"dvmrelay/demo"
	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/relay"
	"dvmrelay/store"
	"dvmrelay/web"

	"github.com/nbd-wtf/go-nostr"
)

// hub is every part of the relay, joined. Nothing runs yet.
type hub struct {
	cfg    config.Config
	log    *slog.Logger
	store  *store.Store
	index  *index.Index
	rules  *policies.Set
	relay  *relay.Relay
	mirror *mirror.Mirror
	reads  mirror.Options // as the mirror began with
	ledger *mirror.Ledger
	watch  *index.Watch
	seen   *index.Sightings
	site   *web.Site
	past   backfilling
	stage  *demo.Stage // of --demo; nil without
	growth *growth
	began  time.Time
	ready  atomic.Bool // the store runs and the doors are open
}

// openHub opens the store and joins the parts over it. Close it when it has run.
func openHub(cfg config.Config, log *slog.Logger, how ...func(*hub)) (*hub, error) {
	h := &hub{cfg: cfg, log: log}
	for _, change := range how {
		change(h)
	}
	h.began = time.Now()
	heard := &listening{}
	cfg.Index.Now, cfg.Index.Listening, cfg.Index.URL = time.Now, heard, cfg.Relay.URL
	cfg.Index.Inputs = cfg.Web.Inputs
	if h.stage != nil {
		cfg.Index.Listening = h.stage
	}
	h.index, h.watch = index.New(cfg.Index), index.NewWatch(index.WatchOptions{})
	var err error
	if h.rules, err = policies.New(cfg.Rules(), policies.Deps{Standing: policies.View(h.known)}); err != nil {
		return nil, err
	}
	cfg.Store.Log, cfg.Store.Indexer = log, h.index
	cfg.Store.BlindKeys = !cfg.Index.KeepCustomer
	cfg.Store.Admit = func(t store.Txn, p *nip90.Parsed) error { return h.rules.Admit(h.index.Known(t), p) }
	cfg.Store.Backfilling = h.past.on.Load
	cfg.Store.Committed = func(version uint64, cs []store.Commit) {
		h.relay.Committed(version, cs)
		h.watch.Committed(version, cs)
		h.seen.Committed(version, cs)
	}
	if h.store, err = store.Open(cfg.Store); err != nil {
		if errors.Is(err, store.ErrLocked) {
			err = &coded{exitLocked, err}
		}
		return nil, err
	}
	h.growth = &growth{notes: h.store, size: h.bytesOnDisk, now: time.Now, log: log}
	h.ledger = mirror.NewLedger(h.store, nil, log)
	heard.ledger = h.ledger
	if h.seen, err = index.NewSightings(h.index, h.store); err != nil {
		return nil, errors.Join(err, h.store.Close())
	}
	if err := h.join(); err != nil {
		return nil, errors.Join(err, h.store.Close())
	}
	heard.mirror = h.mirror
	return h, nil
}

// join makes what stands on the store.
func (h *hub) join() (err error) {
	h.site = web.New(h.cfg.Web, web.Deps{
		View: h.store.View, Index: h.index, Watch: h.watch, Upstreams: h.upstreams, Ready: h.serving, Log: h.log, AuthEncrypted: h.cfg.Relay.AuthEncrypted,
		Name: h.cfg.Relay.Name, Description: h.cfg.Relay.Description, RelayURL: h.cfg.Relay.URL, Version: release,
		Demo:  h.stage != nil,
		Relay: h.relayFacts, Admin: h.administrator, Insight: h.insight, Peek: h.peek,
	})
	h.cfg.Relay.Sync, h.cfg.Relay.Version = h.cfg.Store.Sync, release
	h.relay, err = relay.New(h.cfg.Relay, relay.Deps{Store: h.store, Index: h.index, Policies: h.rules, Log: h.log, Fallback: h.site, Seen: h.seenHere})
	if err != nil {
		return fmt.Errorf("open relay: %w", err)
	}
	h.cfg.Mirror.Log, h.cfg.Mirror.Kinds, h.cfg.Mirror.Ledger = h.log, h.mirrored(), h.ledger
	h.cfg.Mirror.Seen, h.cfg.Mirror.Holdings = h.seen.Saw, holdings{h.store}
	h.cfg.Mirror.Jobs, h.cfg.Mirror.Self = &openJobs{h.store, h.index}, h.cfg.Relay.URL
	if key, ok := h.relay.Key(); ok {
		h.cfg.Mirror.Sign = key.Sign
	}
	h.cfg.Mirror.Watched = index.NewWatched(h.index, h.store.View)
	h.mirror, h.reads = mirror.New(h.cfg.Mirror, h.relay, h.store), h.cfg.Mirror
	h.expect()
	return nil
}

// peek answers a filter for pages.
func (h *hub) peek(ctx context.Context, f nostr.Filter, count bool, most int) (web.Found, error) {
	got, err := h.relay.Peek(ctx, f, count, most)
	return web.Found(got), err
}

// reading is how other relays are read, as of now.
func (h *hub) reading() mirror.Options {
	o := h.reads
	o.Kinds = h.mirrored()
	return o
}

// seenHere notes that this relay's own sockets had an event.
func (h *hub) seenHere(id nip90.ID) { h.seen.Saw(id, index.SelfSource) }

// expect keeps a place for the upstreams of the configuration among the sources of events.
func (h *hub) expect() {
	for _, u := range h.sources() {
		h.seen.Expect(u.URL)
	}
}

// mirrored are the kinds of jobs, and of what belongs to them, that are accepted here: what would be refused is not asked
// for.
func (h *hub) mirrored() []int {
	kinds := h.rules.Kinds()
	return slices.DeleteFunc(append(mirror.DefaultKinds(), mirror.PeopleKinds()...), func(k int) bool { return !kinds.Accepts(k) })
}

// errNotReady is what /readyz says while the relay starts or ends.
var errNotReady = errors.New("does not serve")

func (h *hub) serving() error {
	if !h.ready.Load() {
		return errNotReady
	}
	return nil
}

// readiness says that the relay serves, from the moment that the store has done something until ctx ends. It is the last
// stage, above all that must be open. A full disk is no reason not to serve what there is.
func (h *hub) readiness(ctx context.Context) error {
	err := h.store.Update(ctx, func(store.Txn) error { return nil })
	if ctx.Err() != nil {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrDiskFull) {
		return err
	}
	h.ready.Store(true)
	defer h.ready.Store(false)
	<-ctx.Done()
	return nil
}

// mend finishes what an earlier run of the index left undone, then tends the index until the end. The store must be running.
func (h *hub) mend(ctx context.Context) error {
	var unfinished bool
	err := h.store.View(func(r store.Reader) (err error) {
		unfinished, err = h.index.Unfinished(r)
		return err
	})
	if err == nil && unfinished {
		h.log.Warn("index was left unfinished and is built again; views are incomplete until then")
		err = h.index.Rebuild(ctx, h.store)
	}
	if err == nil {
		err = h.index.Settle(ctx, h.store)
	}
	switch {
	case errors.Is(err, store.ErrDiskFull):
		h.log.Warn("index not finished: disk full; what there is, is served", "err", err)
	case err != nil && ctx.Err() == nil:
		return err
	}
	err = h.index.Tend(ctx, h.store.View)
	if err != nil && ctx.Err() == nil {
		h.log.Warn("figures of providers are worked out when somebody asks", "err", err)
	}
	<-ctx.Done()
	return nil
}

// close closes what openHub opened.
func (h *hub) close() error { return h.store.Close() }

// known opens a view of what was met before.
func (h *hub) known() (policies.Known, func()) {
	snap := h.store.Snapshot()
	return h.index.Known(snap), snap.Close
}

// local answers commands from this hub's own store.
func (h *hub) local() *control.Local {
	return &control.Local{Store: h.store, Index: h.index, Submit: h.relay.Submit, Mirror: h.reading}
}

// sources are the upstreams that are shown: the mirror's, or those of the stage.
func (h *hub) sources() []mirror.Status {
	if h.stage != nil {
		return h.stage.Upstreams()
	}
	return h.mirror.Upstreams()
}

// upstreams is what the web door shows of the mirror.
func (h *hub) upstreams() []web.Upstream {
	list := h.sources()
	exclusive := h.exclusive()
	out := make([]web.Upstream, 0, len(list))
	for _, u := range list {
		up := web.Upstream{
			URL: u.URL, State: u.State, Reason: u.Reason, HeardSince: u.HeardSince, LastEventAt: u.LastEventAt, LagSeconds: u.LagSeconds,
			Accepted: u.Accepted, Duplicates: u.Duplicates, Ignored: u.Ignored, Waiting: u.Waiting, Rejected: u.Rejected, Connects: u.Connects,
			Exclusive: exclusive[u.URL],
			Strikes:   u.Strikes, PausedUntil: u.PausedUntil, Bytes: u.Bytes, SlowedMS: u.SlowedMS, Unheard: u.Unheard,
		}
		if u.Backfill != nil {
			b := u.Backfill
			up.Backfill = &web.Backfill{Done: b.Done, Until: b.Until, How: b.How, Why: b.Why, Compared: b.Compared, Faults: b.Faults}
		}
		for _, part := range u.Parts {
			up.Parts = append(up.Parts, web.UpstreamPart(part))
		}
		up.Gaps = make([]index.Gap, 0, len(u.Gaps))
		for _, g := range u.Gaps {
			up.Gaps = append(up.Gaps, index.Gap(g))
		}
		out = append(out, up)
	}
	return out
}

// exclusive counts by upstream the events that nobody else had.
func (h *hub) exclusive() (counts map[string]uint64) {
	err := h.store.View(func(r store.Reader) (err error) {
		counts, err = h.index.Exclusive(r)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrClosed) {
		h.log.Warn("exclusive events not counted", "err", err)
	}
	return counts
}

// stage is one part that runs.
type stage struct {
	name string
	run  func(context.Context) error
}

// runStages starts stages in order and, when ctx ends or one of them fails, ends them in reverse: each is told, and has
// returned, before the one below it is told.
func runStages(ctx context.Context, stages []stage) error {
	type running struct {
		cancel context.CancelFunc
		done   chan error
	}
	failed := make(chan struct{}, len(stages))
	up := make([]running, len(stages))
	for i, s := range stages {
		sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := running{cancel, make(chan error, 1)}
		go func() {
			r.done <- s.run(sctx)
			failed <- struct{}{}
		}()
		up[i] = r
	}
	select {
	case <-ctx.Done():
	case <-failed:
	}
	var all error
	for i := len(stages) - 1; i >= 0; i-- {
		up[i].cancel()
		if err := <-up[i].done; err != nil && !errors.Is(err, context.Canceled) {
			all = errors.Join(all, fmt.Errorf("%s: %w", stages[i].name, err))
		}
	}
	return all
}
