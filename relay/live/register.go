package live

import (
	"encoding/binary"

	"dvmrelay/nip90"
)

// Dimensions of exact keys. A tag's letter is a dimension of its own; with hashed it holds the hashes of long values.
const (
	dimID       = 1
	dimThread   = 2
	dimAuthor   = 3
	dimProvider = 4 // of the job
	dimCustomer = 5 // of the job
	dimJobKind  = 6 // see kindValue
	dimLast     = dimJobKind
	hashed      = 0x80
)

// exactKey is a value of 32 bytes in a dimension.
type exactKey struct {
	dim   byte
	value [32]byte
}

// kindValue is a kind as the value of an exact key.
func kindValue(kind int) (v [32]byte) {
	binary.BigEndian.PutUint64(v[:], uint64(kind))
	return v
}

// dimension is the most selective thing that is asked of the job; false when that is nothing that has one value.
func (j *Job) dimension() (key exactKey, ok bool) {
	switch {
	case j == nil:
		return key, false
	case !j.Customer.IsZero():
		return exactKey{dim: dimCustomer, value: j.Customer}, true
	case !j.Provider.IsZero():
		return exactKey{dim: dimProvider, value: j.Provider}, true
	}
	return exactKey{dim: dimJobKind, value: kindValue(j.Kind)}, j.Kind != 0
}

// textKey is the value of a tag that is not 64 lowercase hex characters.
type textKey struct {
	letter byte
	value  string
}

// bucket is all that is registered in one place.
type bucket struct{ refs []ref }

// ref is an entry in a bucket, and which of the entry's slots says where.
type ref struct {
	entry *entry
	slot  int32
}

// slot is one place where an entry is registered.
type slot struct {
	bucket *bucket
	pos    int32
	space  space
	kind   int32 // or page
	exact  exactKey
	text   textKey
}

// space is which of the index's maps a slot belongs to.
type space uint8

const (
	spaceExact space = iota
	spaceText
	spaceKind
	spacePage
	spaceRest
)

// entry is one filter of a subscription.
type entry struct {
	sub *Subscription
	matcher
	via      dimension
	slots    []slot
	followed int // threads that were added since
}

// dimension is what an entry is registered by.
type dimension struct {
	space space
	dim   byte // of exact keys; a letter for tags
}

// few is how many values a dimension may have to be taken in its turn; of larger ones the smallest is taken.
const few = 64

// narrow is how many kinds are registered one by one.
const narrow = 32

// choose picks the dimension with the fewest false candidates that does not cost too many places.
func (m *matcher) choose() dimension {
	type option struct {
		dimension
		size int
	}
	var options []option
	add := func(dim byte, size int) {
		options = append(options, option{dimension{space: spaceExact, dim: dim}, size})
	}
	if m.ids.set {
		add(dimID, m.ids.size())
	}
	if m.threads.set {
		add(dimThread, m.threads.size())
	}
	for _, letter := range []byte{'e', 'p'} {
		if t := m.tag(letter); t != nil {
			add(letter, t.size())
		}
	}
	ofJob, asked := m.job.dimension()
	if asked && ofJob.dim != dimJobKind {
		add(ofJob.dim, 1)
	}
	if m.authors.set {
		add(dimAuthor, m.authors.size())
	}
	for i := range m.tags {
		if t := &m.tags[i]; t.letter != 'e' && t.letter != 'p' && (t.size() <= few || m.kinds.size() > narrow || !m.kinds.set) {
			add(t.letter, t.size())
		}
	}
	if asked && ofJob.dim == dimJobKind {
		add(ofJob.dim, 1)
	}
	for _, o := range options {
		if o.size <= few {
			return o.dimension
		}
	}
	if len(options) > 0 {
		best := options[0]
		for _, o := range options[1:] {
			if o.size < best.size {
				best = o
			}
		}
		return best.dimension
	}
	switch {
	case !m.kinds.set:
		return dimension{space: spaceRest}
	case m.kinds.size() <= narrow:
		return dimension{space: spaceKind}
	}
	return dimension{space: spacePage}
}

