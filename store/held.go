package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// shelfClass is a part of the shelf with bounds of its own.
type shelfClass byte

// The classes. The bytes stand on disk.
const (
	shelfSocket   shelfClass = iota // brought by a client
	shelfFeed                       // live from an upstream, imported, synced
	shelfBackfill                   // met during a backfill: waits until that has ended
	shelfClasses
)

// held is what is kept in memory of a waiting event.
type held struct {
	id      nip90.ID
	author  nip90.PubKey
	created int64
	since   int64 // unix seconds of its coming
	class   shelfClass
	size    int64 // bytes that it counts for
	awaits  []Awaited

	seq    uint64 // the order of coming
	queued bool   // it is in the writer's list of what is to be decided again
}

const (
	heldVersion = 1
	heldKeyLen  = 1 + 1 + timeLen + idLen
	heldHeadLen = 1 + 1 + timeLen + 32 + timeLen + 1
	// heldOverhead is what a waiting event costs beside its JSON and for each thing that it waits for.
	heldOverhead = 256
	awaitedCost  = 128
)

var errHeld = errors.New("waiting event is damaged")

func heldKey(class shelfClass, since int64, id nip90.ID) []byte {
	b := appendTime([]byte{tabHeld, byte(class)}, since)
	return append(b, id[:]...)
}

func (h *held) key() []byte { return heldKey(h.class, h.since, h.id) }

func heldSize(raw, awaits int) int64 { return int64(heldOverhead + raw + awaitedCost*awaits) }

// appendHeld writes a waiting event: version, door, arrival, author, created_at, what it waits for, source, its JSON.
func appendHeld(b []byte, p *nip90.Parsed, awaits []Awaited) []byte {
	b = append(b, heldVersion, byte(p.Door))
	b = appendTime(b, clampTime(p.Received.Unix()))
	b = append(b, p.Author[:]...)
	b = appendTime(b, clampTime(p.CreatedAt))
	b = append(b, byte(len(awaits)))
	for _, a := range awaits {
		b = append(append(b, byte(a.Kind)), a.Key[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Source)))
	b = append(b, p.Source...)
	return append(b, p.Raw...)
}

// heldRow is a waiting event as it is read back; raw is a part of the value.
type heldRow struct {
	held
	door     nip90.Door
	received int64
	source   string
	raw      []byte
}

func decodeHeld(key, value []byte) (*heldRow, error) {
	if len(key) != heldKeyLen || shelfClass(key[1]) >= shelfClasses {
		return nil, fmt.Errorf("key %x: %w", key, errHeld)
	}
	h := &heldRow{held: held{class: shelfClass(key[1]), since: getTime(key[2:]), id: nip90.ID(key[2+timeLen:])}}
	if len(value) < heldHeadLen || value[0] != heldVersion || value[1] > byte(nip90.DoorSync) {
		return nil, fmt.Errorf("event %s: %w", h.id, errHeld)
	}
	h.door, h.received = nip90.Door(value[1]), getTime(value[2:])
	rest := value[2+timeLen:]
	h.author, h.created = nip90.PubKey(rest[:32]), getTime(rest[32:])
	n := int(rest[32+timeLen])
	rest = rest[32+timeLen+1:]
	if n == 0 || n > MaxAwaited || len(rest) < n*awaitedLen {
		return nil, fmt.Errorf("event %s: %d things awaited: %w", h.id, n, errHeld)
	}
	for range n {
		h.awaits = append(h.awaits, Awaited{AwaitKind(rest[0]), [32]byte(rest[1:awaitedLen])})
		rest = rest[awaitedLen:]
	}
	size, width := binary.Uvarint(rest)
	if width <= 0 || size > uint64(len(rest)-width) {
		return nil, fmt.Errorf("event %s: %w", h.id, errHeld)
	}
	rest = rest[width:]
	h.source, h.raw = string(rest[:size]), rest[size:]
	h.size = heldSize(len(h.raw), n)
	return h, nil
}

// open makes the event what it was when it came.
func (h *heldRow) open() (*nip90.Parsed, error) {
	var evt nostr.Event
	if err := json.Unmarshal(h.raw, &evt); err != nil {
		return nil, fmt.Errorf("read waiting event %s: %w", h.id, err)
	}
	p, err := nip90.Open(&evt, append([]byte(nil), h.raw...), h.door, time.Unix(h.received, 0))
	if err != nil {
		return nil, fmt.Errorf("open waiting event %s: %w", h.id, err)
	}
	if p.ID != h.id || p.Author != h.author {
		return nil, fmt.Errorf("event %s: %w", h.id, errHeld)
	}
	p.Source = h.source
	return p, nil
}
