package store_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/fiatjaf/eventstore/slicestore"
	"github.com/nbd-wtf/go-nostr"
)

// reference is a relay's memory in the fewest words: what it serves after these events in this order.
type reference struct {
	bodies   map[string]*nostr.Event
	known    map[string]bool
	tombs    map[string]bool            // author and id
	addrs    map[string]nostr.Timestamp // address: deleted up to
	vanished map[string]nostr.Timestamp // author: forgotten up to
}

func newReference() *reference {
	return &reference{map[string]*nostr.Event{}, map[string]bool{}, map[string]bool{}, map[string]nostr.Timestamp{}, map[string]nostr.Timestamp{}}
}

func address(e *nostr.Event) string {
	switch {
	case e.Kind == 0 || e.Kind == 3 || e.Kind >= 10000 && e.Kind < 20000:
		return fmt.Sprintf("%d:%s:", e.Kind, e.PubKey)
	case e.Kind >= 30000 && e.Kind < 40000:
		return fmt.Sprintf("%d:%s:%s", e.Kind, e.PubKey, e.Tags.GetD())
	}
	return ""
}

func (r *reference) save(e *nostr.Event, now int64) {
	until, gone := r.vanished[e.PubKey]
	if r.known[e.ID] || gone && e.CreatedAt <= until {
		return
	}
	addr := address(e)
	limit, deleted := r.addrs[addr]
	expires := nip90.Expiration(e)
	if r.tombs[e.PubKey+e.ID] && e.Kind != 5 && e.Kind != 62 || addr != "" && deleted && e.CreatedAt <= limit || expires != 0 && expires <= now {
		r.known[e.ID] = true
		return
	}
	for id, old := range r.bodies {
		if x := nip90.Expiration(old); x != 0 && x <= now {
			delete(r.bodies, id)
			continue
		}
		if addr != "" && address(old) == addr {
			if old.CreatedAt > e.CreatedAt || old.CreatedAt == e.CreatedAt && old.ID < e.ID {
				return
			}
			delete(r.bodies, id)
		}
	}
	r.bodies[e.ID], r.known[e.ID] = e, true
	for _, t := range e.Tags {
		if e.Kind == 5 && len(t) > 1 {
			r.remove(e, t)
		}
		if e.Kind == 62 && len(t) > 1 && t[0] == "relay" && t[1] == "ALL_RELAYS" {
			r.vanished[e.PubKey] = max(r.vanished[e.PubKey], e.CreatedAt)
			for id, b := range r.bodies {
				if b.PubKey == e.PubKey && b.CreatedAt <= e.CreatedAt && id != e.ID {
					delete(r.bodies, id)
				}
			}
		}
	}
}

func (r *reference) remove(del *nostr.Event, t nostr.Tag) {
	if t[0] == "e" && !r.known[t[1]] {
		r.tombs[del.PubKey+t[1]] = true
	}
	if t[0] == "a" && strings.Contains(t[1], ":"+del.PubKey+":") {
		r.addrs[t[1]] = max(r.addrs[t[1]], del.CreatedAt)
	}
	for id, b := range r.bodies {
		byID := t[0] == "e" && t[1] == id && b.Kind != 5 && b.Kind != 62
		byAddress := t[0] == "a" && t[1] == address(b) && b.CreatedAt <= del.CreatedAt
		if b.PubKey == del.PubKey && (byID || byAddress) {
			delete(r.bodies, id)
		}
	}
}

