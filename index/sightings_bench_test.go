package index

import (
	"context"
	"fmt"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store/storetest"
)

// BenchmarkSaw: sightings of events that are known here, each brought by ten upstreams within a moment. ns/op is one
// sighting with its share of what is written; "told" is one that is remembered, "cold" one that reads the store.
func BenchmarkSaw(b *testing.B) {
	const events = 4096
	urls := make([]string, 10)
	for i := range urls {
		urls[i] = fmt.Sprintf("wss://relay%d.example.org", i)
	}
	w := newWatched(b, b.TempDir())
	ids := make([]nip90.ID, events)
	for i := range ids {
		p := storetest.Parsed(b, event("alice", 5100, int64(i), fmt.Sprint(i)))
		p.Door = nip90.DoorMirror
		w.Put(b, p)
		ids[i] = p.ID
	}
	forget := func() {
		for _, id := range ids {
			w.x.seen.sources.drop(id)
		}
	}
	b.Run("new", func(b *testing.B) {
		for i := range b.N {
			if i%(events*10) == 0 {
				b.StopTimer()
				forget()
				err := dropTable(context.Background(), w.Store, []byte{keySeen}, nil)
				for err == nil && w.exclusiveRows(b) > 0 {
					err = dropTable(context.Background(), w.Store, []byte{keySource, 'c'}, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			w.g.Saw(ids[i/10%events], urls[i%10])
			if i%sightFull == 0 {
				w.flush(b)
			}
		}
		w.flush(b)
	})
	for _, id := range ids {
		for _, u := range urls {
			w.g.Saw(id, u)
		}
	}
	w.flush(b)
	b.Run("told", func(b *testing.B) {
		for i := range b.N {
			w.g.Saw(ids[i%events], urls[i%10])
		}
	})
	b.Run("cold", func(b *testing.B) {
		for i := range b.N {
			if i%events == 0 {
				w.flush(b)
				b.StopTimer()
				forget()
				b.StartTimer()
			}
			w.g.Saw(ids[i%events], urls[i%10])
		}
		w.flush(b)
	})
}

func (w *watched) exclusiveRows(b *testing.B) int {
	return len(w.exclusive(b))
}
