package mirror

import (
	"strconv"
	"strings"
)

// refusals are words by which a NOTICE is told from a greeting.
func refusals() []string {
	return []string{"invalid", "error", "bad ", "too ", "limit", "must ", "could not", "cannot", "unsupported", "restricted", "auth-required", "blocked", "failed"}
}

// noticed takes a NOTICE for the refusal that it probably is: some relays have no other answer to a REQ that they do not like,
// and never end it. It is not said which was meant, so it is the oldest of those to which nothing has come. It is called by
// the reader alone.
func (s *session) noticed(text string) {
	text = strings.ToLower(text[:min(len(text), 200)])
	says := false
	for _, word := range refusals() {
		says = says || strings.Contains(text, word)
	}
	if !says {
		return
	}
	if b := s.unanswered(); b != nil {
		b.over, b.kept, b.reason = true, true, prefix(text)
		close(b.closed)
	}
}

// unanswered is the oldest subscription to which nothing has come; nil when there is none. It is called by the reader alone.
func (s *session) unanswered() (oldest *sub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := 0
	for id, b := range s.subs {
		n, err := strconv.Atoi(id)
		if err != nil || b.over || b.past || b.came {
			continue
		}
		if oldest == nil || n < first {
			oldest, first = b, n
		}
	}
	return oldest
}
