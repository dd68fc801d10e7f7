package index

import (
	"bytes"
	"encoding/binary"
	"slices"

	"dvmrelay/nip90"
)

const (
	maxSupply = 4096 // announcements that are looked at to see who serves a kind
	maxOffers = 16   // announcements of a kind whose prices are compared
	maxAsked  = 32   // earlier jobs of a kind that are looked at to see whether somebody serves it
)

// announcement is a handler's row and whose it is.
type announcement struct {
	pk nip90.PubKey
	signRow
}

// supply are the announcements for a kind, at most limit of them; whole is false when there are, or may be, more.
func (w *reasons) supply(kind, limit int) (list []announcement, whole bool, err error) {
	left := maxSupply
	whole = true
	var fault error
	err = w.Scan([]byte{keyHandler}, nil, func(key, value []byte) bool {
		if left--; left < 0 {
			whole = false
			return false
		}
		if len(key) < 1+idLen || !mayServe(value, kind) {
			return true
		}
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		if !slices.Contains(row.kinds, kind) {
			return true
		}
		if len(list) == limit {
			whole = false
			return false
		}
		list = append(list, announcement{nip90.PubKey(key[1 : 1+idLen]), row})
		return true
	})
	if err == nil {
		err = fault
	}
	return list, whole, err
}

// mayServe is the cheap look before a row is read: the bytes of the kind occur in it.
func mayServe(value []byte, kind int) bool {
	var buf [binary.MaxVarintLen64]byte
	return bytes.Contains(value, buf[:binary.PutVarint(buf[:], int64(kind))])
}

// offer is what an announcement says about money.
type offer struct {
	announcement
	fixed bool // the price does not depend on the job
	msat  int64
}

func (o *offer) evidence() Evidence {
	return Evidence{What: "announced-price", ID: o.id.String(), PubKey: o.pk.String(), At: o.created, Msat: &o.msat}
}

func (w *reasons) offer(a *announcement) (offer, bool, error) {
	c, err := w.card(a.id)
	if err != nil || c == nil {
		return offer{}, false, err
	}
	o := offer{announcement: *a}
	if c.h.Price.Kind == "fixed" && c.h.Price.Msat != nil {
		o.fixed, o.msat = true, amount(*c.h.Price.Msat)
	}
	return o, true, nil
}

// offersOf are the offers of one key for the job's kind.
func (w *reasons) offersOf(pk nip90.PubKey) (list []offer, err error) {
	var rows []announcement
	var fault error
	err = w.Scan(keyOf(keyHandler, pk[:]), nil, func(_, value []byte) bool {
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		if slices.Contains(row.kinds, w.o.Kind) {
			rows = append(rows, announcement{pk, row})
		}
		return len(rows) < maxOffers
	})
	if err == nil {
		err = fault
	}
	for i := range rows {
		o, ok, fault := w.offer(&rows[i])
		if fault != nil {
			return nil, fault
		}
		if ok {
			list = append(list, o)
		}
	}
	return list, err
}

// cheapest is the lowest of fixed prices; false when there is none, or somebody may do it for any price.
func cheapest(offers []offer) (best offer, ok bool) {
	for i := range offers {
		o := offers[i]
		if !o.fixed {
			return offer{}, false
		}
		if !ok || o.msat < best.msat {
			best, ok = o, true
		}
	}
	return best, ok
}

// pulse is the last that was heard of a key.
type pulse struct {
	what string // heartbeat, answer or announcement; empty = nothing was ever heard
	id   nip90.ID
	at   int64
	beat bool // it is a heartbeat

	beatAt int64 // of the newest heartbeat, 0 = it never beat
}

// beats says whether the key beat in the day before the last that was heard of it, so that silence tells something.
func (s *pulse) beats() bool { return s.beatAt != 0 && s.at-s.beatAt <= daySeconds }

func (s *pulse) evidence(pk nip90.PubKey) Evidence {
	e := Evidence{What: s.what, PubKey: pk.String(), At: s.at}
	if !s.id.IsZero() {
		e.ID = s.id.String()
	}
	return e
}

func (s *pulse) hear(n pulse) {
	beatAt := s.beatAt
	if n.beat {
		beatAt = max(beatAt, n.at)
	}
	if s.what == "" || n.at > s.at {
		*s = n
	}
	s.beatAt = beatAt
}

// lifeRows bounds the rows of one sort that tell when a key was last alive.
const lifeRows = 16

// life is the last sign of life of a key, apart from this job. What claims to be of the future tells nothing.
func (w *reasons) life(pk nip90.PubKey) (pulse, error) {
	if s, ok := w.signs[pk]; ok {
		return s, nil
	}
	var s pulse
	for _, table := range [...]struct {
		key  byte
		what string
	}{{keyBeat, "heartbeat"}, {keyHandler, "announcement"}} {
		left := lifeRows
		var fault error
		err := w.Scan(keyOf(table.key, pk[:]), nil, func(_, value []byte) bool {
			row, err := decodeSign(value)
			if err != nil {
				fault = err
				return false
			}
			if row.created <= w.now+futureSeconds {
				s.hear(pulse{what: table.what, id: row.id, at: row.created, beat: table.key == keyBeat})
			}
			left--
			return left > 0
		})
		if err == nil {
			err = fault
		}
		if err != nil {
			return s, err
		}
	}
	if err := w.lastAnswer(pk, &s); err != nil {
		return s, err
	}
	w.signs[pk] = s
	return s, nil
}

// lastAnswer hears what a key last said about the newest other jobs that it answered.
func (w *reasons) lastAnswer(pk nip90.PubKey, s *pulse) error {
	var roots []nip90.ID
	err := w.Scan(keyOf(keyByProvider, pk[:]), nil, func(key, _ []byte) bool {
		if root, ok := lastID(key); ok && root != w.o.ID {
			roots = append(roots, root)
		}
		return len(roots) < lifeRows
	})
	if err != nil {
		return err
	}
	for _, root := range roots {
		side, err := readSide(w, root, pk)
		if err != nil {
			return err
		}
		if side.answers > 0 && side.last <= w.now+futureSeconds {
			s.hear(pulse{what: "answer", at: side.last})
		}
	}
	return nil
}

// everServed says whether one of the newest jobs of a kind was answered, and how many were looked at.
func (w *reasons) everServed(kind int) (served bool, looked int64, err error) {
	var roots []nip90.ID
	err = w.Scan(keyOf(keyByKind, binary.BigEndian.AppendUint16(nil, uint16(kind))), nil, func(key, _ []byte) bool {
		if root, ok := lastID(key); ok && root != w.o.ID {
			roots = append(roots, root)
		}
		return len(roots) < maxAsked
	})
	if err != nil {
		return false, 0, err
	}
	for _, root := range roots {
		row, _, err := readThread(w, root)
		if err != nil || row.answers > 0 {
			return true, 0, err
		}
		looked++
	}
	return false, looked, nil
}
