package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"dvmrelay/nip90"
)

const (
	secretLen = 32
	// pseudonymLen is how much of a pseudonym is made of the key; the rest is pseudonymEnd.
	pseudonymLen = 32 - len(pseudonymEnd)
	// pseudonymEnd tells a pseudonym from a key. To make a key that ends so takes 2^64 trials, and gains nothing.
	pseudonymEnd = "\xd5\x1b\x90\x7e\x2a\xc4\x6f\x03"
)

var blindKey = []byte{tabSystem, 'b'}

// Blinder gives keys the pseudonyms that stand for them once the events that named them are gone. A nil Blinder is that
// of a store which never had Options.BlindKeys: it leaves every key as it is. It is immutable and safe for concurrent
// use.
type Blinder struct {
	secret [secretLen]byte
	since  uint64 // the version that the secret was made with
}

// BlinderOf is the Blinder of a store: not nil once it was opened with Options.BlindKeys.
func BlinderOf(r Reader) (*Blinder, error) {
	row, err := r.Lasting(blindKey)
	if err != nil || row == nil {
		return nil, err
	}
	if len(row) != secretLen+8 {
		return nil, fmt.Errorf("secret for pseudonyms: %d bytes: %w", len(row), errFact)
	}
	return &Blinder{secret: [secretLen]byte(row), since: binary.BigEndian.Uint64(row[secretLen:])}, nil
}

func newBlinder(version uint64) (*Blinder, error) {
	b := &Blinder{since: version}
	if _, err := rand.Read(b.secret[:]); err != nil {
		return nil, fmt.Errorf("make secret for pseudonyms: %w", err)
	}
	return b, nil
}

func (b *Blinder) encode() []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(b.secret[:]), b.since)
}

// Always says whether there was a Blinder before there was any event.
func (b *Blinder) Always() bool { return b != nil && b.since <= 1 }

// IsPseudonym tells a pseudonym from a key.
func IsPseudonym(pk nip90.PubKey) bool { return string(pk[pseudonymLen:]) == pseudonymEnd }

// Of is the pseudonym of a key: always the same one in one store. The zero key, which stands for nobody, and pseudonyms
// stay what they are.
func (b *Blinder) Of(pk nip90.PubKey) nip90.PubKey {
	if b == nil || pk.IsZero() || IsPseudonym(pk) {
		return pk
	}
	mac := hmac.New(sha256.New, b.secret[:])
	mac.Write(pk[:])
	var out nip90.PubKey
	copy(out[:], mac.Sum(nil)[:pseudonymLen])
	copy(out[pseudonymLen:], pseudonymEnd)
	return out
}

// Same says whether two keys, each plain or a pseudonym, are those of one person.
func (b *Blinder) Same(a, c nip90.PubKey) bool {
	return a == c || b != nil && IsPseudonym(a) != IsPseudonym(c) && b.Of(a) == b.Of(c)
}

// Contains says whether a key stands in a list of a fact, plain or as its pseudonym.
func (b *Blinder) Contains(list []nip90.PubKey, pk nip90.PubKey) bool {
	for _, one := range list {
		if b.Same(one, pk) {
			return true
		}
	}
	return false
}

// names are the keys that rows of a person may stand under: the pseudonym first, then the key itself.
func (b *Blinder) names(pk nip90.PubKey) []nip90.PubKey {
	if other := b.Of(pk); other != pk {
		return []nip90.PubKey{other, pk}
	}
	return []nip90.PubKey{pk}
}

// fact puts pseudonyms in the place of all keys of a fact but those of who answered, announced or beat: a provider works
// in public. It says whether that changed anything.
func (b *Blinder) fact(f *Fact) (changed bool) {
	blind := func(pk *nip90.PubKey) {
		if other := b.Of(*pk); other != *pk {
			*pk, changed = other, true
		}
	}
	if !byProvider(f) {
		blind(&f.Author)
	}
	for i := range f.People {
		blind(&f.People[i])
	}
	return changed
}

// byProvider depends on the event alone, so that its fact is the same whenever its body went.
func byProvider(f *Fact) bool {
	switch f.Role {
	case nip90.RoleResult, nip90.RoleFeedback:
		return true
	}
	return f.Kind == nip90.KindHandler || f.Kind == 11998 || f.Kind == 11999 || f.Kind >= 11316 && f.Kind <= 11320
}

// bury turns the fact of an event without a body into what is kept, and digs its grave. f stays as it was.
func (g *group) bury(f *Fact) {
	kept := *f
	kept.People = append([]nip90.PubKey(nil), f.People...)
	if g.s.o.BlindKeys {
		g.s.blinder.fact(&kept)
	}
	g.putFact(&kept)
	g.over.set(graveKey(kept.Author, placeOf(f.CreatedAt, f.ID)), nil)
}

// name is the key that new rows about an author stand under.
func (g *group) name(author nip90.PubKey) nip90.PubKey {
	if g.s.o.BlindKeys {
		return g.s.blinder.Of(author)
	}
	return author
}

// marked says whether there may be tombstones of an author.
func (g *group) marked(author nip90.PubKey) bool {
	m := g.s.marks
	return len(m) > 0 && (m.has(author) || g.s.blinder != nil && m.has(g.s.blinder.Of(author)))
}

// tombstone reads a row about an author, whichever name it stands under.
func (g *group) tombstone(author nip90.PubKey, key func(nip90.PubKey) []byte) (row []byte, err error) {
	for _, name := range g.s.blinder.names(author) {
		if row, err = g.Value(key(name)); err != nil || row != nil {
			return row, err
		}
	}
	return nil, nil
}

// setTombstone writes a row about an author, in the place of any under another name.
func (g *group) setTombstone(author nip90.PubKey, key func(nip90.PubKey) []byte, row []byte) error {
	name := g.name(author)
	for _, other := range g.s.blinder.names(author) {
		if other == name {
			continue
		}
		old, err := g.Value(key(other))
		if err != nil {
			return err
		}
		if old != nil {
			g.over.delete(key(other))
		}
	}
	g.s.marks.add(name)
	g.over.set(key(name), row)
	return nil
}
