package index

import (
	"encoding/json"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Event is one event as it is kept: what is remembered of it for ever, and its body while that may be shown.
type Event struct {
	ID         nip90.ID        `json:"id"`
	Kind       int             `json:"kind"`
	KindName   string          `json:"kind_name"`
	PubKey     string          `json:"pubkey"` // empty when a customer's key is not to be remembered
	CreatedAt  int64           `json:"created_at"`
	ExpiresAt  int64           `json:"expires_at,omitempty"`
	ReceivedAt int64           `json:"received_at"` // when it first came here
	SeenOn     []string        `json:"seen_on"`     // the sources that had it, in the order in which they were first met
	Role       string          `json:"role"`
	Status     string          `json:"status,omitempty"`
	AmountMsat *int64          `json:"amount_msat,omitempty"`
	Encrypted  bool            `json:"encrypted"`
	Expired    bool            `json:"expired"`
	Deleted    bool            `json:"deleted"`        // by its author
	Root       *nip90.ID       `json:"root,omitempty"` // the job it belongs to
	Event      json.RawMessage `json:"event,omitempty"`
}

// Event shows one event; false for one that never came here, or whose author vanished. The parsed body is nil when there
// is none that may be shown.
func (x *Index) Event(r store.Reader, id nip90.ID) (Event, *nip90.Parsed, bool, error) {
	f, ok, err := r.Fact(id)
	if err != nil || !ok {
		return Event{}, nil, false, err
	}
	if gone, err := store.Vanished(r, &f); err != nil || gone {
		return Event{}, nil, false, err
	}
	author, err := unveiled(r, f.Author)
	if err != nil {
		return Event{}, nil, false, err
	}
	l := lens{Reader: r, x: x, now: x.now(0)}
	e := Event{
		ID: f.ID, Kind: f.Kind, KindName: nip90.KindName(f.Kind), PubKey: shown(author), CreatedAt: f.CreatedAt,
		ExpiresAt: f.Expires, ReceivedAt: f.Received, Role: f.Role.String(), Encrypted: f.Has(store.FactEncrypted),
		Expired: expired(f.Expires, l.now) || f.Has(store.FactBornDead), Deleted: f.Has(store.FactDeleted),
	}
	if e.SeenOn, err = l.seenOn(&f); err != nil {
		return e, nil, false, err
	}
	if (isRequest(&f) || f.Role == nip90.RoleCancel) && !x.keepsCustomer(&f) {
		e.PubKey = ""
	}
	if isAnswer(&f) && f.Status != nip90.StatusNone {
		e.Status = f.Status.String()
	}
	if f.Has(store.FactAsk) || isPayment(&f) {
		msat := int64(f.Msat)
		e.AmountMsat = &msat
	}
	if root, ok, err := x.Root(r, id); err != nil {
		return e, nil, false, err
	} else if ok {
		e.Root = &root
	}
	p, err := l.body(&f)
	if err != nil || p == nil {
		return e, nil, err == nil, err
	}
	e.Event = p.Raw
	return e, p, true, nil
}

// Job shows the thread of a root as lists show it, without its events; false when there is none. Unlike a list it shows
// threads, too, whose request is not here.
func (x *Index) Job(r store.Reader, root nip90.ID) (Thread, bool, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	return l.thread(root)
}

// Sealed says whether an event is encrypted and x keeps such from being shown.
func (x *Index) Sealed(r store.Reader, id nip90.ID) (bool, error) {
	if !x.sealed {
		return false, nil
	}
	f, ok, err := r.Fact(id)
	return ok && f.Has(store.FactEncrypted), err
}
