package live

import (
	"crypto/sha256"
	"slices"

	"dvmrelay/nip90"
)

// view is an event with its one-letter tags made ready for comparison. It is used for one event after the other.
type view struct {
	event Event
	tags  []tagValue
	// exact holds the exact tags when there are so many that searching them one by one would be slow; else it is empty.
	exact map[exactKey]struct{}
}

// tagValue is one tag of an event.
type tagValue struct {
	exact   exactKey // if isExact
	text    textKey  // otherwise
	isExact bool
}

// crowded is from how many tags on a view keeps a map.
const crowded = 16

// read makes the view one of e. Values too long to be kept are hashed if hashLong, else left out, since nobody asks.
func (v *view) read(e Event, hashLong bool) {
	v.event = e
	v.tags = v.tags[:0]
	clear(v.exact)
	for _, tag := range e.Parsed.Event.Tags {
		if len(tag) < 2 || len(tag[0]) != 1 || tag[0][0] >= hashed {
			continue
		}
		letter, value := tag[0][0], tag[1]
		if id, ok := nip90.ParseID(value); ok {
			v.tags = append(v.tags, tagValue{exact: exactKey{dim: letter, value: id}, isExact: true})
		} else if len(value) <= longest {
			v.tags = append(v.tags, tagValue{text: textKey{letter: letter, value: value}})
		} else if hashLong {
			key := exactKey{dim: letter | hashed, value: sha256.Sum256([]byte(value))}
			v.tags = append(v.tags, tagValue{exact: key, isExact: true})
		}
	}
	if len(v.tags) < crowded {
		return
	}
	if v.exact == nil {
		v.exact = make(map[exactKey]struct{}, len(v.tags))
	}
	for i := range v.tags {
		if v.tags[i].isExact {
			v.exact[v.tags[i].exact] = struct{}{}
		}
	}
}

// forget drops the event, so that nothing keeps it alive until the next.
func (v *view) forget() {
	clear(v.tags)
	v.event = Event{}
	if len(v.exact) > 1024 {
		v.exact = nil
	}
}

// hasAny says whether the event has a tag with one of the values of t.
func (v *view) hasAny(t *tagSet) bool {
	if len(v.tags) >= crowded && len(t.texts) == 0 && t.size() < len(v.tags) {
		return v.hasExact(t.letter, &t.exact) || v.hasExact(t.letter|hashed, &t.long)
	}
	for i := range v.tags {
		tag := &v.tags[i]
		switch {
		case !tag.isExact:
			if tag.text.letter == t.letter {
				if _, ok := slices.BinarySearch(t.texts, tag.text.value); ok {
					return true
				}
			}
		case tag.exact.dim == t.letter:
			if t.exact.has(tag.exact.value) {
				return true
			}
		case tag.exact.dim == t.letter|hashed:
			if t.long.has(tag.exact.value) {
				return true
			}
		}
	}
	return false
}

func (v *view) hasExact(dim byte, s *exactSet) bool {
	for value := range s.all() {
		if _, ok := v.exact[exactKey{dim: dim, value: value}]; ok {
			return true
		}
	}
	return false
}
