package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const (
	// recomputeStep is how many bodies one view of Recompute reads, so that no old version of the store is held for long.
	recomputeStep = 1024
	// doorFlags are the flags that no parser knows of: what became of the event here.
	doorFlags = FactBody | FactDeleted | FactBornDead | FactOwn
)

// Recomputed says how far a Recompute has come.
type Recomputed struct {
	Bodies  int64 `json:"bodies"`     // looked at
	Changed int64 `json:"changed"`    // facts that say something else now
	Unread  int64 `json:"unreadable"` // bodies that the parser refuses; their facts stay as they are
}

// Reading is how a parser makes a meaning of a stored event that first came at a time. raw.JSON is valid until it returns.
type Reading func(raw Raw, received time.Time) (*nip90.Parsed, error)

// Recompute makes the fact of every event whose body is still here anew, as parse reads it today, and rewrites those that
// say something else. Id, kind, author, created_at, the time of arrival and what became of the event here stay. A body
// whose fact is lost or damaged gets it back. Facts without a body stay as they are. parse may be nil for the parser of
// this program; tell may be nil, and hears after each step.
//
// It works in steps through the writer, which must be running; events may come and go meanwhile. It may be broken off
// anywhere and begun again. The Indexer is not told: it must fold every fact again afterwards and, until it does, must
// not take a fact for what it was when it folded it.
func (s *Store) Recompute(ctx context.Context, parse Reading, tell func(Recomputed)) (Recomputed, error) {
	if parse == nil {
		parse = readAgain
	}
	rc := recomputing{s: s, parse: parse}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return rc.done, err
		}
		var err error
		if more, err = rc.step(ctx); err != nil {
			return rc.done, fmt.Errorf("recompute facts: %w", err)
		}
		if tell != nil {
			tell(rc.done)
		}
	}
	return rc.done, nil
}

// readAgain is the Reading of this program.
func readAgain(raw Raw, received time.Time) (*nip90.Parsed, error) {
	var evt nostr.Event
	if err := json.Unmarshal(raw.JSON, &evt); err != nil {
		return nil, fmt.Errorf("read event %s: %w", raw.ID, err)
	}
	return nip90.Open(&evt, raw.JSON, nip90.DoorImport, received)
}

type recomputing struct {
	s     *Store
	parse Reading
	start []byte // key of the event table to go on from
	done  Recomputed
}

// refact is a fact that is to be written, and about how many bytes that takes.
type refact struct {
	fact Fact
	cost int64
}

// step reads some bodies and writes what has changed of their facts. Reading and parsing is done outside of the writer,
// which looks at those facts alone that are to change.
func (rc *recomputing) step(ctx context.Context) (more bool, err error) {
	var due []refact
	err = rc.s.View(func(r Reader) error {
		due, more, err = rc.read(r)
		return err
	})
	if err != nil {
		return false, err
	}
	for len(due) > 0 {
		n, cost := 0, int64(0)
		for n < len(due) && n < groupEvents && (n == 0 || cost+due[n].cost < rc.s.maxBytes/4) {
			cost += due[n].cost
			n++
		}
		changed := int64(0)
		err := rc.s.do(ctx, func(g *group) error {
			changed = 0
			for i := range due[:n] {
				wrote, err := g.refact(&due[i].fact)
				if err != nil {
					return err
				}
				if wrote {
					changed++
				}
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		rc.done.Changed += changed
		due = due[n:]
	}
	return more, nil
}

func (rc *recomputing) read(r Reader) (due []refact, more bool, err error) {
	var inner error
	n := 0
	err = r.Scan([]byte{tabEvent}, rc.start, func(key, value []byte) bool {
		if n == recomputeStep {
			rc.start, more = bytes.Clone(key), true
			return false
		}
		n++
		p, kind, ok := decodeEventKey(key)
		if !ok {
			return true
		}
		var b body
		if decodeBody(&p, kind, value, &b) != nil {
			rc.done.Bodies++
			rc.done.Unread++
			return true
		}
		f, changed, err := rc.reread(r, &b)
		if err != nil {
			inner = err
			return false
		}
		if changed {
			cost := int64(2 * MaxFactBytes)
			if f.Expires != b.Expires {
				cost += int64(len(value))
			}
			due = append(due, refact{f, cost})
		}
		return true
	})
	if inner != nil {
		err = inner
	}
	return due, more, err
}

// reread is the fact of a body as the parser reads it now, and whether it says something else than the one that is kept.
func (rc *recomputing) reread(r Reader, b *body) (Fact, bool, error) {
	rc.done.Bodies++
	kept, err := r.Value(factKey(b.ID))
	if err != nil {
		return Fact{}, false, err
	}
	old, broken := decodeFact(b.ID, kept)
	if broken != nil {
		old = Fact{Received: rc.s.o.Now().Unix()}
	}
	p, err := rc.parse(b.Raw, time.Unix(old.Received, 0))
	if err != nil || p == nil {
		rc.done.Unread++
		return Fact{}, false, nil
	}
	f := FactOf(p)
	f.ID, f.Author, f.Kind, f.CreatedAt, f.Received = b.ID, b.PubKey, b.Kind, b.CreatedAt, clampTime(old.Received)
	f.Flags = f.Flags&^doorFlags | old.Flags&doorFlags | FactBody
	var buf [MaxFactBytes]byte
	return f, !bytes.Equal(f.appendTo(buf[:0]), kept), nil
}

// refact writes a fact whose body is here, if it still is.
func (g *group) refact(f *Fact) (wrote bool, err error) {
	p := placeOf(f.CreatedAt, f.ID)
	key := eventKey(nil, &p, uint16(f.Kind))
	value, err := g.Value(key)
	if err != nil || value == nil {
		return false, err
	}
	kept, err := g.Value(factKey(f.ID))
	if err != nil {
		return false, err
	}
	if kept == nil {
		g.facts++
	}
	var b body
	if err := decodeBody(&p, uint16(f.Kind), value, &b); err != nil {
		return false, err
	}
	if b.Expires != f.Expires {
		if b.Expires != 0 {
			g.over.delete(expiryKey(b.Expires, f.ID))
		}
		if f.Expires != 0 {
			g.over.set(expiryKey(f.Expires, f.ID), nil)
		}
		g.over.set(key, appendBody(nil, f.Author, f.Expires, b.JSON))
	}
	g.putFact(f)
	grave := graveKey(f.Author, p)
	if here, err := g.Value(grave); err != nil || here == nil {
		return true, err
	}
	g.over.delete(grave)
	return true, nil
}
