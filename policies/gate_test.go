package policies

import (
	"bytes"
	"context"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

func TestGate_Words(t *testing.T) {
	c := newClock()
	now := c.now().Unix()
	manyTags := make(nostr.Tags, 2001)
	for i := range manyTags {
		manyTags[i] = nostr.Tag{"t", "x"}
	}
	unix := itoa
	for _, tc := range []struct {
		name   string
		change func(*nostr.Event)
		door   nip90.Door
		want   string
	}{
		{"a plain request", nil, nip90.DoorSocket, ""},
		{"id too short", func(e *nostr.Event) { e.ID = "ab" }, 0, "invalid: id must be 64 lowercase hex characters, it has 2"},
		{"id in uppercase", func(e *nostr.Event) { e.ID = "A" + hexA[1:] }, 0, "invalid: id must be 64 lowercase hex characters"},
		{"pubkey of 65", func(e *nostr.Event) { e.PubKey += "b" }, 0, "invalid: pubkey must be 64 lowercase hex characters, it has 65"},
		{"sig of 130", func(e *nostr.Event) { e.Sig += "cc" }, 0, "invalid: sig must be 128 lowercase hex characters, it has 130"},
		{"sig not hex", func(e *nostr.Event) { e.Sig = "z" + e.Sig[1:] }, 0, "invalid: sig must be 128 lowercase hex characters"},
		{"sig empty", func(e *nostr.Event) { e.Sig = "" }, 0, "invalid: sig must be 128 lowercase hex characters, it has 0"},
		{"kind negative", func(e *nostr.Event) { e.Kind = -1 }, 0, "invalid: kind -1 is not between 0 and 65535"},
		{"kind too high", func(e *nostr.Event) { e.Kind = 65536 }, 0, "invalid: kind 65536 is not between 0 and 65535"},
		{"created_at negative", func(e *nostr.Event) { e.CreatedAt = -1 }, 0, "invalid: created_at is -1, it must not be negative"},
		{"created_at zero", func(e *nostr.Event) { e.CreatedAt = 0 }, 0, ""},
		{"created_at at the bound", func(e *nostr.Event) { e.CreatedAt = nostr.Timestamp(now + 900) }, 0, ""},
		{"created_at past the bound", func(e *nostr.Event) { e.CreatedAt = nostr.Timestamp(now + 901) }, 0, "invalid: created_at is 901 s in the future, at most 900 s are accepted: check the clock"},
		{"created_at 2^62", func(e *nostr.Event) { e.CreatedAt = 1 << 62 }, nip90.DoorMirror, "invalid: created_at is 4611686016627387904 s in the future, at most 900 s are accepted: check the clock"},
		{"empty tag", func(e *nostr.Event) { e.Tags = nostr.Tags{{"t", "x"}, {}} }, 0, "invalid: tag 2 has no name"},
		{"nameless tag", func(e *nostr.Event) { e.Tags = nostr.Tags{{""}} }, 0, "invalid: tag 1 has no name"},
		{"bare d", func(e *nostr.Event) { e.Tags = nostr.Tags{{"d"}} }, 0, `invalid: tag 1, "d", has no value`},
		{"empty d", func(e *nostr.Event) { e.Tags = nostr.Tags{{"d", ""}} }, 0, ""},
		{"bare e", func(e *nostr.Event) { e.Tags = nostr.Tags{{"e"}} }, 0, ""},
		{"2,000 tags", func(e *nostr.Event) { e.Tags = manyTags[:2000] }, 0, ""},
		{"2,001 tags", func(e *nostr.Event) { e.Tags = manyTags }, 0, "invalid: 2001 tags are too many, at most 2000 are accepted"},
		{"content at the bound", func(e *nostr.Event) { e.Content = long(256 << 10) }, 0, ""},
		{"content counted in characters", func(e *nostr.Event) { e.Content = string(bytes.Repeat([]byte("é"), 200<<10)) }, 0, ""},
		{"content past the bound", func(e *nostr.Event) { e.Content = long(256<<10 + 1) }, 0, "invalid: content of 262145 characters is too long, at most 262144 are accepted"},
		{"expired", func(e *nostr.Event) { e.Tags = nostr.Tags{{"expiration", unix(now - 7)}} }, nip90.DoorSocket, "invalid: expired 7 s before arrival"},
		{"expires this second", func(e *nostr.Event) { e.Tags = nostr.Tags{{"expiration", unix(now)}} }, nip90.DoorSocket, "invalid: expired 0 s before arrival"},
		{"expires later", func(e *nostr.Event) { e.Tags = nostr.Tags{{"expiration", unix(now + 1)}} }, nip90.DoorSocket, ""},
		{"expired, mirrored", func(e *nostr.Event) { e.Tags = nostr.Tags{{"expiration", unix(now - 7)}} }, nip90.DoorMirror, ""},
		{"expired, imported", func(e *nostr.Event) { e.Tags = nostr.Tags{{"expiration", unix(now - 7)}} }, nip90.DoorImport, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, nil, Deps{Now: c.now})
			evt := event(c, 5300)
			if tc.change != nil {
				tc.change(evt)
			}
			wantRefusal(t, s.CheckGate(context.Background(), open(t, evt, tc.door, c.now())), tc.want)
		})
	}
}

