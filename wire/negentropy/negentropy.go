// Package negentropy compares two sets of events by id and finds what each side lacks, in a few messages whose size follows
// the difference and not the sets: the Negentropy Protocol, version 1, that NIP-77 carries.
//
// A message is the version byte and then ranges in ascending order. Each range is its upper bound (exclusive; the lower is
// the upper of the range before), a mode, and what the mode needs: nothing (skip: this range is settled), a fingerprint of
// the ids in it, or the ids themselves. Whoever receives a fingerprint that differs from its own answers with smaller
// ranges. What a message does not mention is settled.
//
// Messages are bytes here; NIP-77 sends them as hexadecimal text.
package negentropy

import "errors"

// Item is one event of a set. CreatedAt is in unix seconds and not negative.
type Item struct {
	CreatedAt int64
	ID        [32]byte
}

// Errors of Respond and Client.Reconcile, wrapped with what was wrong.
var (
	// ErrMalformed: the message breaks the protocol.
	ErrMalformed = errors.New("malformed negentropy message")
	// ErrVersion: the server speaks another version.
	ErrVersion = errors.New("unsupported negentropy version")
	// ErrEndless: the server went on without telling anything new, or named more ids than MaxNeed.
	ErrEndless = errors.New("negentropy without an end")
)

// MaxNeed is how many ids a server may name in one reconciliation.
const MaxNeed = 1 << 20

// MinFrame is the least that a frame limit can be, in bytes.
const MinFrame = 4096

const (
	version      = 0x61
	firstVersion = 0x60
	lastVersion  = 0x6f

	buckets         = 16
	fingerprintSize = 16
	idSize          = 32
)

const (
	modeSkip        = 0
	modeFingerprint = 1
	modeIDs         = 2
)

// frameSlack is kept free below a frame limit: for the bound of a pending skip, one more bound with mode and count, and the
// fingerprint of the rest.
const frameSlack = 200

// frameRoom is how far ranges may fill a frame; 0 = as far as they like.
func frameRoom(limit int) int {
	if limit <= 0 {
		return 0
	}
	return max(limit, MinFrame) - frameSlack
}

// Respond answers one message as the server of a reconciliation: the ids it has in the ranges whose ids it was told, and
// smaller ranges where fingerprints differ. It remembers nothing. frameLimit is how long the answer may be, in bytes; 0 is no
// bound, and less than MinFrame counts as MinFrame. What does not fit is left for a later round. A message of another
// version is answered with the version that is spoken here. The error is ErrMalformed.
func Respond(set *Set, msg []byte, frameLimit int) ([]byte, error) {
	in, spoken, err := open(msg)
	if err != nil {
		return nil, err
	}
	x := exchange{set: set, in: in, out: newWriter(), room: frameRoom(frameLimit)}
	if spoken != version {
		return x.out.b, nil
	}
	x.list = func(upper int, to bound, _ []byte) (bool, error) { return x.tell(upper, to), nil }
	if err := x.run(); err != nil {
		return nil, err
	}
	return x.out.b, nil
}