func (r *reference) query(f nostr.Filter, now int64) []string {
	var found []*nostr.Event
	for _, e := range r.bodies {
		if expires := nip90.Expiration(e); f.Matches(e) && (expires == 0 || expires > now) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *nostr.Event) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	ids := []string{}
	for _, e := range found {
		if f.LimitZero || f.Limit > 0 && len(ids) == f.Limit {
			break
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// unlike says how an answer differs.
func (r *reference) unlike(got, want []string) string {
	var b strings.Builder
	for _, id := range got {
		if !slices.Contains(want, id) {
			fmt.Fprintf(&b, "\n too many: %s %v", id, r.bodies[id])
		}
	}
	for _, id := range want {
		if !slices.Contains(got, id) {
			fmt.Fprintf(&b, "\n missing: %v", r.bodies[id])
		}
	}
	fmt.Fprintf(&b, "\n got %d, want %d", len(got), len(want))
	return b.String()
}

// world makes events and filters that meet often.
type world struct {
	*rand.Rand
	pool []nostr.Event
}

var (
	someKinds  = []int{0, 5, 5, 62, 5300, 5300, 6300, 7000, 10002, 11998, 31990, 31990, 31989}
	someValues = []string{"", "x", "5300", "510", "5100", `say "hi"`, `back\slash`, "é\u2028\t", strings.Repeat("long ", 60), key(1), key(2), strings.ToUpper(key(171))}
	someNames  = []string{"e", "e", "p", "p", "d", "d", "k", "t", "T", "i", "alt", "-", "relay"}
)

func pick[T any](w *world, from []T) T { return from[w.IntN(len(from))] }

func (w *world) value() string {
	if len(w.pool) > 0 && w.IntN(2) == 0 {
		return pick(w, w.pool).ID
	}
	return pick(w, someValues)
}

func (w *world) event() nostr.Event {
	e := event(1+w.IntN(4), pick(w, someKinds), int64(1000+w.IntN(60)))
	if e.Kind == 62 && w.IntN(10) > 0 {
		e.Kind = 7000
	}
	for range w.IntN(5) {
		tag := nostr.Tag{pick(w, someNames), w.value(), "third"}
		e.Tags = append(e.Tags, tag[:1+w.IntN(3)])
	}
	switch {
	case e.Kind == 5:
		w.aim(&e)
	case e.Kind == 62:
		e.Tags = append(e.Tags, nostr.Tag{"relay", "ALL_RELAYS"})
	case w.IntN(4) == 0:
		e.Tags = append(e.Tags, nostr.Tag{"expiration", fmt.Sprint(1020 + w.IntN(60))})
	}
	e.Content = pick(w, someValues)
	e.ID = e.GetID()
	w.pool = append(w.pool, e)
	return e
}

// aim lets a deletion name events no newer than itself.
func (w *world) aim(e *nostr.Event) {
	e.Tags = nil
	for range w.IntN(6) {
		if len(w.pool) == 0 {
			return
		}
		target := pick(w, w.pool)
		if target.CreatedAt > e.CreatedAt {
			continue
		}
		if addr := address(&target); addr != "" && w.IntN(2) == 0 {
			e.Tags = append(e.Tags, nostr.Tag{"a", addr})
			continue
		}
		e.Tags = append(e.Tags, nostr.Tag{"e", target.ID})
	}
}

// write spells an event as JSON with the freedoms that JSON leaves.
func (w *world) write(t testing.TB, e nostr.Event) []byte {
	t.Helper()
	if w.IntN(2) == 0 {
		return storetest.Parsed(t, e).Raw
	}
	tags, err := json.MarshalIndent(e.Tags, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(e.Content)
	if err != nil {
		t.Fatal(err)
	}
	spelled := strings.NewReplacer(`"e"`, `"\u0065"`, `"5300"`, `"\u0035300"`).Replace(string(tags))
	fields := []string{
		`"content" : ` + string(content), `"tags":` + spelled, fmt.Sprintf(`"kind":%d`, e.Kind), fmt.Sprintf(`"created_at": %d`, e.CreatedAt),
		`"id":"` + e.ID + `"`, `"pubkey":"` + e.PubKey + `"`, `"sig":"` + strings.Repeat("0", 128) + `"`,
	}
	w.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return []byte("{ " + strings.Join(fields, ", \n") + "}")
}

func (w *world) filter() nostr.Filter {
	var f nostr.Filter
	if w.IntN(8) == 0 {
		for range w.IntN(4) {
			f.IDs = append(f.IDs, w.value())
		}
	}
	if w.IntN(2) == 0 {
		for range 1 + w.IntN(4) {
			f.Kinds = append(f.Kinds, pick(w, someKinds))
		}
		if w.IntN(4) == 0 {
			for k := 5000; k < 7001; k++ {
				f.Kinds = append(f.Kinds, k)
			}
		}
	}
	if w.IntN(3) == 0 {
		for range 1 + w.IntN(3) {
			f.Authors = append(f.Authors, key(1+w.IntN(5)))
		}
		for n := 0; w.IntN(6) == 0 && n < 100; n++ {
			f.Authors = append(f.Authors, key(100+n))
		}
	}
	if w.IntN(2) == 0 {
		f.Tags = nostr.TagMap{}
		for range 1 + w.IntN(2) {
			values := []string{}
			for range 1 + w.IntN(3) {
				values = append(values, w.value())
			}
			if w.IntN(6) == 0 {
				for n := range 60 {
					values = append(values, fmt.Sprint(5000+n))
				}
			}
			f.Tags[pick(w, someNames)] = values
		}
	}
	if w.IntN(3) == 0 {
		since := nostr.Timestamp(990 + w.IntN(80))
		f.Since = &since
	}
	if w.IntN(3) == 0 {
		until := nostr.Timestamp(990 + w.IntN(80))
		f.Until = &until
	}
	if w.IntN(2) == 0 {
		f.Limit = 1 + w.IntN(12)
	}
	f.LimitZero = w.IntN(30) == 0
	return f
}

func differ(t *testing.T, seed uint64, events, filters int) {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
	var now atomic.Int64
	now.Store(1000)
	blind := seed%2 == 1 // nothing that is served knows of pseudonyms
	x := index.New(index.Options{KeepCustomer: !blind})
	s := storetest.Open(t, storetest.With(func(o *store.Options) {
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		o.SweepEvery, o.Indexer, o.BlindKeys = time.Millisecond, x, blind
	}), storetest.Check(x.Check))
	ref := newReference()
	var later []nostr.Event
	save := func(e nostr.Event) {
		p := storetest.FromJSON(t, w.write(t, e))
		s.Put(t, p)
		ref.save(p.Event, now.Load())
	}
	for range events {
		e := w.event()
		switch w.IntN(8) {
		case 0:
			later = append(later, e)
			continue
		case 1:
			save(e)
		case 2:
			now.Add(1)
		}
		save(e)
		if w.IntN(10) == 0 {
			f := w.filter()
			if got, want := s.IDs(t, f), ref.query(f, now.Load()); !slices.Equal(got, want) {
				t.Fatalf("seed %d: filter %s: %s", seed, f, ref.unlike(got, want))
			}
		}
	}
	for _, e := range later {
		save(e)
	}
	oracle := &slicestore.SliceStore{MaxLimit: 1 << 20}
	if err := oracle.Init(); err != nil {
		t.Fatal(err)
	}
	for _, e := range ref.bodies {
		if expires := nip90.Expiration(e); expires != 0 && expires <= now.Load() {
			continue
		}
		if err := oracle.SaveEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for range filters {
		compare(t, seed, s, ref, oracle, w.filter(), now.Load())
	}
}

func compare(t *testing.T, seed uint64, s *storetest.Running, ref *reference, oracle *slicestore.SliceStore, f nostr.Filter, now int64) {
	t.Helper()
	got, want := s.IDs(t, f), ref.query(f, now)
	if !slices.Equal(got, want) {
		t.Fatalf("seed %d: filter %s: %s", seed, f, ref.unlike(got, want))
	}
	f.Limit, f.LimitZero = 0, false
	all := s.IDs(t, f)
	if n, err := s.Count(context.Background(), f); err != nil || n != int64(len(all)) {
		t.Fatalf("seed %d: filter %s: counted %d, %v, want %d", seed, f, n, err, len(all))
	}
	if items := itemsOf(t, s, f); !slices.Equal(items, slices.Sorted(slices.Values(all))) {
		t.Fatalf("seed %d: filter %s: items differ: %s", seed, f, ref.unlike(items, all))
	}
	if f.Since != nil {
		// slicestore leaves out what was created exactly at since.
		since := *f.Since - 1
		f.Since = &since
	}
	ch, err := oracle.QueryEvents(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var other []string
	for e := range ch {
		other = append(other, e.ID)
	}
	slices.Sort(all)
	slices.Sort(other)
	if !slices.Equal(all, other) {
		t.Fatalf("seed %d: filter %s: slicestore differs: %s", seed, f, ref.unlike(all, other))
	}
}

func TestQuery_AgreesWithReferenceAndSlicestore(t *testing.T) {
	random := rand.Uint64()
	for _, seed := range []uint64{1, 2, 3, random} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { differ(t, seed, 400, 400) })
	}
}

func FuzzQuery(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, uint8(50))
	}
	f.Fuzz(func(t *testing.T, seed uint64, events uint8) { differ(t, seed, int(events), 50) })
}
