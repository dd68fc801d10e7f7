package policies_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// stories makes whole stories, parents before children.
type stories struct {
	t    *testing.T
	h    *hub
	rng  *rand.Rand
	at   int64
	list []*nip90.Parsed
}

func (s *stories) pub(name string) string {
	s.t.Helper()
	if s.h.keys[name] == "" {
		s.h.keys[name] = fmt.Sprintf("%064x", len(s.h.keys)+100)
	}
	return s.h.pubKey(s.t, name)
}

func (s *stories) add(by string, kind int, content string, tags ...nostr.Tag) nostr.Tag {
	s.t.Helper()
	s.at++
	evt := nostr.Event{PubKey: s.pub(by), Kind: kind, CreatedAt: nostr.Timestamp(s.h.now.Unix() - 5000 + s.at), Tags: tags, Content: content}
	p := *storetest.Parsed(s.t, evt)
	p.Received = s.h.now
	p.Door = []nip90.Door{nip90.DoorSocket, nip90.DoorMirror, nip90.DoorBackfill, nip90.DoorImport, nip90.DoorSync}[s.rng.IntN(5)]
	s.list = append(s.list, &p)
	return nostr.Tag{"e", p.Event.ID}
}

// tell adds the story of one job: asked, announced, answered, paid, judged, withdrawn.
func (s *stories) tell(n int) {
	customer, provider, wallet := fmt.Sprint("customer", n%3), fmt.Sprint("provider", n%4), fmt.Sprint("wallet", n)
	p := nostr.Tag{"p", s.pub(provider)}
	job := s.add(customer, 5300, fmt.Sprint("job ", n), nostr.Tag{"i", "x", "text"})
	s.add(customer, 0, fmt.Sprintf(`{"name":"c%d"}`, n))
	s.add(customer, 10002, "", nostr.Tag{"r", "wss://a.example"})
	ask := s.add(provider, 7000, "", nostr.Tag{"status", "payment-required"}, job, nostr.Tag{"amount", "1000"})
	s.add(provider, 0, fmt.Sprintf(`{"name":"p%d"}`, n))
	s.add(provider, 10019, "", nostr.Tag{"relay", "wss://a.example"})
	zap := s.add(wallet, 9735, "", ask, p)
	s.add(wallet, 9321, "", job, nostr.Tag{"proof", `{"amount":1,"secret":"` + fmt.Sprint(n) + `"}`})
	s.add("judge", 1985, "", zap, nostr.Tag{"L", "x"})
	answer := s.add(provider, 6300, "done", job)
	report := s.add("judge", 1984, "", answer)
	s.add("judge", 1985, "", report)
	s.add("fan", 9735, "", answer)
	d := fmt.Sprint("service", n)
	s.add(provider, 31990, "", nostr.Tag{"d", d}, nostr.Tag{"k", "5300"})
	s.add(provider, 31990, "", nostr.Tag{"d", d + " of notes"}, nostr.Tag{"k", "1"})
	s.add("fan", 31989, "", nostr.Tag{"d", fmt.Sprint(n)}, nostr.Tag{"a", "31990:" + s.pub(provider) + ":" + d})
	s.add(fmt.Sprint("stranger", n), 0, "{}")
	s.add("fan", 9735, "", nostr.Tag{"e", fmt.Sprintf("%064x", n+1)})
	switch n % 5 {
	case 0:
		s.add(customer, 5, "", job)
	case 1:
		s.add(wallet, 5, "", zap)
	case 2:
		s.add(provider, 5, "", answer, nostr.Tag{"k", "6300"})
	case 3:
		s.add(provider, 5, "not mine", job)
	}
}

// state is all that a store shows and remembers: its facts, its index, what it serves, and what waits.
func (h *hub) state(t *testing.T) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	err := h.View(func(r store.Reader) error {
		for _, table := range append([]byte("efakptrxg"), indexTables()...) {
			if err := r.Scan([]byte{table}, nil, func(key, value []byte) bool {
				rows[string(key)] = string(value)
				return true
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func indexTables() (tables []byte) {
	for table := store.IndexSpace; table < 256; table++ {
		tables = append(tables, byte(table))
	}
	return tables
}

// play submits events in groups of random sizes.
func (h *hub) play(t *testing.T, rng *rand.Rand, list []*nip90.Parsed) {
	t.Helper()
	for len(list) > 0 {
		n := min(1+rng.IntN(20), len(list))
		var pending []*store.Pending
		for _, p := range list[:n] {
			one, err := h.Submit(context.Background(), p)
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, one)
		}
		for i, one := range pending {
			if _, _, err := one.Wait(context.Background()); err != nil {
				t.Fatalf("kind %d: %v", list[i].Event.Kind, err)
			}
		}
		list = list[n:]
	}
}

// TestWaiting_AnyOrderEndsInOneState: children before parents, from any door, in any groups, end where parents first do.
func TestWaiting_AnyOrderEndsInOneState(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	first := newHub(t)
	s := &stories{t: t, h: first, rng: rng}
	for n := range 10 {
		s.tell(n)
	}
	first.play(t, rng, s.list)
	want := first.state(t)
	strangers := first.Stats().Waiting
	if strangers != 20 || first.Stats().Adopted != 0 {
		t.Fatalf("in order: %d wait, %d adopted; want only the 20 about nothing", strangers, first.Stats().Adopted)
	}
	for round := range 8 {
		other := newHub(t)
		order := slices.Clone(s.list)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if round == 0 {
			slices.Reverse(s.list)
			order = slices.Clone(s.list)
			slices.Reverse(s.list)
		}
		other.play(t, rng, order)
		if st := other.Stats(); st.Waiting != strangers || st.Adopted == 0 || st.NoRoom != 0 {
			t.Errorf("round %d: %d wait, %d adopted, %d refused; want %d to wait", round, st.Waiting, st.Adopted, st.NoRoom, strangers)
		}
		differ(t, round, other.state(t), want)
		other.Stop()
		if t.Failed() {
			return
		}
	}
}

func differ(t *testing.T, round int, got, want map[string]string) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(want))
	for key := range got {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	shown := 0
	for _, key := range keys {
		if g, ok := got[key]; (!ok || g != want[key]) && shown < 10 {
			_, wanted := want[key]
			t.Errorf("round %d: row %x: %x (there %t), want %x (there %t)", round, key, g, ok, want[key], wanted)
			shown++
		}
	}
}
