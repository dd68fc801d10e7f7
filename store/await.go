package store

import (
	"crypto/sha256"

	"dvmrelay/nip90"
)

// AwaitKind says what has to be known of the thing that an event waits for.
type AwaitKind byte

// What an event may wait for. The bytes stand on disk.
const (
	AwaitEvent    AwaitKind = 'e' // an event with this id
	AwaitAnswer   AwaitKind = 'n' // an event with this id that is no job request
	AwaitProvider AwaitKind = 'p' // this key announces a handler, or answers a job
	AwaitCustomer AwaitKind = 'c' // this key asks for a job
	AwaitAuthor   AwaitKind = 'a' // any event by this key
	AwaitHandler  AwaitKind = 'h' // a handler with this address, as AwaitAddress makes it
)

// Awaited is a thing whose coming would let an event in.
type Awaited struct {
	Kind AwaitKind
	Key  [32]byte
}

// awaitedLen is the length of an Awaited on disk.
const awaitedLen = 1 + 32

// MaxAwaited is how many things one event may wait for; what is named beyond is not waited for.
const MaxAwaited = 16

// AwaitAddress is the wait for a handler with an address.
func AwaitAddress(a nip90.Address) Awaited {
	d := sha256.Sum256([]byte(a.D))
	return Awaited{AwaitHandler, sha256.Sum256(replaceKey(uint16(a.Kind), a.PubKey, d))}
}

// Unmet is an error of Options.Admit that the coming of something else would mend: the event is not wrong, what it is
// about is not known yet. It waits for any one of these things.
type Unmet interface {
	error
	Awaits() []Awaited
}

// supplies are the things that a counted event lets others stop waiting for.
func supplies(p *nip90.Parsed) []Awaited {
	list := make([]Awaited, 0, 5)
	list = append(list, Awaited{AwaitEvent, p.ID}, Awaited{AwaitAuthor, p.Author})
	role := p.Message.Role()
	if role == nip90.RoleRequest {
		return append(list, Awaited{AwaitCustomer, p.Author})
	}
	list = append(list, Awaited{AwaitAnswer, p.ID})
	if role == nip90.RoleResult || role == nip90.RoleFeedback {
		return append(list, Awaited{AwaitProvider, p.Author})
	}
	if h, ok := p.Message.(*nip90.Handler); ok {
		list = append(list, Awaited{AwaitProvider, p.Author},
			AwaitAddress(nip90.Address{Kind: p.Event.Kind, PubKey: p.Author, D: h.D}))
	}
	return list
}
