package index

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// RecentSeconds is how far back a Recent reaches.
const RecentSeconds = 15 * 60

const (
	// maxRecent bounds the jobs that a Recent holds, about 30 MB of them; the rest are not counted, and a Strip says so.
	maxRecent = 200_000
	// maxDoubts bounds the threads that are looked at again because something of them went away.
	maxDoubts = 4096
	// trimEvery is how often, in seconds, what is too old is let go while nobody reads.
	trimEvery = 60
	// cellSeconds is how much time one count covers.
	cellSeconds = 60
)

// Recent knows which jobs were asked within the last 15 minutes, so that nobody has to read them all to count them. It is
// filled once from the store and then hears of commits. It holds nothing that is not in the store. Safe for concurrent use.
type Recent struct {
	filling sync.Mutex // held by who fills it

	mu      sync.Mutex // guards below
	fed     int        // 0 = hears of nothing, 1 = is being filled, 2 = is filled
	queue   []askedAt  // that came while it was filled
	blinder *store.Blinder
	seconds map[int64][]asked // by the second in which they were asked, also some of the future
	kinds   map[int]*recentKind
	until   int64 // what was asked until then is in kinds
	held    map[nip90.ID]struct{}
	over    bool                // some were left out
	doubts  map[nip90.ID]uint64 // threads of which something went away, and the version at which it did
	heardAt int64               // when an event last came in, unix seconds
}

// asked is a job that somebody asked for.
type asked struct {
	root nip90.ID
	kind int
	who  [8]byte // of the customer's pseudonym, if customers have those
}

type askedAt struct {
	asked
	author  nip90.PubKey
	at      int64
	version uint64
}

// recentKind sums up the jobs of a kind.
type recentKind struct {
	jobs  int
	who   map[[8]byte]int // jobs of each customer
	cells map[int64]int   // jobs by the time divided by cellSeconds
}

func newRecent() *Recent {
	r := &Recent{}
	r.clear()
	return r
}

// clear forgets all. The mutex is held.
func (c *Recent) clear() {
	c.fed, c.queue, c.until, c.over = 0, nil, 0, false
	c.held = make(map[nip90.ID]struct{})
	c.seconds, c.kinds, c.doubts = make(map[int64][]asked), make(map[int]*recentKind), make(map[nip90.ID]uint64)
}

// Recent are the jobs of the last 15 minutes, as far as w hears of commits.
func (w *Watch) Recent() *Recent { return w.recent }

// committed hears of a group that is visible.
func (c *Recent) committed(version uint64, commits []store.Commit, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range commits {
		one := &commits[i]
		if one.Parsed != nil {
			c.heardAt = now
		}
		if c.fed != 0 {
			c.commit(version, one)
		}
	}
	if c.fed == 2 && now > c.until+trimEvery {
		c.advance(now)
	}
}

func (c *Recent) commit(version uint64, one *store.Commit) {
	if takesAway(one) {
		for _, root := range one.Change.Roots {
			c.doubts[root] = version
		}
		if len(c.doubts) > maxDoubts {
			c.clear()
			return
		}
	}
	p := one.Parsed
	if p == nil || p.Message.Role() != nip90.RoleRequest || one.Outcome != store.Stored && !slices.Contains(one.Change.Roots, p.ID) {
		return
	}
	a := askedAt{asked{root: p.ID, kind: p.Event.Kind}, p.Author, p.CreatedAt, version}
	if c.fed == 1 {
		if len(c.queue) < maxRecent {
			c.queue = append(c.queue, a)
		} else {
			c.over = true
		}
		return
	}
	c.add(&a)
}

// add takes a job. The mutex is held, and the blinder known.
func (c *Recent) add(a *askedAt) {
	if a.at <= c.until-RecentSeconds {
		return
	}
	if _, here := c.held[a.root]; here {
		return
	}
	if len(c.held) >= maxRecent {
		c.over = true
		return
	}
	who := c.blinder.Of(a.author)
	a.who = [8]byte(who[:8])
	c.held[a.root] = struct{}{}
	c.seconds[a.at] = append(c.seconds[a.at], a.asked)
	if a.at <= c.until {
		c.count(&a.asked, a.at, 1)
	}
}

