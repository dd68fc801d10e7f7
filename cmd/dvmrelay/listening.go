package main

import (
	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
)

// listening shows the mirror's ledger to the index, which may not know of the mirror.
type listening struct {
	ledger *mirror.Ledger
	mirror *mirror.Mirror // set before anything runs
}

var (
	_ index.Listening = (*listening)(nil)
	_ index.Following = (*listening)(nil)
)

// Followed implements index.Following.
func (l *listening) Followed(root nip90.ID) []string {
	if l.mirror == nil {
		return nil
	}
	return l.mirror.Followed(root)
}

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
