package main

import (
	"dvmrelay/index"
	"dvmrelay/mirror"
)

// listening shows the mirror's ledger to the index, which may not know of the mirror.
type listening struct{ ledger *mirror.Ledger }

var _ index.Listening = (*listening)(nil)

// Since implements index.Listening.
func (l *listening) Since() int64 { return l.ledger.Since() }

// Coverage implements index.Listening.
func (l *listening) Coverage(since, until int64) []index.Coverage {
	list := l.ledger.Coverage(since, until)
	out := make([]index.Coverage, len(list))
	for i, c := range list {
		out[i] = index.Coverage(c)
	}
	return out
}

// Gaps implements index.Listening.
func (l *listening) Gaps(since, until int64, limit int) []index.Gap {
	list := l.ledger.Gaps(since, until, limit)
	out := make([]index.Gap, len(list))
	for i, g := range list {
		out[i] = index.Gap(g)
	}
	return out
}
