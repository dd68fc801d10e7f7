package store

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"dvmrelay/nip90"
)

func FuzzHeld(f *testing.F) {
	p := &nip90.Parsed{ID: nip90.ID{1}, Author: nip90.PubKey{2}, CreatedAt: 3, Received: time.Unix(4, 0), Door: nip90.DoorBackfill, Source: "wss://a.example", Raw: []byte(`{"id":"x"}`)}
	for _, awaits := range [][]Awaited{{{AwaitEvent, nip90.ID{9}}}, {{AwaitProvider, nip90.ID{7}}, {AwaitHandler, nip90.ID{8}}}} {
		f.Add(byte(shelfFeed), appendHeld(nil, p, awaits))
	}
	f.Add(byte(9), []byte{heldVersion})
	f.Fuzz(func(t *testing.T, class byte, value []byte) {
		h, err := decodeHeld(heldKey(shelfClass(class), 5, nip90.ID{1}), value)
		if err != nil {
			return
		}
		if _, err := h.open(); err == nil && len(h.raw) == 0 {
			t.Fatal("opened nothing")
		}
		again := appendHeld(nil, &nip90.Parsed{
			ID: h.id, Author: h.author, CreatedAt: h.created, Received: time.Unix(h.received, 0), Door: h.door, Source: h.source, Raw: bytes.Clone(h.raw),
		}, h.awaits)
		got, err := decodeHeld(h.key(), again)
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("got %+v, %v, want %+v", got, err, h)
		}
	})
}
