package index

import (
	"fmt"
	"slices"
	"strings"

	"dvmrelay/nip90"
)

// ranked is what a handler or a provider can be sorted by.
type ranked struct {
	name      string
	kinds     kindSet
	price     Price // as announced
	announced int64 // created_at of the newest announcement, 0 = none
	beat      int64
	firstSeen int64
	answered  int64 // when it last answered
	measured  *Measured
}

func (r *ranked) lastSeen() int64 { return max(r.announced, r.beat, r.answered) }

// rank says what r is sorted by, and gives bytes that sort as r does.
func (r *ranked) rank(by string) (*Rank, []byte) {
	switch by {
	case SortAnswerRate:
		return r.byAnswerRate()
	case SortFirstResult:
		return r.byFirstResult()
	case SortPrice:
		return r.byPrice()
	case SortSeen:
		of := map[string]int64{"announced_at": r.announced, "heartbeat_at": r.beat, "answered_at": r.answered}
		return byTime(SortSeen, r.lastSeen(), of), timeFirst(r.lastSeen())
	case SortName:
		name := strings.ToLower(r.name)
		return &Rank{By: by, Value: r.name, Of: map[string]int64{}}, append([]byte(name[:min(len(name), sortedName)]), 0)
	case SortKind:
		kinds := r.kinds.list()
		return &Rank{By: by, Value: kinds[:min(len(kinds), sortedKinds)], Of: map[string]int64{}}, r.kinds.order()
	}
	of := map[string]int64{"announced_at": r.announced}
	return byTime(SortNew, r.firstSeen, of), append(timeFirst(r.firstSeen), timeFirst(r.announced)...)
}

func byTime(by string, at int64, of map[string]int64) *Rank {
	if at == 0 {
		return &Rank{By: by, Of: of}
	}
	return &Rank{By: by, Value: at, Of: of}
}

// timeFirst sorts newest first and none last.
func timeFirst(at int64) []byte {
	if at == 0 {
		return []byte{1}
	}
	return append([]byte{0}, descending(at)...)
}

// lowFirst sorts the lowest first.
func lowFirst(v int64) []byte { return append([]byte{0}, ascending(v)...) }

func (r *ranked) byAnswerRate() (*Rank, []byte) {
	k := &Rank{By: SortAnswerRate, Of: map[string]int64{}}
	if r.measured == nil {
		return k, []byte{1}
	}
	k.Of["answered"], k.Of["eligible"] = r.measured.Answered, r.measured.Eligible
	if r.measured.AnswerRate == nil {
		return k, []byte{1}
	}
	k.Value = *r.measured.AnswerRate
	const fine = 1e12 // steps of a rate that are told apart
	return k, append(append([]byte{0}, descending(int64(*r.measured.AnswerRate*fine))...), descending(r.measured.Eligible)...)
}

func (r *ranked) byFirstResult() (*Rank, []byte) {
	k := &Rank{By: SortFirstResult, Of: map[string]int64{}}
	if r.measured == nil || r.measured.FirstResultMs == nil || r.measured.FirstResultMs.Count == 0 {
		return k, []byte{1}
	}
	q := r.measured.FirstResultMs
	k.Value = q.P50
	k.Of["p50_ms"], k.Of["p95_ms"], k.Of["jobs"] = q.P50, q.P95, q.Count
	return k, lowFirst(q.P50)
}

func (r *ranked) byPrice() (*Rank, []byte) {
	k := &Rank{By: SortPrice, Of: map[string]int64{}}
	var value int64
	known := true
	switch {
	case r.price.Msat != nil:
		value = int64(*r.price.Msat)
		k.Of["announced_msat"] = value
	case r.price.Kind == "free":
		k.Of["announced_msat"] = 0
	default:
		known = false
	}
	if r.measured != nil && r.measured.PriceMsat != nil && r.measured.PriceMsat.Count > 0 {
		q := r.measured.PriceMsat
		value, known = q.P50, true
		k.Of["asked_p50_msat"], k.Of["asked_jobs"] = q.P50, q.Count
	}
	if !known {
		return k, []byte{1}
	}
	k.Value = value
	return k, lowFirst(value)
}

// sorted is an item of a list in its order: place is what it is sorted by, then its key.
type sorted[T any] struct {
	place []byte
	rank  *Rank
	item  T
}

// sortPlaces sorts a list and says where the page after the cursor begins.
func sortPlaces[T any](list []sorted[T], at *cursor, keyLen int) (from int, err error) {
	slices.SortFunc(list, func(a, b sorted[T]) int { return slices.Compare(a.place, b.place) })
	if len(at.key) == 0 {
		return 0, nil
	}
	if len(at.key) < keyLen {
		return 0, ErrCursor
	}
	from, found := slices.BinarySearchFunc(list, at.key, func(s sorted[T], key []byte) int { return slices.Compare(s.place, key) })
	if found {
		from++
	}
	return from, nil
}

// begin reads where a list of handlers or providers goes on, and checks that its order is one.
func (x *Index) begin(by, cur string, now int64) (at cursor, order string, err error) {
	orders := HandlerSorts()
	if by == "" {
		by = SortNew
	}
	phase := slices.Index(orders, by)
	if phase < 0 {
		return at, by, fmt.Errorf("sort %q: %w", by, ErrQuery)
	}
	if cur == "" {
		return cursor{now: x.now(now), phase: byte(phase)}, by, nil
	}
	at, err = parseCursor(cur)
	if err == nil && int(at.phase) != phase {
		err = ErrCursor
	}
	return at, by, err
}

// handlerID is the end of the place of a handler: its key without the byte of its table.
const handlerIDLen = idLen + hashLen

func (e *handlerEntry) author() nip90.PubKey { return nip90.PubKey(e.key[:idLen]) }

func (e *handlerEntry) hash() [hashLen]byte { return [hashLen]byte(e.key[idLen:]) }
