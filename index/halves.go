package index

import (
	"sync"

	"dvmrelay/nip90"
)

// halves remembers something of the newest events, by their ids. It is two halves: when the younger is full the older is
// dropped. Safe for concurrent use.
type halves[T any] struct {
	most int // in each half

	mu         sync.Mutex // guards below
	young, old map[nip90.ID]T
}

func (h *halves[T]) get(id nip90.ID) (v T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok = h.young[id]; !ok {
		v, ok = h.old[id]
	}
	return v, ok
}

func (h *halves[T]) put(id nip90.ID, v T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.young == nil || len(h.young) >= h.most {
		h.young, h.old = make(map[nip90.ID]T), h.young
	}
	h.young[id] = v
}

func (h *halves[T]) drop(id nip90.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.young, id)
	delete(h.old, id)
}

func (h *halves[T]) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.young) + len(h.old)
}
