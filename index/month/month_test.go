package month

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// ask is a window with the step of its series, in seconds: 0 as the window has it, below 0 none.
type ask struct {
	Query
	step int64
}

// asked draws the windows that are compared: the named ones, ranges of every length that begin and end anywhere, by all,
// by kind, by provider, by both, and without some kinds.
func asked(rng *rand.Rand, o Options, now int64, n int) []ask {
	var list []ask
	for _, since := range []int64{0, now - hour, now - day, now - 7*day, now - 30*day} {
		list = append(list, ask{Query: Query{Since: since, Until: now}})
	}
	list = append(list,
		ask{Query{Until: now + 1000*day}, -1}, ask{Query{Until: now, Kind: 5300}, day}, ask{Query{Until: now, ExcludeKinds: []int{5300}}, -1})
	for range n {
		q := Query{Since: o.Start + rng.Int64N(Days*day)}
		q.Until = q.Since + one(rng, int64(90), hour, 5*hour, day, 9*day, Days*day) + rng.Int64N(hour)
		switch rng.IntN(3) {
		case 0:
			q = q.hours()
		case 1:
			q.Since = q.Since / day * day
		}
		kind := one(rng, profiles()...).kind
		if rng.IntN(2) == 0 {
			kind = 5300
		}
		provider, _ := nip90.ParsePubKey(name(o.Seed, one(rng, "provider", "provider", "rotated"), skewed(rng, providers)))
		switch rng.IntN(6) {
		case 0:
			q.Kind = kind
		case 1:
			q.Provider = provider
		case 2:
			q.Kind, q.Provider = kind, provider
		case 3:
			q.ExcludeKinds = []int{kind, 5050}
		case 4:
			q.Provider, q.ExcludeKinds = provider, []int{kind}
		}
		list = append(list, ask{q, one(rng, int64(-1), -1, 0, 300, hour, day)})
	}
	return list
}

// TestMonth_Wild is a small month in which everything is odd, met in any order, some of it twice.
func TestMonth_Wild(t *testing.T) {
	seed, rng := seeded(t)
	m := write(t, Options{Seed: seed, Requests: smallMonth / 6, Start: start, Wild: 8})
	r := open(t, t.TempDir(), m.o.End()+hour)
	order := append(m.shuffled(rng), m.shuffled(rng)[:len(m.entries)/5]...)
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	r.feed(t, m, nip90.DoorSync, order)
	r.settle(t)
	ref := m.reference(t)
	// The sums of a thread of more than 64 members that an event left are behind until it is folded again, and with them the
	// hour that it counts in. Threads are shown folded; windows are exact after the rebuild.
	r.compare(t, ref, "wild", 0, nil)
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	r.compare(t, ref, "wild, rebuilt", 0, asked(rng, m.o, r.at.Load(), 60))
}

// TestMonth_Live hears the month as it happens, looks at it at several moments, and then does to it what must not change
// a count.
func TestMonth_Live(t *testing.T) {
	began := time.Now()
	seed, rng := seeded(t)
	m := write(t, Options{Seed: seed, Requests: size(t), Start: start})
	t.Logf("%d events, written after %s", len(m.entries), time.Since(began).Round(time.Second))
	arrivals := m.live(rng)
	r := open(t, t.TempDir(), m.o.Start)
	ref := NewReference()
	most, n := size(t)/4, 30
	if size(t) > smallMonth {
		most, n = sampledJobs, 16
	}
	from := 0
	for i, upto := range []int{len(arrivals) / 7, len(arrivals) / 2, len(arrivals)} {
		r.feed(t, m, nip90.DoorMirror, arrivals[from:upto])
		for _, a := range arrivals[from:upto] {
			ref.Add(m.read(t, a.entry, nip90.DoorMirror))
		}
		from = upto
		r.settle(t)
		t.Logf("%d came, after %s", upto, time.Since(began).Round(time.Second))
		r.compare(t, ref, []string{"a seventh", "half", "the end"}[i], most, asked(rng, m.o, r.at.Load(), n))
	}
	r = r.restart(t)
	r.compare(t, ref, "restarted", most, asked(rng, m.o, r.at.Load(), n/2))

	t.Logf("rebuilds, after %s", time.Since(began).Round(time.Second))
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	r.compare(t, ref, "rebuilt", most, asked(rng, m.o, r.at.Load(), n))

	t.Logf("imports and backfills it again, after %s", time.Since(began).Round(time.Second))
	r.feed(t, m, nip90.DoorImport, m.shuffled(rng))
	r.feed(t, m, nip90.DoorBackfill, m.newestFirst(rng))
	r.settle(t)
	r.compare(t, ref, "imported and backfilled again", 0, asked(rng, m.o, r.at.Load(), n))
}

