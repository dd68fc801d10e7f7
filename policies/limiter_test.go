package policies

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const eventsRefused = "rate-limited: more than 100 events per second from your address, or 1000 at once: wait and send again"

func TestAddressRate_BurstThenRate(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	p := open(t, event(c, 5300), nip90.DoorSocket, c.now())
	send := func(addr string, n int) (taken int) {
		for range n {
			if s.CheckGate(from(addr), p) == nil {
				taken++
			}
		}
		return taken
	}
	if got := send("192.0.2.1", 1500); got != 1000 {
		t.Errorf("burst: %d taken, want 1000", got)
	}
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), p), eventsRefused)
	if got := send("192.0.2.2", 1); got != 1 {
		t.Error("another address was refused")
	}
	if got := send("", 2000); got != 2000 {
		t.Errorf("nobody's address: %d taken, want 2000", got)
	}
	wantRefusal(t, s.CheckGate(WithPeer(context.Background(), &Peer{Addr: "192.0.2.1", Exempt: true}), p), "")
	wantRefusal(t, s.CheckGate(context.Background(), p), "")
	c.pass(time.Second)
	if got := send("192.0.2.1", 500); got != 100 {
		t.Errorf("after a second: %d taken, want 100", got)
	}
	if got := s.Counts()[nameAddressRate]; got != 500+1+400 {
		t.Errorf("counted %d refusals, want 901", got)
	}
}

func TestReqRate_Words(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	for range 500 {
		wantRefusal(t, s.CheckReq(from("192.0.2.1")), "")
	}
	wantRefusal(t, s.CheckReq(from("192.0.2.1")), "rate-limited: more than 50 requests per second from your address, or 500 at once: wait and ask again")
	wantRefusal(t, s.CheckReq(from("192.0.2.2")), "")
	wantRefusal(t, s.CheckReq(context.Background()), "")
	c.pass(time.Second)
	for range 50 {
		wantRefusal(t, s.CheckReq(from("192.0.2.1")), "")
	}
	if s.Limiter().AllowReq("192.0.2.1") {
		t.Error("a 51st in one second was allowed")
	}
}

func TestAddressRate_IPv6CountsBySixtyFour(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.1:4000", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "[2001:db8::2]:80", true},
		{"fe80::1%eth0", "fe80::2%eth0", true},
		{"somewhere", "elsewhere", false},
	} {
		if got := keyOf(tc.a) == keyOf(tc.b); got != tc.same {
			t.Errorf("%s and %s: same = %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}

func TestAddressRate_AnswersToKnownJobsAreExempt(t *testing.T) {
	c := newClock()
	k := newMemory()
	k.providers[mustKey(t, hexB)] = true
	k.requests[mustID(t, hexC)] = true
	opened, closed := 0, 0
	standing := View(func() (Known, func()) { opened++; return k, func() { closed++ } })
	s := newSet(t, nil, Deps{Now: c.now, Standing: standing})
	answer := open(t, event(c, 6300, nostr.Tag{"e", hexC}), nip90.DoorSocket, c.now())
	feedback := open(t, event(c, 7000, nostr.Tag{"status", "processing"}, nostr.Tag{"e", hexC}), nip90.DoorSocket, c.now())
	unknownJob := open(t, event(c, 6300, nostr.Tag{"e", hexA}), nip90.DoorSocket, c.now())
	request := open(t, event(c, 5300, nostr.Tag{"e", hexC}), nip90.DoorSocket, c.now())
	foreign := event(c, 6300, nostr.Tag{"e", hexC})
	foreign.PubKey = hexA
	stranger := open(t, foreign, nip90.DoorSocket, c.now())

	for range 1000 {
		wantRefusal(t, s.CheckGate(from("192.0.2.1"), answer), "")
	}
	if opened != 0 {
		t.Errorf("%d look-ups while the bucket was not empty", opened)
	}
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), answer), "")
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), feedback), "")
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), unknownJob), eventsRefused)
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), request), eventsRefused)
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), stranger), eventsRefused)
	if opened == 0 || opened != closed {
		t.Errorf("%d views opened, %d closed", opened, closed)
	}

	// A claim that proves forged ends the exemption for a minute.
	s.Forged(from("192.0.2.1"))
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), answer), eventsRefused)
	c.pass(distrustFor)
	for range 1000 {
		wantRefusal(t, s.CheckGate(from("192.0.2.1"), answer), "")
	}
	wantRefusal(t, s.CheckGate(from("192.0.2.1"), answer), "")
	if got := s.Counts()[nameForged]; got != 1 {
		t.Errorf("counted %d forged, want 1", got)
	}
}

func TestConnect_BoundsSocketsOfOneAddress(t *testing.T) {
	s := newSet(t, func(o *Options) { o.Limits.ConnectionsPerIP = 2 }, Deps{})
	l := s.Limiter()
	first, ok1 := l.Connect("2001:db8::1")
	_, ok2 := l.Connect("2001:db8::2")
	if _, ok3 := l.Connect("2001:db8::3"); !ok1 || !ok2 || ok3 {
		t.Fatalf("got %v %v %v, want two sockets of one /64 and no third", ok1, ok2, ok3)
	}
	if _, ok := l.Connect("192.0.2.1"); !ok {
		t.Error("another address was refused")
	}
	first()
	first() // a second release must not free a second place
	if _, ok := l.Connect("2001:db8::1"); !ok {
		t.Error("a freed place was not given")
	}
	if _, ok := l.Connect("2001:db8::1"); ok {
		t.Error("releasing twice freed two places")
	}
	if got := s.Counts()[nameConnections]; got != 2 {
		t.Errorf("counted %d, want 2", got)
	}
}

