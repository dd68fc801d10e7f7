package store

import (
	"context"
	"iter"
	"maps"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// snapshot is an open view that answers filters.
type snapshot struct {
	view
	s      *Store
	erased *map[nip90.PubKey]vanishing // keys that were being erased when it was taken
	closed bool
}

// hidden are the keys whose events it must not show: those being erased when it was taken, though that may be done by now,
// and those being erased now.
func (sn *snapshot) hidden() map[nip90.PubKey]vanishing {
	now := sn.s.vanishing.Load()
	if sn.erased == now || len(*sn.erased) == 0 {
		return *now
	}
	both := maps.Clone(*sn.erased)
	for pk, v := range *now {
		if old, ok := both[pk]; !ok || v.until >= old.until {
			both[pk] = v
		}
	}
	return both
}

var _ Snapshot = (*snapshot)(nil)

// Close implements Snapshot. A second Close does nothing.
func (sn *snapshot) Close() {
	if sn.closed {
		return
	}
	sn.closed = true
	sn.txn.Discard()
	sn.s.release(sn.version)
}

// closedSnapshot is what a closed store hands out.
type closedSnapshot struct{}

var _ Snapshot = closedSnapshot{}

func (closedSnapshot) err() error { return ErrClosed }

func (closedSnapshot) Version() uint64                                  { return 0 }
func (closedSnapshot) Value([]byte) ([]byte, error)                     { return nil, ErrClosed }
func (closedSnapshot) Lasting([]byte) ([]byte, error)                   { return nil, ErrClosed }
func (closedSnapshot) Scan(_, _ []byte, _ func(_, _ []byte) bool) error { return ErrClosed }
func (closedSnapshot) Fact(nip90.ID) (Fact, bool, error)                { return Fact{}, false, ErrClosed }

func (closedSnapshot) Event(nip90.ID) (Raw, bool, error)                  { return Raw{}, false, ErrClosed }
func (closedSnapshot) Count(context.Context, nostr.Filter) (int64, error) { return 0, ErrClosed }
func (closedSnapshot) Close()                                             {}
func (closedSnapshot) Query(context.Context, nostr.Filter) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) { yield(Raw{}, ErrClosed) }
}

func (closedSnapshot) Items(context.Context, nostr.Filter) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) { yield(Item{}, ErrClosed) }
}
