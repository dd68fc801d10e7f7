package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"dvmrelay/nip90"

	"github.com/fiatjaf/eventstore"
	"github.com/nbd-wtf/go-nostr"
)

// Eventstore lets a running Store be used where the eventstore contracts are asked for. Saving and replacing are the
// same act here: the store decides by the kind. An event that its author deleted, or that has expired, is refused.
type Eventstore struct {
	Store *Store
	Door  nip90.Door
}

var (
	_ eventstore.Store   = Eventstore{}
	_ eventstore.Counter = Eventstore{}
)

// Errors of SaveEvent and ReplaceEvent beside eventstore.ErrDupEvent.
var (
	ErrDeleted = errors.New("event was deleted by its author")
	ErrExpired = errors.New("event has expired")
)

const defaultAnswers = 500

// Init implements eventstore.Store. The store is open already.
func (e Eventstore) Init() error { return nil }

// Close implements eventstore.Store. Who opened the store closes it.
func (e Eventstore) Close() {}

// QueryEvents implements eventstore.Store: all answers, at most 500 when the filter has no limit, lie in the channel when
// it returns, so a reader that leaves holds nothing.
func (e Eventstore) QueryEvents(ctx context.Context, f nostr.Filter) (chan *nostr.Event, error) {
	if f.Limit <= 0 {
		f.Limit = defaultAnswers
	}
	var events []*nostr.Event
	for raw, err := range e.Store.Query(ctx, f) {
		if err != nil {
			return nil, err
		}
		evt := new(nostr.Event)
		if err := json.Unmarshal(raw.JSON, evt); err != nil {
			return nil, fmt.Errorf("decode event %s: %w", raw.ID, err)
		}
		events = append(events, evt)
	}
	ch := make(chan *nostr.Event, len(events))
	for _, evt := range events {
		ch <- evt
	}
	close(ch)
	return ch, nil
}

// CountEvents implements eventstore.Counter.
func (e Eventstore) CountEvents(ctx context.Context, f nostr.Filter) (int64, error) {
	return e.Store.Count(ctx, f)
}

// SaveEvent implements eventstore.Store. A stale version of an address is eventstore.ErrDupEvent.
func (e Eventstore) SaveEvent(ctx context.Context, evt *nostr.Event) error {
	outcome, err := e.save(ctx, evt)
	switch {
	case err != nil:
		return err
	case outcome == Duplicate || outcome == Stale:
		return eventstore.ErrDupEvent
	case outcome == Deleted:
		return ErrDeleted
	case outcome == FactOnly:
		return ErrExpired
	}
	return nil
}

// ReplaceEvent implements eventstore.Store. A version that is stale or here already is no error.
func (e Eventstore) ReplaceEvent(ctx context.Context, evt *nostr.Event) error {
	err := e.SaveEvent(ctx, evt)
	if errors.Is(err, eventstore.ErrDupEvent) {
		return nil
	}
	return err
}

func (e Eventstore) save(ctx context.Context, evt *nostr.Event) (Outcome, error) {
	raw, err := json.Marshal(evt)
	if err != nil {
		return 0, fmt.Errorf("write event %s: %w", evt.ID, err)
	}
	p, err := nip90.Open(evt, raw, e.Door, e.Store.o.Now())
	if err != nil {
		return 0, fmt.Errorf("read event %s: %w", evt.ID, err)
	}
	outcome, _, err := e.Store.Save(ctx, p)
	return outcome, err
}

// DeleteEvent implements eventstore.Store: the body goes, the fact stays. An event that is not here is no error.
func (e Eventstore) DeleteEvent(ctx context.Context, evt *nostr.Event) error {
	id, ok := nip90.ParseID(evt.ID)
	if !ok {
		return fmt.Errorf("delete event %q: id is not 64 lowercase hex characters", evt.ID)
	}
	return e.Store.do(ctx, func(g *group) error {
		f, ok, err := g.Fact(id)
		if err != nil || !ok || !f.Has(FactBody) {
			return err
		}
		_, err = g.removeBody(&f, LossRetention, nip90.ID{})
		return err
	})
}
