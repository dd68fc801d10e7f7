package store

import (
	"bytes"
	"context"
	"fmt"

	"dvmrelay/nip90"
)

// blindStep is how many rows one transaction of BlindAll looks at.
const blindStep = 1024

// BlindAll puts pseudonyms into what was kept of events without bodies before Options.BlindKeys was on, in steps. The
// store must be running. It does nothing without Options.BlindKeys, and nothing new when it runs again.
func (s *Store) BlindAll(ctx context.Context) error {
	if !s.o.BlindKeys {
		return nil
	}
	for _, table := range []byte{tabFact, tabTomb, tabAddrTomb, tabVanish} {
		for start := []byte{table}; start != nil; {
			err := s.do(ctx, func(g *group) (err error) {
				start, err = g.blindSome(table, start)
				return err
			})
			if err != nil {
				return fmt.Errorf("blind keys in table %q: %w", table, err)
			}
		}
	}
	return nil
}

// blindSome blinds the rows of a table from start on and says where the next step begins, nil at the end.
func (g *group) blindSome(table byte, start []byte) (next []byte, err error) {
	var rows []keptRow
	err = g.Scan([]byte{table}, start, func(key, value []byte) bool {
		if len(rows) == blindStep {
			next = bytes.Clone(key)
			return false
		}
		rows = append(rows, keptRow{bytes.Clone(key), bytes.Clone(value)})
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if table == tabFact {
			err = g.blindFact(row)
		} else {
			err = g.blindTombstone(row)
		}
		if err != nil {
			return nil, err
		}
	}
	return next, nil
}

type keptRow struct{ key, value []byte }

func (g *group) blindFact(row keptRow) error {
	f, err := decodeFact(nip90.ID(row.key[1:]), row.value)
	if err != nil || f.Has(FactBody) {
		return err
	}
	old := graveKey(f.Author, placeOf(f.CreatedAt, f.ID))
	if !g.s.blinder.fact(&f) {
		return nil
	}
	g.over.delete(old)
	g.bury(&f)
	return nil
}

// blindTombstone moves a row from the author's key to the pseudonym. No newer one stands there: setTombstone sees to it.
func (g *group) blindTombstone(row keptRow) error {
	if len(row.key) < 1+32 {
		return nil
	}
	author, rest := nip90.PubKey(row.key[1:33]), row.key[33:]
	if g.name(author) == author {
		return nil
	}
	return g.setTombstone(author, func(pk nip90.PubKey) []byte { return append(keyBase(row.key[0], pk), rest...) }, row.value)
}