// register puts an entry into every place of its dimension.
func (x *Index) register(e *entry) {
	x.longs += e.longs()
	if e.job != nil {
		x.ofJobs.Add(1)
	}
	switch e.via.space {
	case spaceRest:
		x.put(e, slot{space: spaceRest})
	case spaceKind:
		for kind := range e.kinds.all() {
			x.put(e, slot{space: spaceKind, kind: int32(kind)})
		}
	case spacePage:
		for _, p := range e.kinds.pages {
			x.put(e, slot{space: spacePage, kind: int32(p.number)})
		}
	default:
		x.registerValues(e)
	}
}

func (x *Index) registerValues(e *entry) {
	set := &e.ids
	switch e.via.dim {
	case dimID:
	case dimThread:
		set = &e.threads
	case dimAuthor:
		set = &e.authors
	case dimProvider, dimCustomer, dimJobKind:
		key, _ := e.job.dimension()
		x.put(e, slot{space: spaceExact, exact: key})
		return
	default:
		t := e.tag(e.via.dim)
		for key := range t.exact.all() {
			x.put(e, slot{space: spaceExact, exact: exactKey{dim: t.letter, value: key}})
		}
		for key := range t.long.all() {
			x.put(e, slot{space: spaceExact, exact: exactKey{dim: t.letter | hashed, value: key}})
		}
		for _, text := range t.texts {
			x.put(e, slot{space: spaceText, text: textKey{letter: t.letter, value: text}})
		}
		return
	}
	for key := range set.all() {
		x.put(e, slot{space: spaceExact, exact: exactKey{dim: e.via.dim, value: key}})
	}
}

func (x *Index) put(e *entry, s slot) {
	switch s.space {
	case spaceExact:
		s.bucket = placeIn(x.exact, s.exact)
	case spaceText:
		s.bucket = placeIn(x.texts, s.text)
	case spaceKind:
		s.bucket = placeIn(x.kinds, int(s.kind))
	case spacePage:
		s.bucket = placeIn(x.pages, int(s.kind))
	case spaceRest:
		s.bucket = x.rest
	}
	s.pos = int32(len(s.bucket.refs))
	s.bucket.refs = append(s.bucket.refs, ref{entry: e, slot: int32(len(e.slots))})
	e.slots = append(e.slots, s)
}

func placeIn[K comparable](m map[K]*bucket, key K) *bucket {
	b := m[key]
	if b == nil {
		b = new(bucket)
		m[key] = b
	}
	return b
}

// unregister takes an entry out of all its places, each in constant time.
func (x *Index) unregister(e *entry) {
	x.longs -= e.longs()
	if e.job != nil {
		x.ofJobs.Add(-1)
	}
	for _, s := range e.slots {
		refs := s.bucket.refs
		last := len(refs) - 1
		moved := refs[last]
		refs[s.pos] = moved
		moved.entry.slots[moved.slot].pos = s.pos
		refs[last] = ref{}
		s.bucket.refs = refs[:last]
		if last > 0 {
			continue
		}
		switch s.space {
		case spaceExact:
			delete(x.exact, s.exact)
		case spaceText:
			delete(x.texts, s.text)
		case spaceKind:
			delete(x.kinds, int(s.kind))
		case spacePage:
			delete(x.pages, int(s.kind))
		case spaceRest:
		}
	}
	e.slots = nil
}

// maxFollowed is how many threads a filter may take up beside those that it named.
const maxFollowed = 16

// wantsRoots says that the event was found by its own id, which a filter named before anybody knew its thread.
func (e *entry) wantsRoots(ev *Event) bool {
	if !e.threads.set || e.followed >= maxFollowed || !e.threads.has(ev.Parsed.ID) {
		return false
	}
	for _, root := range ev.Roots {
		if !e.threads.has(root) {
			return true
		}
	}
	return false
}

// follow adds threads to a filter that asks for threads.
func (x *Index) follow(e *entry, roots []nip90.ID) {
	for _, root := range roots {
		if e.followed >= maxFollowed || e.threads.has(root) {
			continue
		}
		e.threads.add(root)
		e.followed++
		if e.via.space == spaceExact && e.via.dim == dimThread {
			x.put(e, slot{space: spaceExact, exact: exactKey{dim: dimThread, value: root}})
		}
	}
}
