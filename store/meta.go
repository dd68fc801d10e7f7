package store

import (
	"bytes"
	"context"
)

// Meta reads a note that SetMeta left, nil when there is none.
func (s *Store) Meta(key string) (value []byte, err error) {
	err = s.View(func(r Reader) error {
		v, err := r.Value(metaKey(key))
		value = bytes.Clone(v)
		return err
	})
	return value, err
}

// SetMeta leaves a note, such as a mirror's watermark, in the order of events: it is on disk when SetMeta returns. A nil
// value removes it.
func (s *Store) SetMeta(ctx context.Context, key string, value []byte) error {
	return s.do(ctx, func(g *group) error {
		if value == nil {
			g.over.delete(metaKey(key))
			return nil
		}
		g.over.set(metaKey(key), value)
		return nil
	})
}

// dropStep is how many keys of the Indexer one transaction of DropIndex deletes.
const dropStep = 4096

// DropIndex deletes every key of IndexSpace, in steps, so that a rebuild can begin. Events may come in meanwhile; what
// their Apply writes may be dropped too, so the rebuild must fold every fact that it finds afterwards.
func (s *Store) DropIndex(ctx context.Context) error {
	for table := IndexSpace; table < 256; {
		var keys [][]byte
		prefix := []byte{byte(table)}
		err := s.do(ctx, func(g *group) error {
			keys = keys[:0]
			err := g.Scan(prefix, nil, func(key, _ []byte) bool {
				keys = append(keys, bytes.Clone(key))
				return len(keys) < dropStep
			})
			for _, key := range keys {
				g.over.delete(key)
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(keys) < dropStep {
			table++
		}
	}
	return nil
}
