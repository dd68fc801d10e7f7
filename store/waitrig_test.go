package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// unmet is the refusal of the rule below.
type unmet []store.Awaited

func (unmet) Error() string             { return "about nothing known" }
func (u unmet) Awaits() []store.Awaited { return u }

// rule lets a report in that names a counted event, a deletion that does, a profile or a wish to vanish of whoever was
// counted, and everything else.
func rule(t store.Txn, p *nip90.Parsed) error {
	var waits unmet
	switch m := p.Message.(type) {
	case *nip90.Cancel:
		for _, id := range m.IDs {
			waits = append(waits, store.Awaited{Kind: store.AwaitEvent, Key: id})
		}
	case *nip90.Other:
		if p.Event.Kind == nip90.KindReport {
			for _, l := range m.Links {
				waits = append(waits, store.Awaited{Kind: store.AwaitEvent, Key: l.ID})
			}
		} else {
			waits = unmet{{Kind: store.AwaitAuthor, Key: p.Author}}
		}
	}
	for _, w := range waits {
		var known bool
		var err error
		if w.Kind == store.AwaitEvent {
			_, known, err = t.Fact(w.Key)
		} else {
			known, err = store.HasAuthor(t, w.Key)
		}
		if known || err != nil {
			return err
		}
	}
	if waits == nil {
		return nil
	}
	return waits
}

// told records what Committed hears.
type told struct {
	mu      sync.Mutex // guards below
	commits []store.Commit
}

func (c *told) committed(version uint64, cs []store.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range cs {
		if one.Change.Version != version {
			panic(fmt.Sprintf("commit of version %d says %d", version, one.Change.Version))
		}
	}
	c.commits = append(c.commits, cs...)
}

func (c *told) take() (list []store.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, c.commits = c.commits, nil
	return list
}

// order are the ids of the commits.
func order(commits []store.Commit) (ids []string) {
	for _, c := range commits {
		ids = append(ids, c.Parsed.Event.ID)
	}
	return ids
}

type waitRig struct {
	*storetest.Running
	told        *told
	now         atomic.Int64
	backfilling atomic.Bool
}

const waitEpoch = 1_700_000_000

func openWaiting(t *testing.T, opts ...storetest.Option) *waitRig {
	t.Helper()
	r := &waitRig{told: &told{}}
	r.now.Store(waitEpoch)
	r.reopen(t, opts...)
	return r
}

func (r *waitRig) reopen(t *testing.T, opts ...storetest.Option) {
	t.Helper()
	r.Running = storetest.Open(t, append([]storetest.Option{storetest.Check(index.Check), storetest.With(func(o *store.Options) {
		o.Indexer, o.Admit, o.Committed = index.New(index.Options{KeepCustomer: true}), rule, r.told.committed
		o.Now = func() time.Time { return time.Unix(r.now.Load(), 0) }
		o.Backfilling = r.backfilling.Load
		o.SweepEvery = time.Hour
	})}, opts...)...)
}

// by makes an event come through a door.
func by(door nip90.Door, p *nip90.Parsed) *nip90.Parsed {
	other := *p
	other.Door = door
	return &other
}

// report is an event that waits for those that it names.
func report(t *testing.T, author int, about ...*nip90.Parsed) *nip90.Parsed {
	t.Helper()
	var tags nostr.Tags
	for _, p := range about {
		tags = append(tags, nostr.Tag{"e", p.Event.ID})
	}
	return storetest.Parsed(t, event(author, nip90.KindReport, waitEpoch-50, tags...))
}

func (r *waitRig) put(t *testing.T, p *nip90.Parsed, want store.Outcome) store.Change {
	t.Helper()
	outcome, change, err := r.Save(context.Background(), p)
	if err != nil || outcome != want {
		t.Fatalf("save kind %d %s: outcome %d, %v; want %d", p.Event.Kind, p.ID, outcome, err, want)
	}
	return change
}

// rows counts a table.
func (r *waitRig) rows(t *testing.T, table byte) (n int) {
	t.Helper()
	err := r.View(func(v store.Reader) error {
		counts, err := store.KeyCounts(v)
		n = counts[table]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r *waitRig) waiting(t *testing.T, want int) {
	t.Helper()
	st := r.Stats()
	if rows := r.rows(t, 'h'); st.Waiting != want || rows != want || (want == 0) != (st.WaitingBytes == 0) {
		t.Errorf("waiting: %d, %d bytes, %d rows on disk; want %d", st.Waiting, st.WaitingBytes, rows, want)
	}
}
