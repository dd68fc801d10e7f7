package index

import (
	"cmp"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// maxBeats bounds the services whose signs of life are followed.
const maxBeats = 10_000

// beats knows which services live, and when each was last heard.
type beats struct{ living map[alive]int64 }

// alive is a service that lives.
type alive struct {
	provider nip90.PubKey
	d        string
}

// maxServiceName is how long the d of a service may be that is followed, in bytes.
const maxServiceName = 256

func newBeats() beats { return beats{living: make(map[alive]int64)} }

// heard takes signs of life and returns the notes of services that were not living before.
func (b *beats) heard(signs []sign, now int64) (notes []*Note) {
	for _, s := range signs {
		if now-s.at > aliveSeconds || len(s.d) > maxServiceName {
			continue
		}
		key := alive{s.provider, s.d}
		last, living := b.living[key]
		if !living {
			if len(b.living) >= maxBeats {
				continue
			}
			notes = append(notes, &Note{Topic: TopicProvider, Provider: s.provider, Service: s.d, Turn: ServiceOnline})
		}
		// A clock that runs ahead keeps nobody alive for longer.
		b.living[key] = max(last, min(s.at, now))
	}
	return notes
}

// silent returns the notes of services that are not heard any more.
func (b *beats) silent(now int64) (notes []*Note) {
	for key, last := range b.living {
		if now-last > aliveSeconds {
			delete(b.living, key)
			notes = append(notes, &Note{Topic: TopicProvider, Provider: key.provider, Service: key.d, Turn: ServiceOffline})
		}
	}
	slices.SortFunc(notes, func(x, y *Note) int {
		return cmp.Or(cmp.Compare(x.Provider.String(), y.Provider.String()), cmp.Compare(x.Service, y.Service))
	})
	return notes
}

// Remember learns from the store which services live, so that a restart does not tell each of them as new. It is called
// before Run.
func (w *Watch) Remember(x *Index, r store.Reader) error {
	now := w.o.Now().Unix()
	l := lens{Reader: r, x: x, now: now}
	rows, err := l.handlerRows([]byte{keyBeat}, maxBeats)
	if err != nil {
		return err
	}
	var signs []sign
	for _, row := range rows {
		if now-row.created > aliveSeconds {
			continue
		}
		p, err := l.bodyOf(row.id)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if m, ok := p.Message.(*nip90.Heartbeat); ok {
			signs = append(signs, sign{p.Author, m.D, p.CreatedAt})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beats.heard(signs, now)
	return nil
}