func TestConnect_ForgetsAddressesWithoutSockets(t *testing.T) {
	l := newSet(t, nil, Deps{}).Limiter()
	for i := range 10_000 {
		release, ok := l.Connect(ipv4(i))
		if !ok {
			t.Fatal("refused")
		}
		release()
	}
	if n := len(l.perIP); n != 0 {
		t.Errorf("%d addresses remembered, want none", n)
	}
}

func ipv4(i int) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i)+10<<24)
	return netip.AddrFrom4(b).String()
}

func TestBuckets_NobodyGetsHisEmptyBucketEvicted(t *testing.T) {
	c := newClock()
	b := newBuckets[addrKey](100, 1000, 1024)
	mine := keyOf("192.0.2.1")
	for b.allow(mine, c.now()) {
	}
	// Ten times as many addresses as there is room for, each with a bucket that still counts.
	refused := 0
	for i := range 10_240 {
		if !b.allow(keyOf(ipv4(i)), c.now()) {
			refused++
		}
	}
	if b.allow(mine, c.now()) {
		t.Error("an empty bucket was refilled by eviction")
	}
	if b.len() > 1024 {
		t.Errorf("%d buckets, want at most 1024", b.len())
	}
	if refused != 0 {
		t.Errorf("%d newcomers with one event each were refused", refused)
	}
	// When all have filled up again they make room, and newcomers get buckets of their own.
	c.pass(11 * time.Second)
	newcomer := keyOf("198.51.100.1")
	for i := range 1000 {
		if !b.allow(newcomer, c.now()) {
			t.Fatalf("a newcomer was refused after %d of his burst", i)
		}
	}
	if b.len() > 1024 {
		t.Errorf("%d buckets, want at most 1024", b.len())
	}
}

func TestBuckets_OverflowIsBounded(t *testing.T) {
	c := newClock()
	b := newBuckets[int](1, 10, 64)
	taken := 0
	for i := range 20_000 {
		if b.allow(i, c.now()) {
			taken++
		}
	}
	// 64 own buckets took one each; the rest shared at most 256 buckets of 10.
	if most := 64 + bucketShards*overflowPer*10; taken > most {
		t.Errorf("%d taken, want at most %d", taken, most)
	}
}

func TestLimiter_MoreAddressesThanRoomCostBoundedMemory(t *testing.T) {
	c := newClock()
	l := newSet(t, nil, Deps{Now: c.now}).Limiter()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const addresses = 3 * defaultBuckets
	for i := range addresses {
		l.AllowEvent(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	const most = 32 << 20
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > most {
		t.Errorf("%d addresses cost %d bytes, want at most %d", addresses, grown, most)
	} else {
		t.Logf("%d addresses cost %d KiB", addresses, grown>>10)
	}
	runtime.KeepAlive(l)
}

func TestLimiter_ManyAtOnce(t *testing.T) {
	c := newClock()
	s := newSet(t, func(o *Options) { o.Limits.EventsBurst = 50 }, Deps{Now: c.now})
	p := open(t, event(c, 5300), nip90.DoorSocket, c.now())
	var wg sync.WaitGroup
	taken := make([]int, 8)
	for w := range taken {
		wg.Go(func() {
			for i := range 500 {
				if s.CheckGate(from("192.0.2.1"), p) == nil {
					taken[w]++
				}
				s.CheckGate(from(ipv4(w*1000+i)), p) //nolint:errcheck // only the shared bucket is judged
				s.Forged(from(ipv4(i)))
				if release, ok := s.Limiter().Connect(ipv4(i)); ok {
					release()
				}
			}
			if err := s.Reload(s.Options()); err != nil {
				t.Errorf("reload: %v", err)
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range taken {
		sum += n
	}
	if sum != 50 {
		t.Errorf("%d taken at once, want 50", sum)
	}
}

func BenchmarkGate(b *testing.B) {
	c := newClock()
	s := newSet(b, nil, Deps{})
	p := open(b, event(c, 5300, nostr.Tag{"i", "x", "text"}, nostr.Tag{"p", hexA}), nip90.DoorSocket, c.now())
	p.CreatedAt = 0
	ctx := from("")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.CheckGate(ctx, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAllowEvent_MoreAddressesThanRoom(b *testing.B) {
	l := newSet(b, nil, Deps{}).Limiter()
	addresses := make([]string, 4*defaultBuckets)
	for i := range addresses {
		addresses[i] = ipv4(i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.AllowEvent(addresses[i%len(addresses)])
		i++
	}
}

func BenchmarkAllowEvent(b *testing.B) {
	l := newSet(b, nil, Deps{}).Limiter()
	b.ReportAllocs()
	for b.Loop() {
		l.AllowEvent("192.0.2.1")
	}
}
