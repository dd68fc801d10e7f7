package index

import (
	"bytes"

	"dvmrelay/nip90"
)

// maxRoll bounds the rows of one table that are read in one go for all providers.
const maxRoll = 200_000

// believedFor is how long what was measured is believed of a provider that seems to stand still, in seconds.
const believedFor = 300

// roll is what is read in a few walks for all providers together, where one look for each would be dear. What it does not
// know is looked up; a nil roll knows nothing.
type roll struct {
	answered  map[nip90.PubKey]bool       // has answered
	counted   map[nip90.PubKey]bool       // has rollups
	beats     map[nip90.PubKey]int64      // newest sign of life; nil = there are too many
	last      *table                      // the table before
	announced map[nip90.PubKey][]nip90.ID // facts of announcements; nil = there are too many
}

func (l *lens) roll() (*roll, error) {
	all := &roll{beats: make(map[nip90.PubKey]int64), announced: make(map[nip90.PubKey][]nip90.ID)}
	var err error
	if all.answered, err = l.present([]byte{keyByProvider}); err != nil {
		return nil, err
	}
	// The key of a provider ends the prefix of its rollups.
	prefix := levels[0].prefix(keyRollup, &dim{table: dimProvider})
	if all.counted, err = l.present(prefix[:len(prefix)-idLen]); err != nil {
		return nil, err
	}
	if err := all.hear(l); err != nil {
		return nil, err
	}
	left := maxRoll
	err = l.Scan([]byte{keyHandlerFact}, nil, func(key, _ []byte) bool {
		if id, ok := lastID(key); ok {
			pk := nip90.PubKey(key[1:])
			if len(all.announced[pk]) < maxAnnouncements {
				all.announced[pk] = append(all.announced[pk], id)
			}
		}
		left--
		return left > 0
	})
	if left == 0 {
		all.announced = nil
	}
	return all, err
}

// hear reads all signs of life.
func (a *roll) hear(l *lens) error {
	left := maxRoll
	var fault error
	err := l.Scan([]byte{keyBeat}, nil, func(key, value []byte) bool {
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		if pk := nip90.PubKey(key[1:]); row.created <= l.now+futureSeconds {
			a.beats[pk] = max(a.beats[pk], row.created)
		}
		left--
		return left > 0
	})
	if left == 0 {
		a.beats = nil
	}
	if err == nil {
		err = fault
	}
	return err
}

// present are the keys of people that follow a prefix, each found with one look. It is nil when there are too many.
func (l *lens) present(prefix []byte) (map[nip90.PubKey]bool, error) {
	out := make(map[nip90.PubKey]bool)
	start := prefix
	for more := true; more && start != nil; {
		more = false
		err := l.Scan(prefix, start, func(key, _ []byte) bool {
			pk := nip90.PubKey(key[len(prefix):])
			out[pk] = true
			start = after(prefix, pk)
			more = true
			return false
		})
		if err != nil {
			return nil, err
		}
		if len(out) > maxExamined {
			return nil, nil
		}
	}
	return out, nil
}

// after is where the keys behind those of pk begin; nil when there are none.
func after(prefix []byte, pk nip90.PubKey) []byte {
	for i := len(pk) - 1; i >= 0; i-- {
		if pk[i]++; pk[i] != 0 {
			return append(bytes.Clone(prefix), pk[:]...)
		}
	}
	return nil
}

func (a *roll) mayHaveAnswered(pk nip90.PubKey) bool {
	return a == nil || a.answered == nil || a.answered[pk]
}

func (a *roll) mayBeCounted(pk nip90.PubKey) bool {
	return a == nil || a.counted == nil || a.counted[pk]
}

// before is how a provider stood a moment ago, if its newest jobs are as they were then. What is added to older jobs is
// noticed by and by: the providers that stand still are measured again every five minutes.
func (a *roll) before(s *standing, now int64) *standing {
	if a == nil || a.last == nil {
		return nil
	}
	old := a.last.providers[s.pk]
	if old == nil || old.sum != s.sum || old.counted != s.counted || now < old.measuredAt || now-old.measuredAt > believedFor {
		return nil
	}
	return old
}

func (a *roll) lastBeat(l *lens, pk nip90.PubKey) (int64, error) {
	if a == nil || a.beats == nil {
		return l.lastBeat(pk)
	}
	return a.beats[pk], nil
}

func (a *roll) announcedBy(l *lens, pk nip90.PubKey) (*announced, error) {
	if a == nil || a.announced == nil {
		return l.announcedBy(pk)
	}
	return l.announcedIn(pk, a.announced[pk])
}
