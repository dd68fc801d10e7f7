package store

import (
	"context"
	"iter"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// snapshot is an open view that answers filters.
type snapshot struct {
	view
	s      *Store
	closed bool
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
func (closedSnapshot) Scan(_, _ []byte, _ func(_, _ []byte) bool) error { return ErrClosed }
func (closedSnapshot) Fact(nip90.ID) (Fact, bool, error)                { return Fact{}, false, ErrClosed }

func (closedSnapshot) Event(nip90.ID) (Raw, bool, error)                  { return Raw{}, false, ErrClosed }
func (closedSnapshot) Count(context.Context, nostr.Filter) (int64, error) { return 0, ErrClosed }
func (closedSnapshot) Close()                                             {}
func (closedSnapshot) Query(context.Context, nostr.Filter) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) { yield(Raw{}, ErrClosed) }
}
