package mirror

import (
	"strconv"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// refusals are words by which a NOTICE is told from a greeting.
func refusals() []string {
	return []string{"invalid", "error", "bad ", "too ", "limit", "must ", "could not", "cannot", "unsupported", "restricted", "auth-required", "blocked", "failed"}
}

// disliked takes a NOTICE for the refusal that it probably is: some relays have no other answer to a REQ that they do not like,
// and never end it. It is not said which was meant; most complain of size, and name what is too long. It is called by the reader
// alone.
func (s *session) disliked(text string) {
	text = strings.ToLower(text[:min(len(text), 200)])
	says := false
	for _, word := range refusals() {
		says = says || strings.Contains(text, word)
	}
	if !says {
		return
	}
	size := width
	if strings.Contains(text, "kinds") {
		size = func(f nostr.Filter) int { return len(f.Kinds) }
	}
	if b := s.unanswered(size); b != nil {
		b.over, b.kept, b.reason = true, true, prefix(text)
		close(b.closed)
	}
}

// unanswered is the subscription with the biggest filter of those to which nothing has come, and of these the oldest; nil
// when there is none. It is called by the reader alone.
func (s *session) unanswered(size func(nostr.Filter) int) (found *sub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest, first := 0, 0
	for id, b := range s.subs {
		if b.talk != nil {
			return nil // NIP-77 is what is refused most often in this way
		}
		n, err := strconv.Atoi(id)
		if err != nil || b.over || b.past || b.came {
			continue
		}
		long := 0
		for _, f := range b.filters {
			long = max(long, size(f))
		}
		if found == nil || long > longest || long == longest && n < first {
			found, longest, first = b, long, n
		}
	}
	return found
}
