package negentropy

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"testing"
)

// message writes one by hand.
type message struct{ writer }

func spell(f func(m *message)) []byte {
	m := message{newWriter()}
	f(&m)
	return m.b
}

func (m *message) raw(b ...byte) { m.b = append(m.b, b...) }

func at(seconds uint64, prefix ...byte) *bound {
	b := &bound{time: seconds, len: len(prefix)}
	copy(b.id[:], prefix)
	return b
}

var malformed = map[string][]byte{
	"nothing":               {},
	"no version":            {0x00, 0x00},
	"an older protocol":     {0x5f},
	"a bound cut off":       {version, 0x80},
	"a bound without id":    {version, 0x01},
	"no mode":               {version, 0, 0},
	"an unknown mode":       {version, 0, 0, 3},
	"a mode over 64 bits":   {version, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	"a mode without end":    {version, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0},
	"half a fingerprint":    {version, 0, 0, 1, 1, 2, 3},
	"an id of 33 bytes":     append([]byte{version, 1, 33}, make([]byte, 40)...),
	"an id longer than all": {version, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
	"2^40 ids":              spell(func(m *message) { m.raw(0, 0, modeIDs); m.b = appendVarint(m.b, 1<<40); m.raw(make([]byte, 64)...) }),
	"2^64-1 ids":            spell(func(m *message) { m.raw(0, 0, modeIDs); m.b = appendVarint(m.b, math.MaxUint64) }),
	"one id too few":        spell(func(m *message) { m.raw(0, 0, modeIDs, 2); m.raw(make([]byte, 63)...) }),
	"bounds that descend":   spell(func(m *message) { m.skip(at(7, 9)); m.skip(at(7, 8)) }),
	"an end cut off":        spell(func(m *message) { m.skip(at(7)); m.raw(0) }),
}

func TestRespond_Malformed(t *testing.T) {
	set := NewSet(randomItems(random(t), 100))
	for name, msg := range malformed {
		t.Run(name, func(t *testing.T) {
			if out, err := Respond(set, msg, 0); !errors.Is(err, ErrMalformed) {
				t.Errorf("Respond: got %x, %v, want ErrMalformed", out, err)
			}
			if next, _, _, err := NewClient(set, 0).Reconcile(msg); !errors.Is(err, ErrMalformed) {
				t.Errorf("Reconcile: got %x, %v, want ErrMalformed", next, err)
			}
		})
	}
}

func TestRespond_AnotherVersionIsToldOurs(t *testing.T) {
	out, err := Respond(NewSet(nil), []byte{0x62, 1, 2, 3}, 0)
	if err != nil || len(out) != 1 || out[0] != version {
		t.Errorf("got %x, %v, want %x", out, err, version)
	}
	if _, _, _, err := NewClient(NewSet(nil), 0).Reconcile([]byte{0x60}); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v, want ErrVersion", err)
	}
}

func TestRespond_ClaimsCostNothing(t *testing.T) {
	set := NewSet(randomItems(random(t), 1000))
	msg := malformed["2^40 ids"]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		_, _ = Respond(set, msg, 0) // an error, as TestRespond_Malformed holds
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > 4096 {
		t.Errorf("a claim of 2^40 ids costs %d bytes", each)
	}
}

// Ranges may be empty and many; what they cost is bounded by the frame.
func TestRespond_RepeatedRangesStayInTheFrame(t *testing.T) {
	set := NewSet(randomItems(random(t), 20_000))
	msg := spell(func(m *message) {
		for i := range 50_000 {
			m.fingerprint(at(set.first()+uint64(i/8)), [16]byte{1})
		}
	})
	out, err := Respond(set, msg, MinFrame)
	if err != nil || len(out) > MinFrame || len(out) < MinFrame/2 {
		t.Errorf("got %d bytes, %v, want at most %d", len(out), err, MinFrame)
	}
	// Without a limit each item is told at most once, and each range costs a few times what it was.
	if out, err = Respond(set, msg, 0); err != nil || len(out) > 20_000*idSize+8*len(msg) {
		t.Errorf("got %d bytes for %d, %v", len(out), len(msg), err)
	}
}

func (s *Set) first() uint64 { return uint64(s.items[0].CreatedAt) }

// until plays a server until the client has had enough.
func until(t *testing.T, c *Client, answer func(round int, msg []byte) []byte) (rounds, have, need int, err error) {
	t.Helper()
	for msg := c.Open(); msg != nil && err == nil; rounds++ {
		if rounds > 20_000 {
			t.Fatal("the client goes on for ever")
		}
		var h, n [][32]byte
		msg, h, n, err = c.Reconcile(answer(rounds, msg))
		have, need = have+len(h), need+len(n)
	}
	return rounds, have, need, err
}

func TestReconcile_AServerThatNeverEnds(t *testing.T) {
	set := NewSet(randomItems(random(t), 5000))
	number := func(n int) (id [32]byte) {
		binary.BigEndian.PutUint64(id[:], uint64(n))
		return id
	}
	everything := &bound{time: infinity}
	cases := []struct {
		name   string
		answer func(round int, _ []byte) []byte
		need   int
	}{
		{"always another fingerprint", func(int, []byte) []byte {
			return spell(func(m *message) { m.fingerprint(everything, [16]byte{1}) })
		}, 0},
		{"the same ids again and again", func(int, []byte) []byte {
			return spell(func(m *message) {
				m.ids(at(1), []Item{{ID: number(1)}, {ID: number(2)}})
				m.fingerprint(everything, [16]byte{1})
			})
		}, 2},
		{"one id in the middle of nothing", func(round int, _ []byte) []byte {
			return spell(func(m *message) {
				if round == 50 {
					m.ids(at(1), []Item{{ID: number(1)}})
				}
				m.fingerprint(everything, [16]byte{1})
			})
		}, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rounds, _, need, err := until(t, NewClient(set, 0), c.answer)
			if !errors.Is(err, ErrEndless) || need != c.need || rounds > patience+patiencePer*need+1 {
				t.Errorf("got %v after %d rounds and %d ids, want ErrEndless and %d", err, rounds, need, c.need)
			}
		})
	}
}

