package store_test

import (
	"fmt"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func TestNewest_IsTheVersionThatIsServed(t *testing.T) {
	s := storetest.Open(t)
	const author = "0000000000000000000000000000000000000000000000000000000000000a0b"
	var want string
	for i, at := range []nostr.Timestamp{10, 30, 20} {
		e := nostr.Event{Kind: 10002, PubKey: author, CreatedAt: at, Tags: nostr.Tags{{"r", fmt.Sprintf("wss://r%d.example", i)}}}
		e.ID = e.GetID()
		if at == 30 {
			want = e.ID
		}
		s.Put(t, storetest.Parsed(t, e))
	}
	pk, _ := nip90.ParsePubKey(author)
	err := s.View(func(r store.Reader) error {
		for _, c := range []struct {
			name string
			kind int
			pk   nip90.PubKey
			want string
		}{
			{"the newest of three", 10002, pk, want},
			{"another kind", 0, pk, ""},
			{"another key", 10002, nip90.PubKey{1}, ""},
			{"a kind that is not replaced", 5100, pk, ""},
			{"a kind that has addresses", 31990, pk, ""},
		} {
			id, ok, err := store.Newest(r, c.kind, c.pk)
			if err != nil || ok != (c.want != "") || ok && id.String() != c.want {
				t.Errorf("%s: got %s, %t, %v, want %q", c.name, id, ok, err, c.want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFactOf_MarksServicesByTheirD(t *testing.T) {
	mark := func(kind int, tags ...nostr.Tag) [8]byte {
		e := nostr.Event{Kind: kind, PubKey: "0000000000000000000000000000000000000000000000000000000000000a0b", CreatedAt: 5, Tags: tags}
		f := store.FactOf(storetest.Parsed(t, e))
		return f.Payment
	}
	fox := mark(31990, nostr.Tag{"d", "fox"}, nostr.Tag{"k", "5100"})
	cases := []struct {
		name string
		got  [8]byte
		same bool
	}{
		{"another version", mark(31990, nostr.Tag{"k", "5300"}, nostr.Tag{"d", "fox"}), true},
		{"its heartbeat", mark(11998, nostr.Tag{"d", "fox"}), true},
		{"another service", mark(31990, nostr.Tag{"d", "owl"}, nostr.Tag{"k", "5100"}), false},
		{"one without d", mark(31990, nostr.Tag{"k", "5100"}), false},
	}
	for _, c := range cases {
		if (c.got == fox) != c.same || c.got == [8]byte{} {
			t.Errorf("%s: got %x beside %x, want the same: %t", c.name, c.got, fox, c.same)
		}
	}
}