// count adds a job to its kind's sums, or takes it away.
func (c *Recent) count(a *asked, at int64, by int) {
	k := c.kinds[a.kind]
	if k == nil {
		k = &recentKind{who: make(map[[8]byte]int), cells: make(map[int64]int)}
		c.kinds[a.kind] = k
	}
	k.jobs += by
	if k.who[a.who] += by; k.who[a.who] == 0 {
		delete(k.who, a.who)
	}
	if k.cells[at/cellSeconds] += by; k.cells[at/cellSeconds] == 0 {
		delete(k.cells, at/cellSeconds)
	}
	if k.jobs == 0 {
		delete(c.kinds, a.kind)
	}
}

// advance lets time pass. A clock that was put back changes nothing until it has caught up.
func (c *Recent) advance(now int64) {
	before := c.until
	c.until = max(c.until, now)
	oldest := c.until - RecentSeconds
	for at, list := range c.seconds {
		switch was := at <= before; {
		case at <= oldest:
			if was {
				for i := range list {
					c.count(&list[i], at, -1)
				}
			}
			for i := range list {
				delete(c.held, list[i].root)
			}
			delete(c.seconds, at)
		case !was && at <= c.until:
			for i := range list {
				c.count(&list[i], at, 1)
			}
		}
	}
	if len(c.held) == 0 {
		c.over = false
	}
}

// Fill reads the last 15 minutes from the store, unless c knows them: once, and again if more went away at once than c
// can look after. View gives a view that ends with fn.
func (c *Recent) Fill(x *Index, view func(fn func(store.Reader) error) error) error {
	c.filling.Lock()
	defer c.filling.Unlock()
	c.mu.Lock()
	if c.fed == 2 {
		c.mu.Unlock()
		return nil
	}
	c.clear()
	c.fed = 1 // from here on commits are remembered: the view is younger
	c.mu.Unlock()
	var found []askedAt
	var blinder *store.Blinder
	over := false
	now := x.now(0)
	err := view(func(r store.Reader) (err error) {
		if blinder, err = store.BlinderOf(r); err != nil {
			return err
		}
		found, over, err = askedSince(r, now-RecentSeconds)
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || c.fed != 1 {
		c.clear()
		return err
	}
	queue := c.queue
	c.queue, c.blinder, c.fed, c.over = nil, blinder, 2, c.over || over
	for i := range found {
		c.add(&found[i])
	}
	for i := range queue {
		c.add(&queue[i])
	}
	c.advance(now)
	return nil
}

// askedSince are the newest jobs asked after then, also those that say they are of the future.
func askedSince(r store.Reader, then int64) (list []askedAt, over bool, err error) {
	var fault error
	err = r.Scan([]byte{keyJob}, nil, func(key, value []byte) bool {
		row, ok := readJobRow(key, value)
		if !ok {
			return true
		}
		if row.at <= then {
			return false
		}
		if over = len(list) == maxRecent; over {
			return false
		}
		f, _, err := r.Fact(row.root)
		if err != nil {
			fault = fmt.Errorf("read request %s: %w", row.root, err)
			return false
		}
		list = append(list, askedAt{asked: asked{root: row.root, kind: row.kind}, author: f.Author, at: row.at})
		return true
	})
	if err == nil {
		err = fault
	}
	return list, over, err
}

// settle takes out the jobs whose requests were forgotten. The mutex is held.
func (c *Recent) settle(r store.Reader) error {
	gone := make(map[nip90.ID]bool)
	for root, version := range c.doubts {
		if version > r.Version() {
			continue // this view is too old to tell
		}
		row, ok, err := readThread(r, root)
		if err != nil {
			return err
		}
		if !ok || !row.is(rowSeen) {
			gone[root] = true
		}
		delete(c.doubts, root)
	}
	if len(gone) == 0 {
		return nil
	}
	for at, list := range c.seconds {
		kept := slices.DeleteFunc(list, func(a asked) bool {
			if !gone[a.root] {
				return false
			}
			delete(c.held, a.root)
			if at <= c.until {
				c.count(&a, at, -1)
			}
			return true
		})
		if c.seconds[at] = kept; len(kept) == 0 {
			delete(c.seconds, at)
		}
	}
	return nil
}

// Heard is when an event last came in, zero when none did since the start.
func (c *Recent) Heard() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heardAt == 0 {
		return time.Time{}
	}
	return time.Unix(c.heardAt, 0)
}
