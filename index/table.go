package index

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// tableSeconds is how old the table of all providers may be.
	tableSeconds = 10
	// staleSeconds is how old it may be while Tend works on the next one.
	staleSeconds = 60
	// tendEvery is how often Tend looks whether somebody wants the next table.
	tendEvery = 2 * time.Second
	// fewProviders is up to how many providers the table is worked out again for every change of the store.
	fewProviders = 8
	// maxTended bounds the kinds whose providers Tend measures before somebody looks.
	maxTended = 64
	// maxHandlersOfOne bounds the announcements of one key that are looked at together.
	maxHandlersOfOne = 1000
)

// table is how all providers stood at one moment. It is never changed, but for what was worked out from it since.
type table struct {
	servers   sync.Map // by kind: []KindProvider, who serves it
	looked    sync.Map // kinds whose providers somebody looked at
	at        int64
	version   uint64
	providers map[nip90.PubKey]*standing
	sharedD   map[[hashLen]byte]int // keys that announce with this d
}

// due are the kinds whose providers are measured before somebody looks again: those that somebody looked at since the table
// before, or at first those that most providers serve, of the kinds that were asked for.
func (t *table) due(last *table, asked kindSet) (kinds []int) {
	if last != nil {
		last.looked.Range(func(kind, _ any) bool {
			kinds = append(kinds, kind.(int))
			return len(kinds) < maxTended
		})
		return kinds
	}
	count := make(map[int]int)
	for _, s := range t.providers {
		for _, k := range s.kinds.within(asked).list() {
			count[k]++
		}
	}
	kinds = slices.SortedFunc(maps.Keys(count), func(a, b int) int { return cmp.Or(count[b]-count[a], a-b) })
	return kinds[:min(len(kinds), maxTended)]
}

// serves says whether a table is good enough for who asks at a time and a version. The next page of a list takes what there is.
func (t *table) serves(now int64, version uint64, goesOn bool) bool {
	switch {
	case t == nil:
		return false
	case goesOn:
		return true
	case max(t.at-now, now-t.at) > tableSeconds:
		return false
	}
	return t.version == version || len(t.providers) > fewProviders
}

// table is how all providers stand: worked out by one caller at a time, while the others take the one before.
func (l *lens) table(goesOn bool) (*table, error) {
	m := l.x.seen
	old := m.table.Load()
	if old.serves(l.now, l.Version(), goesOn) {
		return old, nil
	}
	if old != nil && len(old.providers) > fewProviders && m.tended.Load() && max(old.at-l.now, l.now-old.at) <= staleSeconds {
		m.wanted.Store(true)
		return old, nil
	}
	if old == nil {
		m.fresh.Lock()
	} else if !m.fresh.TryLock() {
		return old, nil
	}
	defer m.fresh.Unlock()
	if t := m.table.Load(); t != old && t.serves(l.now, l.Version(), goesOn) {
		return t, nil
	}
	of := *l
	if goesOn {
		of.now = l.x.now(0) // the time in a cursor may be anything
	}
	t, err := of.tabulate()
	if err != nil {
		return nil, err
	}
	if old == nil || t.version >= old.version && t.at >= old.at {
		m.table.Store(t)
	}
	return t, nil
}

// Tend keeps the figures of all providers fresh while somebody asks for them, until ctx ends. Without it whoever asks
// first after ten seconds works them out. View gives a view of the store that ends with fn.
func (x *Index) Tend(ctx context.Context, view func(fn func(store.Reader) error) error) error {
	m := x.seen
	m.tended.Store(true)
	defer m.tended.Store(false)
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for wanted := true; ; wanted = m.wanted.Swap(false) {
		if wanted {
			if err := view(func(r store.Reader) error { return x.tend(ctx, r) }); err != nil {
				return fmt.Errorf("work out the figures of all providers: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (x *Index) tend(ctx context.Context, r store.Reader) error {
	l := lens{Reader: r, x: x, now: x.now(0)}
	last := x.seen.table.Load()
	t, err := l.tableNow()
	if err != nil || t == nil {
		return err
	}
	g, err := l.gauge(t.at-measuredSeconds, t.at)
	if err != nil {
		return err
	}
	v := handlerView{lens: l, t: t}
	for _, kind := range t.due(last, g.seen) {
		if ctx.Err() != nil {
			return nil
		}
		if _, err := v.servers(kind); err != nil {
			return err
		}
	}
	return nil
}

// tableNow works out the next table; nil when the one that there is will do.
func (l *lens) tableNow() (*table, error) {
	m := l.x.seen
	m.fresh.Lock()
	defer m.fresh.Unlock()
	if old := m.table.Load(); old.serves(l.now, l.Version(), false) {
		return nil, nil
	}
	t, err := l.tabulate()
	if err == nil {
		m.table.Store(t)
	}
	return t, err
}

func (l *lens) tabulate() (*table, error) {
	t := &table{at: l.now, version: l.Version(), providers: make(map[nip90.PubKey]*standing), sharedD: make(map[[hashLen]byte]int)}
	rows, err := l.handlerRows([]byte{keyHandler}, maxExamined)
	if err != nil {
		return nil, err
	}
	var keys []nip90.PubKey
	err = l.Scan([]byte{keyProvider}, nil, func(key, _ []byte) bool {
		keys = append(keys, nip90.PubKey(key[1:]))
		return len(keys) < maxExamined
	})
	if err != nil {
		return nil, err
	}
	g, err := l.gauge(l.now-measuredSeconds, l.now)
	if err != nil {
		return nil, err
	}
	all, err := l.roll()
	if err != nil {
		return nil, err
	}
	if len(keys) > fewProviders {
		all.last = l.x.seen.table.Load()
	}
	for i := range rows {
		t.sharedD[rows[i].hash()]++
	}
	for _, pk := range keys {
		if t.providers[pk], err = g.standing(pk, rowsOf(rows, pk), all); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// rowsOf are the announcements of one key among all, which stand in the order of their keys.
func rowsOf(rows []handlerEntry, pk nip90.PubKey) []handlerEntry {
	from, _ := slices.BinarySearchFunc(rows, pk, func(e handlerEntry, pk nip90.PubKey) int { return slices.Compare(e.key[:idLen], pk[:]) })
	to := from
	for to < len(rows) && to-from < maxHandlersOfOne && nip90.PubKey(rows[to].key[:idLen]) == pk {
		to++
	}
	return rows[from:to]
}
