package index

import (
	"slices"

	"dvmrelay/nip90"
)

// handlers adds announcements: of services that are alive if that is asked, and with the words in name or description.
func (s *selector) handlers() error {
	if s.q.Kinds != nil && !slices.Contains(s.q.Kinds, nip90.KindHandler) {
		return nil
	}
	rows, err := s.announced()
	if err != nil {
		return err
	}
	for i := range rows {
		if s.left <= 0 {
			s.out.Complete = false
			return nil
		}
		e := &rows[i]
		ok, err := s.speaks(e)
		if err != nil {
			return err
		}
		if ok {
			s.add(Place{e.created, e.id})
		}
	}
	return nil
}

// announced are the announcements to look at: all, or of those whose service is alive.
func (s *selector) announced() ([]handlerEntry, error) {
	if !s.q.Online {
		rows, err := s.handlerRows([]byte{keyHandler}, max(s.left, 1))
		s.left -= len(rows)
		return rows, err
	}
	alive, authors, err := s.beating()
	if err != nil {
		return nil, err
	}
	var out []handlerEntry
	for _, pk := range authors {
		if s.left <= 0 {
			s.out.Complete = false
			break
		}
		s.left -= costScan
		rows, err := s.handlerRows(keyOf(keyHandler, pk[:]), max(s.left, 1))
		if err != nil {
			return nil, err
		}
		s.left -= len(rows)
		nameless := alive[string(beatKey(pk, "")[1:])]
		for _, e := range rows {
			// The keys of handlers and heartbeats end alike: author, hash of d.
			if nameless || alive[string(e.key)] {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// beating are the services whose newest heartbeat is young, and their keys.
func (s *selector) beating() (alive map[string]bool, authors []nip90.PubKey, err error) {
	alive = make(map[string]bool)
	n := 0
	var fault error
	err = s.Scan([]byte{keyBeat}, nil, func(key, value []byte) bool {
		if n++; n > maxExamined {
			s.out.Complete = false
			return false
		}
		var row signRow
		if row, fault = decodeSign(value); fault != nil {
			return false
		}
		if !within(row.created, s.now, aliveSeconds) || len(key) < 1+idLen {
			return true
		}
		alive[string(key[1:])] = true
		if pk := nip90.PubKey(key[1 : 1+idLen]); len(authors) == 0 || authors[len(authors)-1] != pk {
			authors = append(authors, pk)
		}
		return true
	})
	s.left -= n
	if err == nil {
		err = fault
	}
	return alive, authors, err
}

// What reading an announcement costs, in rows of a list.
const (
	costGlance = 3   // it lies on the shelf
	costCard   = 100 // it has to be read
)

// speaks says whether an announcement has the words in its name or description. Where it has none of its own, the profile of
// its key speaks for it. NIP-89.
func (s *selector) speaks(e *handlerEntry) (bool, error) {
	if len(s.q.Words) == 0 {
		return true, nil
	}
	s.left -= costGlance
	if _, ok := s.x.seen.cards.get(e.id).(*card); !ok {
		s.left -= costCard
	}
	c, err := s.glance(e.id)
	if err != nil || c == nil {
		return false, err
	}
	text := c.h.Name + "\n" + c.h.About
	if c.blank || c.h.Name == "" {
		s.left -= 3 * costPoint
		p, err := s.profile(e.author())
		if err != nil {
			return false, err
		}
		if p != nil {
			text += "\n" + p.name
			if c.blank {
				text += "\n" + p.about
			}
		}
	}
	return hasAll(text, s.q.Words), nil
}
