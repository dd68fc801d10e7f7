package index

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

const epoch = 1_700_000_000

// clock is a clock that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(c.at.Load(), 0) }

// bench is a running store with an index on it, checked when the test ends.
type rig struct {
	*storetest.Running
	*clock
	x *Index
}

func newRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	r := &rig{clock: &clock{}}
	r.at.Store(epoch + 1000)
	o := Options{KeepCustomer: true, Now: r.Now}
	if change != nil {
		change(&o)
	}
	r.x = New(o)
	r.Running = storetest.Open(t, storetest.With(func(s *store.Options) {
		s.Indexer, s.Now = r.x, r.Now
		s.SweepEvery = time.Hour
	}), storetest.Check(r.x.Check))
	return r
}

func (r *rig) put(t testing.TB, evts ...nostr.Event) {
	t.Helper()
	for _, e := range evts {
		r.Put(t, storetest.Parsed(t, e))
	}
}

// dump is every row of the index. The facts of handlers are left out: a stale version leaves no fact, so which versions
// have one depends on the order in which they came.
func (r *rig) dump(t testing.TB) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	err := r.View(func(v store.Reader) error {
		for table := keyThread; table <= keyRollup; table++ {
			if table == keyHandlerFact {
				continue
			}
			if err := v.Scan([]byte{byte(table)}, nil, func(k, b []byte) bool {
				// Who was met is never forgotten, wherever the event went afterwards.
				if met, err := decodeTally(b); table == keyRollup && err == nil {
					met.met = nil
					if b = met.Encode(); b == nil {
						return true
					}
				}
				rows[string(k)] = string(b)
				return true
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("dump index: %v", err)
	}
	return rows
}

func sameRows(t testing.TB, got, want map[string]string) bool {
	t.Helper()
	same := true
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[k]; !ok || v != want[k] {
			t.Errorf("row %x: got %x (%t), want %x", k, v, ok, want[k])
			same = false
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			t.Errorf("row %x: got %x, want none", k, got[k])
			same = false
		}
	}
	return same
}

// sweep expires what is due and finishes what vanish requests began.
func (r *rig) sweep(t testing.TB) {
	t.Helper()
	if err := r.Sweep(context.Background()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		tasks := false
		if err := r.View(func(v store.Reader) (err error) {
			tasks, err = some(v, []byte{'w'}) // the store's table of work to be done in steps
			return err
		}); err != nil {
			t.Fatalf("look for tasks: %v", err)
		}
		if !tasks {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the store does not finish its tasks")
		}
		// A turn of the writer.
		if err := r.Update(context.Background(), func(store.Txn) error { return nil }); err != nil {
			t.Fatalf("update: %v", err)
		}
	}
}

func (r *rig) thread(t testing.TB, id string) (th Thread, ok bool) {
	t.Helper()
	err := r.View(func(v store.Reader) (err error) {
		th, ok, err = r.x.Thread(v, mustID(t, id))
		return err
	})
	if err != nil {
		t.Fatalf("thread %s: %v", id, err)
	}
	return th, ok
}

func (r *rig) list(t testing.TB, q ThreadQuery) ThreadPage {
	t.Helper()
	var page ThreadPage
	err := r.View(func(v store.Reader) (err error) {
		page, err = r.x.Threads(v, q)
		return err
	})
	if err != nil {
		t.Fatalf("list %+v: %v", q, err)
	}
	return page
}

func mustID(t testing.TB, s string) nip90.ID {
	t.Helper()
	id, ok := nip90.ParseID(s)
	if !ok {
		t.Fatalf("%q is no id", s)
	}
	return id
}

func key(name string) string {
	return hex.EncodeToString([]byte(fmt.Sprintf("%-32s", name)))
}

func pub(t testing.TB, name string) nip90.PubKey {
	t.Helper()
	pk, ok := nip90.ParsePubKey(key(name))
	if !ok {
		t.Fatalf("%q makes no key", name)
	}
	return pk
}

// event makes an event with an id; at is seconds after epoch.
func event(author string, kind int, at int64, content string, tags ...nostr.Tag) nostr.Event {
	e := nostr.Event{PubKey: key(author), Kind: kind, CreatedAt: nostr.Timestamp(epoch + at), Content: content, Tags: tags}
	if e.Tags == nil {
		e.Tags = nostr.Tags{}
	}
	e.ID = e.GetID()
	return e
}

func tag(parts ...string) nostr.Tag { return nostr.Tag(parts) }

func request(author string, at int64, tags ...nostr.Tag) nostr.Event {
	return event(author, 5100, at, "", append([]nostr.Tag{tag("i", "paint a fox", "text")}, tags...)...)
}

func feedback(author string, at int64, status string, job string, tags ...nostr.Tag) nostr.Event {
	return event(author, 7000, at, "", append([]nostr.Tag{tag("status", status), tag("e", job)}, tags...)...)
}

func result(author string, at int64, job string, tags ...nostr.Tag) nostr.Event {
	return event(author, 6100, at, "done", append([]nostr.Tag{tag("e", job)}, tags...)...)
}

func nutzap(from, to string, at, sats int64, secret string, about ...string) nostr.Event {
	tags := []nostr.Tag{tag("p", key(to)), tag("u", "https://mint.example"), tag("proof", fmt.Sprintf(`{"amount":%d,"secret":%q,"C":"02"}`, sats, secret))}
	for _, id := range about {
		tags = append(tags, tag("e", id))
	}
	return event(from, 9321, at, "", tags...)
}

func realEvents(t testing.TB, file string) []*nip90.Parsed {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	var out []*nip90.Parsed
	for line := range strings.Lines(string(data)) {
		out = append(out, storetest.FromJSON(t, []byte(strings.TrimSpace(line))))
	}
	return out
}

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("INDEX_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("INDEX_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("INDEX_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// traffic is made-up job traffic with everything in it that makes folding hard.
type traffic struct {
	rng     *rand.Rand
	events  []nostr.Event
	jobs    []nostr.Event
	answers []nostr.Event
}

func (g *traffic) one(list []nostr.Event) string {
	if len(list) == 0 || g.rng.IntN(12) == 0 {
		return event("nobody", 1, int64(g.rng.IntN(4)), "").ID // an id that never comes
	}
	return list[g.rng.IntN(len(list))].ID
}

func (g *traffic) who(prefix string, n int) string { return prefix + strconv.Itoa(g.rng.IntN(n)) }

func (g *traffic) at() int64 { return int64(g.rng.IntN(8)) }

func (g *traffic) add(e nostr.Event) nostr.Event {
	g.events = append(g.events, e)
	return e
}

func (g *traffic) make(n int) {
	for range 2 + n/12 {
		tags := []nostr.Tag{tag("bid", "5000"), tag("nonce", strconv.Itoa(g.rng.IntN(1000)))}
		if g.rng.IntN(3) == 0 {
			tags = append(tags, tag("i", g.one(g.jobs), "job"), tag("i", g.one(g.jobs), "job"))
		}
		if g.rng.IntN(3) == 0 {
			tags = append(tags, tag("expiration", strconv.Itoa(epoch+1000+100*g.rng.IntN(3))))
		}
		job := request(g.who("customer", 3), g.at(), tags...)
		job.Kind += g.rng.IntN(2)
		job.ID = job.GetID()
		g.jobs = append(g.jobs, g.add(job))
	}
	for len(g.events) < n {
		switch k := g.rng.IntN(20); {
		case k < 12:
			g.answers = append(g.answers, g.add(g.answer()))
		case k < 16:
			g.add(g.payment())
		case k < 17:
			g.add(event(g.who("customer", 3), 5, g.at(), "", tag("e", g.one(g.jobs)), tag("e", g.one(g.jobs)), tag("e", g.one(g.answers))))
		case k < 18:
			g.add(event(g.who("provider", 4), 5, g.at(), "", tag("e", g.one(g.answers))))
		case k < 19:
			g.add(event("critic", 1984, g.at(), strconv.Itoa(g.rng.IntN(1000)), tag("e", g.one(g.answers), "spam"), tag("p", key("provider1"))))
		default:
			g.add(event(g.who("provider", 4), 31990, g.at(), "{}", tag("d", g.who("d", 2)), tag("k", "5100")))
		}
	}
}

func (g *traffic) answer() nostr.Event {
	tags := []nostr.Tag{tag("nonce", strconv.Itoa(g.rng.IntN(1000)))}
	for range []int{0, 1, 1, 1, 1, 1, 2, 3}[g.rng.IntN(8)] {
		list := g.jobs
		if g.rng.IntN(8) == 0 {
			list = g.answers
		}
		tags = append(tags, tag("e", g.one(list)))
	}
	if g.rng.IntN(3) == 0 {
		tags = append(tags, tag("amount", strconv.Itoa(1000*g.rng.IntN(4))))
	}
	if g.rng.IntN(5) == 0 {
		tags = append(tags, tag("expiration", strconv.Itoa(epoch+1000+100*g.rng.IntN(3))))
	}
	if g.rng.IntN(3) == 0 {
		if g.rng.IntN(4) == 0 {
			tags = append(tags, tag("status", "error"))
		}
		return event(g.who("provider", 4), 6100+g.rng.IntN(2), g.at(), "done", tags...)
	}
	status := []string{"processing", "payment-required", "partial", "error", "success", "pong", ""}[g.rng.IntN(7)]
	return event(g.who("provider", 4), 7000, g.at(), []string{"", "some"}[g.rng.IntN(2)], append(tags, tag("status", status))...)
}

func (g *traffic) payment() nostr.Event {
	from, to := g.who("customer", 3), g.who("provider", 4)
	if g.rng.IntN(4) == 0 {
		from, to = to, from
	}
	about := []string{g.one(g.answers)}
	if g.rng.IntN(4) == 0 {
		about = []string{g.one(g.jobs), g.one(g.answers)}
	}
	return nutzap(from, to, g.at(), int64(1+g.rng.IntN(4)), strconv.Itoa(g.rng.IntN(6)), about...)
}

// shuffled is the events in another order, some of them twice.
func (g *traffic) shuffled() []nostr.Event {
	out := slices.Clone(g.events)
	for _, e := range g.events {
		if g.rng.IntN(5) == 0 {
			out = append(out, e)
		}
	}
	g.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
