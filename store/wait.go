package store

import (
	"bytes"
	"errors"
	"slices"

	"dvmrelay/nip90"
)

// triesPerGroup is how many waiting events one group decides again; the others follow in the next.
const triesPerGroup = 512

// dueRow is a waiting event to be decided again. by is the place, in the commits of the group at a version, of what
// supplied it; -1 for none.
type dueRow struct {
	row     *held
	by      int
	version uint64
}

// stage brings one event into the group. What it wrote is undone by the caller when it fails. An event that waited waits
// no more once it is decided.
func (g *group) stage(p *nip90.Parsed) (Outcome, Change, error) {
	outcome, change, err := g.decide(p)
	if err != nil || outcome == Waiting || len(g.s.shelf.rows) == 0 {
		return outcome, change, err
	}
	if row := g.s.shelf.rows[p.ID]; row != nil {
		g.unhold(row)
	}
	return outcome, change, nil
}

// admitted asks the last rule. An event that fails only because what it is about is not here yet is put on the shelf, and
// waits is true; when there is no room for it, it is refused like any other.
func (g *group) admitted(p *nip90.Parsed, tags []byte) (waits bool, err error) {
	if g.s.o.Admit == nil {
		return false, nil
	}
	refusal := g.s.o.Admit(g, p)
	var unmet Unmet
	if refusal == nil || !errors.As(refusal, &unmet) {
		return false, refusal
	}
	if g.withdrawsWaiting(p, tags, unmet.Awaits()) {
		return false, nil
	}
	if g.s.shelf.rows[p.ID] != nil {
		return true, nil
	}
	awaits := g.s.shelf.open(unmet.Awaits())
	row := &held{
		id: p.ID, author: p.Author, created: p.CreatedAt, since: clampTime(g.now), class: g.s.shelfFor(p.Door, g.now),
		size: heldSize(len(p.Raw), len(awaits)), awaits: awaits,
	}
	if len(awaits) == 0 || !g.s.shelf.hasRoom(row.class, row.size) {
		g.s.shelf.refused.Add(1)
		return false, refusal
	}
	g.over.set(row.key(), appendHeld(nil, p, awaits))
	g.s.shelf.add(row)
	g.held = append(g.held, heldChange{row, false})
	return true, nil
}

// withdrawsWaiting says whether an event is its author's wish about something of theirs that waits here: that is
// something here too, and must not come back to life when it is adopted. NIP-09, NIP-62.
func (g *group) withdrawsWaiting(p *nip90.Parsed, tags []byte, awaits []Awaited) bool {
	switch p.Event.Kind {
	case nip90.KindDeletion:
		return slices.ContainsFunc(awaits, func(a Awaited) bool {
			row := g.s.shelf.rows[nip90.ID(a.Key)]
			return a.Kind == AwaitEvent && row != nil && row.author == p.Author
		})
	case nip90.KindVanish:
		rows := g.s.shelf.of(p.Author, p.CreatedAt, 2)
		return slices.ContainsFunc(rows, func(row *held) bool { return row.id != p.ID }) && g.s.vanishesHere(tags)
	}
	return false
}

func (s *Store) shelfFor(door nip90.Door, now int64) shelfClass {
	switch door {
	case nip90.DoorSocket:
		return shelfSocket
	case nip90.DoorBackfill:
		if s.backfilling(now) {
			return shelfBackfill
		}
	}
	return shelfFeed
}

// backfilling asks at most once a second. After a start it takes a while until a backfill goes on.
func (s *Store) backfilling(now int64) bool {
	if s.o.Backfilling == nil {
		return false
	}
	if now < s.began+waitSeconds {
		return true
	}
	if s.backfillAsked != now {
		s.backfillAsked, s.backfillSays = now, s.o.Backfilling()
	}
	return s.backfillSays
}

func (g *group) unhold(row *held) {
	g.over.delete(row.key())
	g.s.shelf.remove(row)
	g.held = append(g.held, heldChange{row, true})
}

// supply notes which waiting events are to be decided again because p was counted, or because it waits and they are its
// author's wish about it.
func (w *writer) supply(g *group, p *nip90.Parsed, outcome Outcome, by int) {
	shelf := w.s.shelf
	if len(shelf.by) == 0 {
		return
	}
	things := []Awaited{{AwaitEvent, p.ID}, {AwaitAuthor, p.Author}}
	if outcome != Waiting {
		things = supplies(p)
	}
	for _, row := range shelf.wanting(things) {
		if row.queued || outcome == Waiting && row.author != p.Author {
			continue
		}
		row.queued = true
		w.due = append(w.due, dueRow{row, by, g.version})
	}
}

