package month

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

const (
	start       = 1_790_000_000
	smallMonth  = 5_000
	fullMonth   = 250_000
	smallKills  = 8
	fullKills   = 100
	envMonth    = "DVMRELAY_MONTH"
	envSeed     = "DVMRELAY_MONTH_SEED"
	inFlight    = 1024
	sampledJobs = 20_000 // of a big month, at the moments between
)

// size is how many requests the month of this run has.
func size(t testing.TB) int {
	t.Helper()
	switch s := os.Getenv(envMonth); s {
	case "":
		return smallMonth
	case "full":
		return fullMonth
	default:
		n, err := strconv.Atoi(s)
		if err != nil || n < 100 {
			t.Fatalf("%s: %q is neither full nor a number from 100 up", envMonth, s)
		}
		return n
	}
}

// seeded says which month, and which order of it, this run is about.
func seeded(t testing.TB) (uint64, *rand.Rand) {
	t.Helper()
	// One month by default, so that a change is judged by the change; "random" draws another.
	seed := uint64(2)
	switch s := os.Getenv(envSeed); s {
	case "":
	case "random":
		seed = uint64(time.Now().UnixNano())
	default:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
		seed = n
	}
	t.Logf("%s=%d", envSeed, seed)
	return seed, rand.New(rand.NewPCG(seed, 99))
}

// entry is where an event lies in the file of the month.
type entry struct {
	off  int64
	size int32
	kind int32
	at   int64
}

// month is a generated month on disk, as lines.
type month struct {
	o       Options
	file    *os.File
	entries []entry
	parsed  map[int64]*nip90.Parsed // of a small month, by where it lies
}

// write generates a month into a file.
func write(t testing.TB, o Options) *month {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "month.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	m := &month{o: o, file: f}
	if o.Requests <= smallMonth {
		m.parsed = make(map[int64]*nip90.Parsed)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close month: %v", err)
		}
	})
	var buf []byte
	off := int64(0)
	flush := func() {
		if _, err := f.Write(buf); err != nil {
			t.Fatalf("write month: %v", err)
		}
		off, buf = off+int64(len(buf)), buf[:0]
	}
	Generate(o, func(e *nostr.Event) bool {
		line, err := e.MarshalJSON()
		if err != nil {
			t.Fatalf("write event %s: %v", e.ID, err)
		}
		m.entries = append(m.entries, entry{off + int64(len(buf)), int32(len(line)), int32(e.Kind), int64(e.CreatedAt)})
		if buf = append(append(buf, line...), '\n'); len(buf) > 1<<20 {
			flush()
		}
		return true
	})
	flush()
	return m
}

// without is the month without some kinds.
func (m *month) without(kinds ...int32) *month {
	out := &month{o: m.o, file: m.file, parsed: m.parsed}
	for _, e := range m.entries {
		if !slices.Contains(kinds, e.kind) {
			out.entries = append(out.entries, e)
		}
	}
	return out
}

func (m *month) read(t testing.TB, e entry, door nip90.Door) *nip90.Parsed {
	t.Helper()
	if p := m.parsed[e.off]; p != nil {
		again := *p
		again.Door = door
		return &again
	}
	raw := make([]byte, e.size)
	if _, err := m.file.ReadAt(raw, e.off); err != nil {
		t.Fatalf("read month: %v", err)
	}
	var evt nostr.Event
	if err := evt.UnmarshalJSON(raw); err != nil {
		t.Fatalf("read event %s: %v", raw, err)
	}
	p, err := nip90.Open(&evt, raw, door, time.Unix(e.at, 0))
	if err != nil {
		t.Fatalf("open event %s: %v", evt.ID, err)
	}
	if m.parsed != nil {
		m.parsed[e.off] = p
	}
	return p
}

// reference reads the whole month.
func (m *month) reference(t testing.TB) *Reference {
	t.Helper()
	ref := NewReference()
	for _, e := range m.entries {
		ref.Add(m.read(t, e, nip90.DoorImport))
	}
	return ref
}

// arrival is an event and when it comes in, in unix seconds.
type arrival struct {
	entry
	at int64
}

