package index

import (
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// KnownView answers what was met before, over one view of the store. It is as safe for concurrent use as its Reader.
type KnownView struct{ r store.Reader }

// Known looks at one view of the store. Each answer but Customer is one point read.
func (x *Index) Known(r store.Reader) *KnownView { return &KnownView{r} }

// Event says whether an event with this id was ever counted, body still here or not.
func (k *KnownView) Event(id nip90.ID) (bool, error) {
	_, ok, err := k.r.Fact(id)
	return ok, err
}

// Request says whether a job request with this id was ever counted.
func (k *KnownView) Request(id nip90.ID) (bool, error) {
	row, _, err := readThread(k.r, id)
	return row.is(rowSeen), err
}

// Provider says whether a key announced a handler or answered a job.
func (k *KnownView) Provider(p nip90.PubKey) (bool, error) { return has(k.r, providerKey(p)) }

// Customer says whether a key asked for a job. It costs a short scan.
func (k *KnownView) Customer(c nip90.PubKey) (bool, error) {
	return some(k.r, keyOf(keyByCustomer, c[:]))
}

// Author says whether any event of a key was ever counted.
func (k *KnownView) Author(pk nip90.PubKey) (bool, error) { return store.HasAuthor(k.r, pk) }

// Address says whether a handler with this address is held.
func (k *KnownView) Address(a nip90.Address) (bool, error) {
	if a.Kind != nip90.KindHandler {
		return false, nil
	}
	return has(k.r, handlerKey(a.PubKey, a.D))
}
