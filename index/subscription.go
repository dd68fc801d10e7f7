package index

import (
	"context"
	"sync"
)

// Subscription follows a Watch. It is used by one goroutine at a time.
type Subscription struct {
	w      *Watch
	at     uint64 // the last note that was given out
	topics []string
	close  func()
}

// Subscribe follows topics from the next note on. Close it.
func (w *Watch) Subscribe(topics ...string) *Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &Subscription{w: w, at: w.last, topics: topics}
	for _, t := range topics {
		w.readers[t]++
	}
	s.close = sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, t := range topics {
			if w.readers[t]--; w.readers[t] == 0 {
				delete(w.readers, t)
			}
		}
	})
	return s
}

// Close ends the subscription; it may be called again.
func (s *Subscription) Close() { s.close() }

// At is the last note that was given out or passed over.
func (s *Subscription) At() uint64 { return s.at }

// Resume goes back to just behind the note id. It fails with ErrMissed, and stays where it is, when what followed it is
// not kept any more or when there never was such a note.
func (s *Subscription) Resume(id uint64) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if id > s.w.last || id < s.w.oldest() {
		return ErrMissed
	}
	s.at = id
	return nil
}

// oldest is the id behind which nothing is missing. The mutex is held.
func (w *Watch) oldest() uint64 { return w.last - uint64(len(w.notes)) }

// Next gives out the notes of the subscription's topics that came since, at most most of them; it waits for one until
// ctx ends. left is how many notes of any topic are behind them. ErrMissed means that the reader was too slow and
// continues with the next note; otherwise the error is that of ctx.
func (s *Subscription) Next(ctx context.Context, most int) (notes []*Note, left int, err error) {
	for {
		notes, left, grown, err := s.take(most)
		if err != nil || len(notes) > 0 {
			return notes, left, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

func (s *Subscription) take(most int) (notes []*Note, left int, grown <-chan struct{}, err error) {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.at < w.oldest() {
		s.at = w.last
		return nil, 0, nil, ErrMissed
	}
	for _, n := range w.notes[len(w.notes)-int(w.last-s.at):] {
		if len(notes) == most {
			break
		}
		s.at = n.ID
		if s.wants(n) {
			notes = append(notes, n)
		}
	}
	return notes, int(w.last - s.at), w.grown, nil
}

func (s *Subscription) wants(n *Note) bool {
	if n.Settled() {
		return false
	}
	for _, t := range s.topics {
		if t == n.Topic {
			return true
		}
	}
	return false
}
