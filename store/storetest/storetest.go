// Package storetest opens stores for tests: it runs them, and when the test ends it holds what they wrote to every
// invariant of the store and to any other check that the test brings.
package storetest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// Option changes how Open opens a store.
type Option func(*config)

type config struct {
	options store.Options
	checks  []func(store.Reader) error
}

// With changes the options of the store. By default it lies in a directory of the test and does not sync.
func With(change func(*store.Options)) Option { return func(c *config) { change(&c.options) } }

// Check adds a check of the whole store that runs when the test ends, such as index.Check.
func Check(check func(store.Reader) error) Option {
	return func(c *config) { c.checks = append(c.checks, check) }
}

// Running is a store and its writer.
type Running struct {
	*store.Store
	stop func()
}

// Stop ends the writer, checks the store and closes it; the cleanup of the test then does nothing.
func (r *Running) Stop() { r.stop() }

// Open opens and runs a store until the test ends.
func Open(t testing.TB, opts ...Option) *Running {
	t.Helper()
	c := config{options: store.DefaultOptions()}
	c.options.Sync, c.options.FreeFloor = store.SyncNone, 0
	for _, o := range opts {
		o(&c)
	}
	if c.options.Dir == "" {
		c.options.Dir = t.TempDir()
	}
	s, err := store.Open(c.options)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	r := &Running{Store: s}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("run store: %v", err)
		}
		for _, check := range append([]func(store.Reader) error{store.Verify}, c.checks...) {
			if err := s.View(check); err != nil {
				t.Errorf("check store: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// Parsed makes the parsed form of an event: it fills in a missing id, and a signature of zeros, which the store does
// not look at.
func Parsed(t testing.TB, evt nostr.Event) *nip90.Parsed {
	t.Helper()
	if evt.Tags == nil {
		evt.Tags = nostr.Tags{}
	}
	if evt.ID == "" {
		evt.ID = evt.GetID()
	}
	if evt.Sig == "" {
		evt.Sig = zeroSig
	}
	raw, err := json.Marshal(evt)
	if err != nil {
		t.Fatalf("write event: %v", err)
	}
	return FromJSON(t, raw)
}

const zeroSig = "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

// FromJSON opens the JSON of an event as if an import had brought it.
func FromJSON(t testing.TB, raw []byte) *nip90.Parsed {
	t.Helper()
	var evt nostr.Event
	if err := json.Unmarshal(raw, &evt); err != nil {
		t.Fatalf("read event %s: %v", raw, err)
	}
	p, err := nip90.Open(&evt, raw, nip90.DoorImport, time.Now())
	if err != nil {
		t.Fatalf("open event %s: %v", evt.ID, err)
	}
	return p
}

// Put saves an event and fails the test when the store refuses it.
func (r *Running) Put(t testing.TB, p *nip90.Parsed) store.Outcome {
	t.Helper()
	outcome, _, err := r.Save(context.Background(), p)
	if err != nil {
		t.Fatalf("save event %s: %v", p.ID, err)
	}
	return outcome
}

// IDs are the ids that a filter finds, in the order of the answer.
func (r *Running) IDs(t testing.TB, f nostr.Filter) []string {
	t.Helper()
	ids := []string{}
	for raw, err := range r.Query(context.Background(), f) {
		if err != nil {
			t.Fatalf("query %s: %v", f, err)
		}
		ids = append(ids, raw.ID.String())
	}
	return ids
}
