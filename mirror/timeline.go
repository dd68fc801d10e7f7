package mirror

import (
	"encoding/json"
	"fmt"
	"slices"
)

// hearing says that a source is heard, or why it is not.
type hearing string

// The words of Gap.Why, beside heard, which is none.
const (
	heard      hearing = "heard"
	down       hearing = "down"           // the connection was lost, or none came about
	refused    hearing = "refused"        // connected, but not given what was asked for
	connecting hearing = "connecting"     // this relay had just begun to listen there
	before     hearing = "unheard-before" // it had never been heard until then
	stopped    hearing = "stopped"        // this relay was not running, did not read the source, or could not take what came
	paused     hearing = "paused"         // left alone for a while, since it lied
	truncated  hearing = "truncated"      // it gave only part of what it holds; never a turn, see cut
)

// turn is a moment from which on a source was heard, or was not. Times are unix seconds.
type turn struct {
	at int64
	is hearing
}

// MarshalJSON writes a turn as [at, word].
func (t turn) MarshalJSON() ([]byte, error) { return json.Marshal([]any{t.at, t.is}) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *turn) UnmarshalJSON(raw []byte) error {
	fields := []any{&t.at, &t.is}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	switch t.is {
	case heard, down, refused, connecting, stopped, paused:
		if len(fields) == 2 {
			return nil
		}
	}
	return fmt.Errorf("%q is no turn", raw)
}

// maxTurns bounds a timeline. A source that comes and goes every minute fills it in a day and a half, and what was missed
// can mostly be read later, which takes turns away.
const maxTurns = 4096

// timeline is what is known of a source from its first turn, which is always heard, to until. The zero value knows
// nothing. It is not safe for concurrent use.
type timeline struct {
	turns []turn
	until int64
}

// now is the last word.
func (t *timeline) now() hearing {
	if n := len(t.turns); n > 0 {
		return t.turns[n-1].is
	}
	return ""
}

// first is when it was first heard; 0 = never.
func (t *timeline) first() int64 {
	if len(t.turns) == 0 {
		return 0
	}
	return t.turns[0].at
}

// turn says what it is from at on. What was thought to be known after at is taken back; what came before the last turn
// stays.
func (t *timeline) turn(at int64, is hearing) {
	n := len(t.turns)
	if n > 0 {
		at = max(at, t.turns[n-1].at)
		if t.turns[n-1].at == at { // it had no length
			t.turns, n = t.turns[:n-1], n-1
		}
	}
	switch {
	case n == 0 && is != heard:
		*t = timeline{}
		return
	case n == 0 || t.turns[n-1].is != is:
		t.turns = append(t.turns, turn{at, is})
	}
	t.until = at
	t.bound()
}

func (t *timeline) bound() {
	for len(t.turns) > maxTurns {
		t.forget()
	}
}

// grow says that the last word held until then.
func (t *timeline) grow(until int64) {
	if len(t.turns) > 0 {
		t.until = max(t.until, until)
	}
}

// paint says that from since until just before until it was heard after all. Nothing is said of the time before the first
// turn or from the last one on.
func (t *timeline) paint(since, until int64) bool {
	if len(t.turns) == 0 {
		return false
	}
	last := t.turns[len(t.turns)-1]
	since, until = max(since, t.first()), min(until, last.at)
	if since >= until {
		return false
	}
	var next []turn
	push := func(from, to int64, is hearing) {
		if from < to && (len(next) == 0 || next[len(next)-1].is != is) {
			next = append(next, turn{from, is})
		}
	}
	for i, s := range t.turns[:len(t.turns)-1] {
		end := t.turns[i+1].at
		push(s.at, min(end, since), s.is)
		push(max(s.at, since), min(end, until), heard)
		push(max(s.at, until), end, s.is)
	}
	push(last.at, last.at+1, last.is)
	changed := !slices.Equal(next, t.turns)
	t.turns = next
	t.bound()
	return changed
}

// forget makes the timeline coarser by the least, in its older part. A stretch that is forgotten was not heard: never is
// more said to be heard than was. The first turn stays.
func (t *timeline) forget() {
	best, shortest := 0, int64(0) // of four turns or more, one of the second and third can go
	for i := 1; i < len(t.turns)*3/4; i++ {
		if t.turns[i].is != heard && t.turns[i-1].is == heard && t.turns[i+1].is == heard {
			continue // without it, what it parts would be heard
		}
		if n := t.turns[i+1].at - t.turns[i].at; best == 0 || n < shortest {
			best, shortest = i, n
		}
	}
	if t.turns[best].is != heard && t.turns[best-1].is == heard {
		t.turns[best+1].at = t.turns[best].at // the reason that follows stands for both
	}
	t.turns = slices.Delete(t.turns, best, best+1)
	t.turns = slices.CompactFunc(t.turns, func(a, b turn) bool { return a.is == b.is })
}

// walk calls fn for each stretch of the known time that lies within since and until, in order; end is when the last ends.
func (t *timeline) walk(since, until, end int64, fn func(since, until int64, is hearing)) {
	i, found := slices.BinarySearchFunc(t.turns, since, func(s turn, at int64) int { return int(sign(s.at - at)) })
	if !found && i > 0 {
		i--
	}
	for ; i < len(t.turns) && t.turns[i].at < until; i++ {
		next := end
		if i+1 < len(t.turns) {
			next = t.turns[i+1].at
		}
		if from, to := max(since, t.turns[i].at), min(until, next); from < to {
			fn(from, to, t.turns[i].is)
		}
	}
}