func TestReconcile_AServerThatInventsIDs(t *testing.T) {
	next := 0
	items := make([]Item, 1<<15)
	rounds, _, need, err := until(t, NewClient(NewSet(nil), 0), func(int, []byte) []byte {
		for i := range items {
			next++
			binary.BigEndian.PutUint64(items[i].ID[:], uint64(next))
		}
		return spell(func(m *message) {
			m.ids(at(1), items)
			m.fingerprint(&bound{time: infinity}, [16]byte{1})
		})
	})
	if !errors.Is(err, ErrEndless) || need != MaxNeed {
		t.Errorf("got %v after %d rounds and %d ids, want ErrEndless after %d", err, rounds, need, MaxNeed)
	}
}

// Each of our items is ours alone at most once, however often the server says that it has nothing.
func TestReconcile_AServerThatHasNothingManyTimes(t *testing.T) {
	set := NewSet(randomItems(random(t), 700))
	c := NewClient(set, 0)
	empty := spell(func(m *message) {
		m.ids(at(math.MaxInt64-1), nil)
		m.fingerprint(&bound{time: infinity}, [16]byte{1})
	})
	total := 0
	for range 10 {
		_, have, _, err := c.Reconcile(empty)
		if err != nil {
			t.Fatal(err)
		}
		total += len(have)
	}
	if total != set.Len() {
		t.Errorf("got %d ids, want each of %d once", total, set.Len())
	}
}

func seeds(f *testing.F, add func(msg []byte)) {
	for _, msg := range malformed {
		add(msg)
	}
	r := random(f)
	a, b := NewSet(randomItems(r, 300)), NewSet(randomItems(r, 40))
	msg := NewClient(a, 0).Open()
	add(msg)
	out, err := Respond(b, msg, 0)
	if err != nil {
		f.Fatal(err)
	}
	add(out)
	add(NewClient(b, 0).Open())
}

// FuzzRespond: never panics, keeps to the frame, and what it answers can be read.
func FuzzRespond(f *testing.F) {
	set := NewSet(randomItems(random(f), 2000))
	seeds(f, func(msg []byte) { f.Add(msg, 0); f.Add(msg, MinFrame) })
	f.Fuzz(func(t *testing.T, msg []byte, limit int) {
		out, err := Respond(set, msg, limit)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("got %v, want ErrMalformed", err)
			}
			return
		}
		if limit > 0 && len(out) > max(limit, MinFrame) {
			t.Fatalf("an answer of %d bytes, the limit is %d", len(out), limit)
		}
		if _, _, _, err := NewClient(set, 0).Reconcile(out); err != nil {
			t.Fatalf("the answer %x is refused: %v", out, err)
		}
	})
}

// FuzzReconcile: never panics, keeps to the frame, names each id once, and what it sends can be answered.
func FuzzReconcile(f *testing.F) {
	set := NewSet(randomItems(random(f), 2000))
	seeds(f, func(msg []byte) { f.Add(msg, 0); f.Add(msg, MinFrame) })
	f.Fuzz(func(t *testing.T, msg []byte, limit int) {
		next, have, need, err := NewClient(set, limit).Reconcile(msg)
		for _, ids := range [][][32]byte{have, need} {
			seen := make(map[[32]byte]bool)
			for _, id := range ids {
				if seen[id] {
					t.Fatalf("%x twice", id)
				}
				seen[id] = true
			}
		}
		if err != nil || next == nil {
			return
		}
		if limit > 0 && len(next) > max(limit, MinFrame) {
			t.Fatalf("a message of %d bytes, the limit is %d", len(next), limit)
		}
		if _, err := Respond(set, next, 0); err != nil {
			t.Fatalf("the message %x is refused: %v", next, err)
		}
	})
}