// live is the month as a relay hears it: about in the order of time, some hours late, some twice.
func (m *month) live(rng *rand.Rand) []arrival {
	out := make([]arrival, 0, len(m.entries))
	for _, e := range m.entries {
		at := min(max(e.at, m.o.Start), m.o.End()) + rng.Int64N(5)
		switch rng.IntN(50) {
		case 0:
			at += rng.Int64N(900)
		case 1:
			at += rng.Int64N(2 * day)
		case 2:
			out = append(out, arrival{e, at + rng.Int64N(5*day)})
		}
		out = append(out, arrival{e, at})
	}
	slices.SortFunc(out, func(a, b arrival) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.off, b.off)) })
	return out
}

// newestFirst is the month as a backfill brings it, page by page from several upstreams: some of it twice.
func (m *month) newestFirst(rng *rand.Rand) []arrival {
	out := make([]arrival, 0, len(m.entries))
	for _, e := range m.entries {
		out = append(out, arrival{e, 0})
		if rng.IntN(30) == 0 {
			out = append(out, arrival{e, 0})
		}
	}
	slices.SortFunc(out, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(b.entry.at/300, a.entry.at/300), cmp.Compare(a.off, b.off))
	})
	return out
}

// shuffled is the month in any order.
func (m *month) shuffled(rng *rand.Rand) []arrival {
	out := make([]arrival, len(m.entries))
	for i, e := range m.entries {
		out[i] = arrival{e, 0}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// rig is a running store with an index on it. Its clock is moved by the test.
type rig struct {
	*storetest.Running
	x   *index.Index
	dir string
	at  *atomic.Int64
}

func (r *rig) now() time.Time { return time.Unix(r.at.Load(), 0) }

func open(t testing.TB, dir string, at int64) *rig {
	t.Helper()
	r := &rig{dir: dir, at: &atomic.Int64{}}
	r.at.Store(at)
	r.x = index.New(index.Options{KeepCustomer: true, Now: r.now})
	var opts []storetest.Option
	if size(t) <= smallMonth {
		opts = append(opts, storetest.Check(r.x.Check))
	}
	r.Running = storetest.Open(t, append(opts, storetest.With(func(o *store.Options) {
		o.Dir, o.Indexer, o.Now, o.SweepEvery = dir, r.x, r.now, time.Hour
	}))...)
	return r
}

// restart closes the store, which is checked, and opens it again.
func (r *rig) restart(t testing.TB) *rig {
	t.Helper()
	r.Stop()
	return open(t, r.dir, r.at.Load())
}

// feed puts events in, in this order; each must be taken.
func (r *rig) feed(t testing.TB, m *month, door nip90.Door, list []arrival) {
	t.Helper()
	ctx := context.Background()
	var waiting []*store.Pending
	drain := func(most int) {
		for len(waiting) > most {
			if _, _, err := waiting[0].Wait(ctx); err != nil {
				t.Fatalf("save: %v", err)
			}
			waiting = waiting[1:]
		}
	}
	for _, a := range list {
		if a.at != 0 && a.at > r.at.Load() {
			r.at.Store(a.at)
		}
		p, err := r.Submit(ctx, m.read(t, a.entry, door))
		if err != nil {
			t.Fatalf("submit: %v", err)
		}
		waiting = append(waiting, p)
		drain(inFlight)
	}
	drain(0)
}

// settle expires what is due and finishes what was put off.
func (r *rig) settle(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	if err := r.Sweep(ctx); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		tasks := false
		err := r.View(func(v store.Reader) error {
			return v.Scan([]byte{'w'}, nil, func([]byte, []byte) bool { // the store's work to be done in steps
				tasks = true
				return false
			})
		})
		if err != nil {
			t.Fatalf("look for tasks: %v", err)
		}
		if !tasks {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the store does not finish its tasks")
		}
		// A turn of the writer.
		if err := r.Update(ctx, func(store.Txn) error { return nil }); err != nil {
			t.Fatalf("update: %v", err)
		}
	}
	if err := r.x.Settle(ctx, r.Store); err != nil {
		t.Fatal(err)
	}
}
