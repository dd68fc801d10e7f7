package month

import (
	"context"
	"math/rand/v2"
	"testing"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// wholeHours are windows that begin and end with an hour.
func wholeHours(rng *rand.Rand, o Options, n int) []Query {
	list := []Query{{Since: o.Start / hour * hour, Until: o.End()/hour*hour - 1}}
	for _, a := range asked(rng, o, o.End(), n) {
		if a.Since > 0 {
			list = append(list, a.hours())
		}
	}
	return list
}

// counted is what the index says of some windows.
func (r *rig) counted(t *testing.T, list []Query) (out []index.Counts) {
	t.Helper()
	err := r.View(func(v store.Reader) error {
		for _, q := range list {
			s, err := r.x.Stats(v, index.StatsQuery{
				Since: q.Since, Until: q.Until, Kind: q.Kind, Provider: q.Provider, ExcludeKinds: q.ExcludeKinds, Step: -1,
			})
			if err != nil {
				return err
			}
			out = append(out, s.Counts)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares counts; some of them may be left out of it.
func same(t *testing.T, when string, list []Query, got, want []index.Counts, forgive func(*index.Counts)) {
	t.Helper()
	for i := range list {
		g, w := got[i], want[i]
		forgive(&g)
		forgive(&w)
		if g != w {
			t.Errorf("%s: %s: got %+v, want %+v", when, list[i], g, w)
		}
	}
}

// TestMonth_SealedHoursKeepTheirCounts imports a month that is long over, twice; then a few of its people ask to be
// forgotten. Its counts stay, through a rebuild and a restart; and nobody is counted again.
func TestMonth_SealedHoursKeepTheirCounts(t *testing.T) {
	seed, rng := seeded(t)
	m := write(t, Options{Seed: seed, Requests: size(t) / 8, Start: start, Wild: 2})
	living := m.without(nip90.KindVanish)
	windows := wholeHours(rng, m.o, 30)
	nothing := func(*index.Counts) {}
	// What answered a forgotten job is unlinked from then on, and that change is late.
	unlinked := func(c *index.Counts) { c.Unlinked, c.Late = 0, 0 }

	r := open(t, t.TempDir(), m.o.End()+40*day)
	r.feed(t, m, nip90.DoorImport, living.shuffled(rng))
	r.settle(t)
	want := r.counted(t, windows)
	r.feed(t, m, nip90.DoorBackfill, living.newestFirst(rng))
	r.settle(t)
	same(t, "imported again", windows, r.counted(t, windows), want, nothing)

	r.feed(t, m, nip90.DoorImport, m.shuffled(rng))
	r.settle(t)
	after := r.counted(t, windows)
	same(t, "some are forgotten", windows, after, want, unlinked)
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatal(err)
	}
	same(t, "rebuilt", windows, r.counted(t, windows), after, nothing)
	r = r.restart(t)
	same(t, "restarted", windows, r.counted(t, windows), after, nothing)
	r.feed(t, m, nip90.DoorImport, m.shuffled(rng))
	r.settle(t)
	same(t, "imported once more", windows, r.counted(t, windows), after, nothing)
}
