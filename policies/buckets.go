package policies

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	bucketShards   = 16
	overflowPer    = 16 // shared buckets of one shard
	defaultBuckets = 1 << 16
)

// buckets are token buckets by key, in bounded memory. A bucket is forgotten only when it has filled up again, which
// changes nothing; so nobody can have his own empty bucket evicted to get a full one. When every place is taken by a
// bucket that still counts, newcomers share one of a fixed number of overflow buckets. Safe for concurrent use.
type buckets[K comparable] struct {
	limit  rate.Limit
	burst  int
	seed   maphash.Seed
	shards [bucketShards]bucketShard[K]
}

type bucketShard[K comparable] struct {
	mu       sync.Mutex // guards below
	size     int
	byKey    map[K]*list.Element
	order    *list.List // of *bucket, used last at the front
	overflow [overflowPer]*rate.Limiter
}

type bucket[K comparable] struct {
	key        K
	tokens     *rate.Limiter
	distrusted time.Time // until when its owner gets no exemption
}

// newBuckets makes room for at most size keys. It is nil, which allows everything, when perSecond or burst is 0.
func newBuckets[K comparable](perSecond, burst, size int) *buckets[K] {
	if perSecond <= 0 || burst <= 0 {
		return nil
	}
	b := &buckets[K]{limit: rate.Limit(perSecond), burst: burst, seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].size = max(1, size/bucketShards)
		b.shards[i].byKey = make(map[K]*list.Element)
		b.shards[i].order = list.New()
	}
	return b
}

// allow takes one token of the key's bucket, if there is one.
func (b *buckets[K]) allow(key K, now time.Time) bool {
	if b == nil {
		return true
	}
	h := maphash.Comparable(b.seed, key)
	s := &b.shards[h%bucketShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := s.find(key, now, b); own != nil {
		return own.tokens.AllowN(now, 1)
	}
	shared := &s.overflow[(h>>32)%overflowPer]
	if *shared == nil {
		*shared = rate.NewLimiter(b.limit, b.burst)
	}
	return (*shared).AllowN(now, 1)
}

// distrust takes the exemption from a key for a while.
func (b *buckets[K]) distrust(key K, now, until time.Time) {
	if b == nil {
		return
	}
	s := &b.shards[maphash.Comparable(b.seed, key)%bucketShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := s.find(key, now, b); own != nil {
		own.distrusted = until
	}
}

// trusts says whether a key has a bucket of its own and is not distrusted.
func (b *buckets[K]) trusts(key K, now time.Time) bool {
	if b == nil {
		return true
	}
	s := &b.shards[maphash.Comparable(b.seed, key)%bucketShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byKey[key]
	return ok && !e.Value.(*bucket[K]).distrusted.After(now)
}

// find is the key's own bucket, made if there is room; nil when there is none. The caller holds mu.
func (s *bucketShard[K]) find(key K, now time.Time, b *buckets[K]) *bucket[K] {
	if e, ok := s.byKey[key]; ok {
		s.order.MoveToFront(e)
		return e.Value.(*bucket[K])
	}
	if len(s.byKey) >= s.size && !s.forget(now, b.burst) {
		return nil
	}
	own := &bucket[K]{key: key, tokens: rate.NewLimiter(b.limit, b.burst)}
	s.byKey[key] = s.order.PushFront(own)
	return own
}

// forget drops full buckets among the longest unused, and says whether it found one. The caller holds mu.
func (s *bucketShard[K]) forget(now time.Time, burst int) bool {
	const looks = 4
	found := false
	e := s.order.Back()
	for range looks {
		if e == nil {
			break
		}
		older := e.Prev()
		own := e.Value.(*bucket[K])
		if own.tokens.TokensAt(now) >= float64(burst) && !own.distrusted.After(now) {
			delete(s.byKey, own.key)
			s.order.Remove(e)
			found = true
		}
		e = older
	}
	return found
}

// len is how many keys have a bucket of their own.
func (b *buckets[K]) len() int {
	if b == nil {
		return 0
	}
	n := 0
	for i := range b.shards {
		b.shards[i].mu.Lock()
		n += len(b.shards[i].byKey)
		b.shards[i].mu.Unlock()
	}
	return n
}