// tell adds an event to the commits of its group, and behind it what waited for it.
func (w *writer) tell(g *group, commits []Commit, o *op, counted bool) []Commit {
	at := len(commits)
	if o.outcome == Waiting {
		w.supply(g, o.parsed, o.outcome, -1)
		return w.adopt(g, commits)
	}
	commits = append(commits, Commit{o.parsed, o.outcome, o.change})
	if counted {
		w.supply(g, o.parsed, o.outcome, at)
		commits = w.adopt(g, commits)
		o.change = commits[at].Change
	}
	return commits
}

// adopt decides again what is due, as if it came now, behind what supplied it. What it lets in may supply more. What does
// not fit into this group is left for the next.
func (w *writer) adopt(g *group, commits []Commit) []Commit {
	for len(w.due) > 0 && g.tries < triesPerGroup && !g.full() {
		d := w.due[0]
		if w.s.shelf.rows[d.row.id] == d.row {
			g.tries++
			c, fits := w.reconsider(g, d.row)
			if !fits {
				return commits
			}
			if c != nil {
				commits = append(commits, *c)
				if d.by >= 0 && d.version == g.version {
					commits[d.by].Change.Adopted = append(commits[d.by].Change.Adopted, d.row.id)
				}
				w.supply(g, c.Parsed, c.Outcome, len(commits)-1)
			}
		}
		d.row.queued = false
		w.due = w.due[1:]
	}
	return commits
}

// reconsider decides a waiting event again. It returns its commit when it was let in, and false when there is no room for
// it in this group.
func (w *writer) reconsider(g *group, row *held) (c *Commit, fits bool) {
	m := g.mark()
	p, outcome, change, err := g.again(row)
	if err == nil && g.tooBig() {
		g.rollback(m)
		if m.undo > 0 {
			return nil, false
		}
		err = ErrBadEvent
	}
	switch {
	case err != nil:
		g.rollback(m)
		g.drop(row)
		w.s.o.Log.Debug("waiting event dropped", "id", row.id.String(), "err", err)
	case outcome == Waiting:
	case g.facts > m.facts:
		g.adopted++
		change.Version = g.version + 1
		return &Commit{p, outcome, change}, true
	default:
		g.dropped++ // its author vanished
	}
	return nil, true
}

func (g *group) again(row *held) (*nip90.Parsed, Outcome, Change, error) {
	key := row.key()
	value, err := g.Value(key)
	if err != nil {
		return nil, 0, Change{}, err
	}
	h, err := decodeHeld(key, value)
	if err != nil {
		return nil, 0, Change{}, err
	}
	p, err := h.open()
	if err != nil {
		return nil, 0, Change{}, err
	}
	outcome, change, err := g.stage(p)
	return p, outcome, change, err
}

func (g *group) drop(row *held) {
	g.unhold(row)
	g.dropped++
}

// adoptStep goes on with what did not fit into the group of its supplier.
func (w *writer) adoptStep() error {
	g := w.s.newGroup(1)
	return w.publish(g, w.adopt(g, nil))
}

// lapseStep drops what has waited in vain.
func (w *writer) lapseStep(g *group) (_ Change, err error) {
	w.lapse, err = g.lapsed(stepRemovals)
	return Change{}, err
}

// lapsed drops at most n rows whose time is over and says whether there are more.
func (g *group) lapsed(n int) (more bool, err error) {
	var keys [][]byte
	for class := range shelfClasses {
		if class == shelfBackfill && g.s.backfilling(g.now) {
			continue
		}
		err := g.Scan([]byte{tabHeld, byte(class)}, nil, func(key, _ []byte) bool {
			if len(key) == heldKeyLen && getTime(key[2:]) > g.now-waitSeconds {
				return false
			}
			if more = len(keys) == n; more {
				return false
			}
			keys = append(keys, bytes.Clone(key))
			return true
		})
		if err != nil {
			return false, err
		}
		if more {
			break
		}
	}
	for _, key := range keys {
		if len(key) == heldKeyLen {
			if row := g.s.shelf.rows[nip90.ID(key[2+timeLen:])]; row != nil && bytes.Equal(row.key(), key) {
				g.drop(row)
				continue
			}
		}
		g.over.delete(key)
	}
	return more, nil
}