func TestGate_ZeroMeansNoLimit(t *testing.T) {
	c := newClock()
	s := newSet(t, func(o *Options) { o.Limits = Limits{} }, Deps{Now: c.now})
	evt := event(c, 5300)
	evt.Content, evt.CreatedAt = long(1<<20), 1<<40
	for range 5000 {
		evt.Tags = append(evt.Tags, nostr.Tag{"t", "x"})
	}
	wantRefusal(t, s.CheckGate(context.Background(), open(t, evt, nip90.DoorSocket, c.now())), "")
	p := open(t, event(c, 5300), nip90.DoorSocket, c.now())
	for range 3000 {
		wantRefusal(t, s.CheckGate(from("192.0.2.1"), p), "")
		wantRefusal(t, s.CheckChain(from("192.0.2.1"), p), "")
	}
	wantRefusal(t, s.CheckFilters(context.Background(), []nostr.Filter{{IDs: repeat(hexA, 9000)}}), "")
	for range 500 {
		if _, ok := s.Limiter().Connect("192.0.2.1"); !ok {
			t.Fatal("a socket was refused without a limit")
		}
	}
}

func TestGate_TakesEveryRealEventOfOurs(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	taken, squatters, expired := 0, 0, 0
	for _, evt := range readEvents(t, "testdata/real-events.jsonl") {
		p := open(t, evt, nip90.DoorSocket, evt.CreatedAt.Time())
		err := s.CheckGate(context.Background(), p)
		switch {
		case evt.Kind == 6969:
			squatters++
			wantRefusal(t, err, "blocked: kind 6969 (zap poll) is another protocol's, not a job: "+whatIsAccepted)
		case p.Expires != 0 && p.Expires <= p.CreatedAt:
			expired++
			if r, ok := AsRejection(err); !ok || r.Prefix != Invalid {
				t.Errorf("%s was born expired: got %v", evt.ID, err)
			}
		default:
			taken++
			if err != nil {
				t.Errorf("kind %d %s: %v", evt.Kind, evt.ID, err)
			}
		}
	}
	t.Logf("%d taken, %d of another protocol, %d born expired", taken, squatters, expired)
	if taken < 170 || squatters != 1 {
		t.Errorf("%d taken, %d of another protocol; want at least 170, and 1", taken, squatters)
	}
}

func TestPoW(t *testing.T) {
	c := newClock()
	idWithBits := func(zeroNibbles int) string { return hexZeros(zeroNibbles) + hexA[zeroNibbles:] }
	for _, tc := range []struct {
		name string
		id   string
		tag  nostr.Tag
		door nip90.Door
		want string
	}{
		{"enough and committed", idWithBits(4), nostr.Tag{"nonce", "1", "16"}, 0, ""},
		{"too little", idWithBits(3), nostr.Tag{"nonce", "1", "16"}, 0, "pow: 16 bits of work needed, the id has 12"},
		{"no commitment", idWithBits(8), nostr.Tag{"nonce", "1"}, 0, "pow: 16 bits of work needed, the nonce tag commits to no target"},
		{"commitment no number", idWithBits(8), nostr.Tag{"nonce", "1", "x"}, 0, "pow: 16 bits of work needed, the nonce tag commits to no target"},
		{"lucky with a lower target", idWithBits(8), nostr.Tag{"nonce", "1", "8"}, 0, "pow: 16 bits of work needed, the nonce tag commits to 8"},
		{"none, mirrored", hexA, nostr.Tag{"t", "x"}, nip90.DoorMirror, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, func(o *Options) { o.Rules.MinPoW = 16 }, Deps{Now: c.now})
			evt := event(c, 5300, tc.tag)
			evt.ID = tc.id
			wantRefusal(t, s.CheckGate(context.Background(), open(t, evt, tc.door, c.now())), tc.want)
		})
	}
	var zero nip90.ID
	if got := leadingZeroBits(zero); got != 256 {
		t.Errorf("leading zero bits of zero: got %d, want 256", got)
	}
}

func TestCounts_NamesTheRule(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	evt := event(c, 1)
	_ = s.CheckGate(context.Background(), open(t, evt, nip90.DoorSocket, c.now())) // the refusal itself is tested elsewhere
	_ = s.CheckFilter(context.Background(), nostr.Filter{Search: "state:nonsense"})
	got := s.Counts()
	if len(got) != len(Names()) {
		t.Errorf("%d counters, want %d", len(got), len(Names()))
	}
	for name, n := range got {
		want := uint64(0)
		if name == nameKind || name == nameSearch {
			want = 1
		}
		if n != want {
			t.Errorf("%s: got %d, want %d", name, n, want)
		}
	}
	for _, p := range append(s.Gate(), s.Chain()...) {
		if _, ok := got[p.Name]; !ok {
			t.Errorf("rule %q has no counter", p.Name)
		}
	}
}
