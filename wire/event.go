package wire

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/nbd-wtf/go-nostr"
)

// parser is a reader with scratch space for lists whose length is not known beforehand. Items only grow while a frame is
// read, so that release can forget every string.
type parser struct {
	reader
	lim   Limits
	items []string
	ends  []int
	kinds []int
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// maxScratch is how many bytes or items of scratch a pooled parser may keep.
const maxScratch = 1 << 15

func newParser(text string, lim Limits) *parser {
	p := parsers.Get().(*parser)
	p.reader = reader{s: text, buf: p.buf}
	p.lim = lim
	return p
}

// release gives the scratch back. Nothing that was parsed refers to it.
func (p *parser) release() {
	p.s, p.reason = "", ""
	clear(p.items)
	p.items, p.ends, p.kinds = p.items[:0], p.ends[:0], p.kinds[:0]
	if cap(p.buf) > maxScratch || cap(p.items) > maxScratch || cap(p.ends) > maxScratch || cap(p.kinds) > maxScratch {
		return
	}
	parsers.Put(p)
}

// ParseEvent reads one event that stands alone, as in a file of JSON lines. Raw is compact JSON without foreign top-level
// fields. It fails as ParseCommand does, with a *Malformed.
func ParseEvent(text []byte, lim Limits) (evt *nostr.Event, raw []byte, err error) {
	s := string(text)
	p := newParser(s, lim)
	defer p.release()
	if !utf8.ValidString(s) {
		p.fail("not valid UTF-8")
	} else if evt, raw, ok := p.event(); ok && p.done() {
		return evt, raw, nil
	}
	m := &Malformed{Label: LabelEvent, Reason: p.reason}
	r := reader{s: s}
	m.EventID = r.findID()
	return nil, nil, m
}

const (
	fieldID = 1 << iota
	fieldPubKey
	fieldCreatedAt
	fieldKind
	fieldTags
	fieldContent
	fieldSig
	allFields = 1<<iota - 1
)

var fieldNames = [...]string{"id", "pubkey", "created_at", "kind", "tags", "content", "sig"}

func fieldOf(key string) int {
	for i, name := range fieldNames {
		if key == name {
			return 1 << i
		}
	}
	return 0
}

// event reads an event object, and its JSON as it is to be kept.
func (p *parser) event() (*nostr.Event, []byte, bool) {
	if p.peek() != '{' {
		return nil, nil, p.wrongType("the event", "an object")
	}
	start := p.i
	p.i++
	p.ws, p.esc = false, false
	evt := new(nostr.Event)
	seen, foreign := 0, false
	for first := true; ; first = false {
		again, ok := p.more(first, '}')
		if !ok {
			return nil, nil, false
		}
		if !again {
			break
		}
		key, ok := p.key()
		if !ok {
			return nil, nil, false
		}
		f := fieldOf(key)
		switch {
		case f == 0:
			foreign = true
			ok = p.skip(3)
		case seen&f != 0:
			ok = p.fail("the event has two fields " + strconv.Quote(key))
		default:
			seen |= f
			ok = p.field(evt, f)
		}
		if !ok {
			return nil, nil, false
		}
	}
	for i, name := range fieldNames {
		if seen&(1<<i) == 0 {
			return nil, nil, p.fail("the event has no field " + strconv.Quote(name))
		}
	}
	if foreign || p.ws || p.esc {
		return evt, AppendEventJSON(make([]byte, 0, p.i-start), evt), true
	}
	return evt, []byte(p.s[start:p.i]), true
}

func (p *parser) field(evt *nostr.Event, f int) (ok bool) {
	var n int64
	switch f {
	case fieldID:
		evt.ID, ok = p.hexField("id", 64)
	case fieldPubKey:
		evt.PubKey, ok = p.hexField("pubkey", 64)
	case fieldSig:
		evt.Sig, ok = p.hexField("sig", 128)
	case fieldCreatedAt:
		n, ok = p.integer("created_at", 0, math.MaxInt64)
		evt.CreatedAt = nostr.Timestamp(n)
	case fieldKind:
		n, ok = p.integer("kind", 0, MaxKind)
		evt.Kind = int(n)
	case fieldTags:
		evt.Tags, ok = p.tags()
	case fieldContent:
		if p.peek() != '"' {
			return p.wrongType("content", "a string")
		}
		evt.Content, ok = p.text()
		if ok && p.lim.MaxContent > 0 && len(evt.Content) > p.lim.MaxContent && utf8.RuneCountInString(evt.Content) > p.lim.MaxContent {
			return p.fail("content is longer than " + strconv.Itoa(p.lim.MaxContent) + " characters")
		}
	}
	return ok
}

func (p *parser) hexField(name string, length int) (string, bool) {
	if p.peek() != '"' {
		return "", p.wrongType(name, "a string")
	}
	s, ok := p.text()
	if ok && (len(s) != length || !lowerHex(s)) {
		return "", p.fail(name + " must be " + strconv.Itoa(length) + " lowercase hex characters")
	}
	return s, ok
}

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !digit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// tags reads the tags into two allocations: one for all the strings, one for the tags.
func (p *parser) tags() (nostr.Tags, bool) {
	if p.peek() != '[' {
		return nil, p.wrongType("tags", "an array")
	}
	p.i++
	begin := len(p.items)
	p.ends = p.ends[:0]
	for first := true; ; first = false {
		again, ok := p.more(first, ']')
		if !ok {
			return nil, false
		}
		if !again {
			break
		}
		if p.lim.MaxTags > 0 && len(p.ends) >= p.lim.MaxTags {
			return nil, p.fail("the event has more than " + strconv.Itoa(p.lim.MaxTags) + " tags")
		}
		if p.peek() != '[' {
			return nil, p.wrongType("a tag", "an array")
		}
		if !p.strings("a tag's item", 0) {
			return nil, false
		}
		p.ends = append(p.ends, len(p.items)-begin)
	}
	all := slices.Clone(p.items[begin:])
	tags := make(nostr.Tags, len(p.ends))
	from := 0
	for i, to := range p.ends {
		tags[i] = all[from:to:to]
		from = to
	}
	return tags, true
}

// strings appends an array of strings to items, at most limit of them.
func (p *parser) strings(name string, limit int) bool {
	p.i++
	begin := len(p.items)
	for first := true; ; first = false {
		again, ok := p.more(first, ']')
		if !again {
			return ok
		}
		if p.peek() != '"' {
			return p.wrongType(name, "a string")
		}
		if limit > 0 && len(p.items)-begin >= limit {
			return p.fail(name + ": more than " + strconv.Itoa(limit) + " values")
		}
		s, ok := p.text()
		if !ok {
			return false
		}
		p.items = append(p.items, s)
	}
}

// findID looks for the id of an event that could not be read whole. It gives up at the first fault of syntax.
func (r *reader) findID() string {
	if !r.take('{') {
		return ""
	}
	for first := true; ; first = false {
		again, ok := r.more(first, '}')
		if !ok || !again {
			return ""
		}
		key, ok := r.key()
		if !ok {
			return ""
		}
		if key != "id" || r.peek() != '"' {
			if !r.skip(3) {
				return ""
			}
			continue
		}
		id, ok := r.text()
		if !ok || len(id) != 64 || !lowerHex(id) {
			return ""
		}
		return strings.Clone(id)
	}
}