// TestMonth_Backfilled meets the month when it is over, newest first: most of it has expired before it comes.
func TestMonth_Backfilled(t *testing.T) {
	seed, rng := seeded(t)
	m := write(t, Options{Seed: seed, Requests: size(t) / 4, Start: start})
	r := open(t, t.TempDir(), m.o.End()+3*hour+1234)
	ref := m.reference(t)
	r.feed(t, m, nip90.DoorBackfill, m.newestFirst(rng))
	r.settle(t)
	r.compare(t, ref, "backfilled", sampledJobs, asked(rng, m.o, r.at.Load(), 40))
}

// TestMonth_ImportedLate imports the month in any order, twice, when every hour of it is long sealed. Nobody asks to be
// forgotten in it: what a sealed hour keeps of whom depends on who came first, and has to.
func TestMonth_ImportedLate(t *testing.T) {
	seed, rng := seeded(t)
	m := write(t, Options{Seed: seed, Requests: size(t) / 8, Start: start}).without(nip90.KindVanish)
	r := open(t, t.TempDir(), m.o.End()+40*day)
	ref := m.reference(t)
	for range 2 {
		r.feed(t, m, nip90.DoorImport, m.shuffled(rng))
	}
	r.settle(t)
	r.compare(t, ref, "imported late", 0, asked(rng, m.o, r.at.Load(), 40))
}

// TestGenerate_IsAMonth holds the month to what it promises: one seed, one month; every id a hash; the shapes are there.
func TestGenerate_IsAMonth(t *testing.T) {
	// One month for ever: in so small a one some seeds leave out what is rare.
	o := Options{Seed: 2, Requests: smallMonth, Start: start}
	list := func() (ids []string) {
		Generate(o, func(e *nostr.Event) bool {
			forged := e.Kind == 5100 && (e.Content == "a" || e.Content == "b") // they name each other
			if e.ID != e.GetID() && !forged {
				t.Errorf("event %s: its hash is %s", e.ID, e.GetID())
			}
			ids = append(ids, e.ID)
			return true
		})
		return ids
	}
	ids := list()
	if again := list(); !slices.Equal(ids, again) {
		t.Error("one seed made two months")
	}
	kinds, roles := map[int]int{}, map[nip90.Role]int{}
	findings := map[string]int{}
	Generate(o, func(e *nostr.Event) bool {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		p, err := nip90.Open(e, raw, nip90.DoorImport, e.CreatedAt.Time())
		if err != nil {
			t.Fatalf("event %s: %v", e.ID, err)
		}
		kinds[e.Kind]++
		roles[p.Message.Role()]++
		for _, f := range p.Message.Findings() {
			findings[f.Code]++
		}
		return true
	})
	share := float64(kinds[5300]) / float64(roles[nip90.RoleRequest])
	t.Logf("%d events, %v, %.3f of the requests are of kind 5300", len(ids), roles, share)
	t.Logf("findings %v", findings)
	if share < .93 || share > .97 {
		t.Errorf("share of kind 5300: got %.3f, want about .95", share)
	}
	for _, role := range []nip90.Role{nip90.RoleResult, nip90.RoleFeedback, nip90.RoleZap, nip90.RoleNutzap, nip90.RoleCancel, nip90.RoleReport} {
		if roles[role] == 0 {
			t.Errorf("no %s", role)
		}
	}
	for _, kind := range []int{0, 62, 5651, 7000, 11998, 31990} {
		if kinds[kind] == 0 {
			t.Errorf("no event of kind %d", kind)
		}
	}
}
