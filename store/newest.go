package store

import (
	"crypto/sha256"
	"fmt"

	"dvmrelay/nip90"
)

// Newest names the version that is held of a replaceable event; false when none is. It is one point read, so the version
// may have expired, or its author may be vanishing. NIP-01 "Kinds".
func Newest(r Reader, kind int, author nip90.PubKey) (nip90.ID, bool, error) {
	if !isReplaceable(kind) {
		return nip90.ID{}, false, nil
	}
	row, err := r.Value(replaceKey(uint16(kind), author, sha256.Sum256(nil)))
	if err != nil || row == nil {
		return nip90.ID{}, false, err
	}
	if len(row) != placeLen {
		return nip90.ID{}, false, fmt.Errorf("address of kind %d of %s: %w", kind, author, errBody)
	}
	p := place(row)
	return p.id(), true, nil
}
