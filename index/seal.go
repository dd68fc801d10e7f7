package index

import (
	"bytes"
	"context"

	"dvmrelay/store"
)

// unseal begins the sums anew with what was erased after it was sealed.
func unseal(ctx context.Context, s *store.Store) error {
	start := []byte{keySealed}
	for start != nil {
		err := s.Update(ctx, func(t store.Txn) error {
			from, n := start, 0
			start = nil
			return t.Scan([]byte{keySealed}, from, func(key, value []byte) bool {
				if n == foldStep {
					start = bytes.Clone(key)
					return false
				}
				n++
				t.Set(append([]byte{keyRollup}, key[1:]...), value)
				return true
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepLate notes how often a sealed hour was changed where a rebuild does not forget it: no fact tells.
func keepLate(t store.Txn, key, value []byte) error {
	had, err := decodeTally(value)
	if err != nil || had.n[sumLate] == 0 {
		return err
	}
	sealed := append([]byte{keySealed}, key[1:]...)
	rest, err := tallyAt(t, sealed)
	if err != nil {
		return err
	}
	next := *rest
	next.n[sumLate] = had.n[sumLate]
	t.SetLate(sealed, &next)
	return nil
}
