package mirror

import (
	"context"
	"encoding/json"
	"slices"
)

// save writes down what has changed of a source. When that fails the next save tries again, and a process that is killed
// meanwhile remembers less than was heard, never more.
func (l *Ledger) save(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime) // the end of a stretch is written while all ends
	defer cancel()
	l.mu.RLock()
	s := l.sources[url]
	l.mu.RUnlock()
	if s == nil {
		return
	}
	s.saving <- struct{}{} // whoever holds it gives it back within saveTime
	defer func() { <-s.saving }()
	l.saveCuts(ctx, s)
	past, recent, ok := l.notes(s)
	if !ok {
		return
	}
	if !slices.Equal(past, s.wrotePast) { // first, so that no turn is in neither
		if !l.write(ctx, s, pastKey(url), note{Turns: past}) {
			return
		}
		s.wrotePast = past
	}
	if recent.Until != s.wroteNow.Until || !slices.Equal(recent.Turns, s.wroteNow.Turns) {
		if l.write(ctx, s, recentKey(url), recent) {
			s.wroteNow = recent
		}
	}
}

func (l *Ledger) write(ctx context.Context, s *source, key string, n any) bool {
	raw, err := json.Marshal(n)
	if err == nil {
		err = l.state.SetMeta(ctx, key, raw)
	}
	if err != nil && !s.failing {
		l.log.Warn("ledger not written, tried again later", "note", key, "err", err)
	}
	s.failing = err != nil
	return err == nil
}

// notes are copies of what should stand on disk.
func (l *Ledger) notes(s *source) (past []turn, recent note, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.loaded || len(s.line.turns) == 0 && s.wroteNow.Until == 0 {
		return nil, note{}, false
	}
	if s.runs {
		s.line.grow(l.certain(s))
	}
	n := len(s.line.turns)
	s.moved = max(0, min(s.moved, n-1)) // the last turn stays in the recent note, which says where the other ends
	if n-s.moved > recentTurns {
		s.moved = n - recentTurns/2
	}
	return slices.Clone(s.line.turns[:s.moved]), note{slices.Clone(s.line.turns[s.moved:]), s.line.until}, true
}
