package relay_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/store"
	"dvmrelay/store/storetest"
	"dvmrelay/wire/negentropy"

	"github.com/gobwas/ws"
	"github.com/nbd-wtf/go-nostr"
	"github.com/nbd-wtf/go-nostr/nip77"
	foreign "github.com/nbd-wtf/go-nostr/nip77/negentropy"
	"github.com/nbd-wtf/go-nostr/nip77/negentropy/storage/vector"
)

// filled are the kinds that fill stores: none that the index has much to do with.
const filled = `{"kinds":[1984,1985,1986]}`

// anything lets the store take those kinds.
func anything(o *rigOptions) { o.store = func(so *store.Options) { so.Admit = nil } }

// fill stores n random events, past the door, and returns them as items. The relay must take anything.
func (r *rig) fill(n int) []negentropy.Item {
	r.t.Helper()
	seed := rand.Uint64()
	r.t.Logf("seed %d", seed)
	w := rand.New(rand.NewPCG(seed, 0))
	authors := []string{pub("a"), pub("b"), pub("c"), pub("d")}
	items := make([]negentropy.Item, n)
	pending := make([]*store.Pending, n)
	for i := range items {
		p := storetest.Parsed(r.t, nostr.Event{
			PubKey: authors[w.IntN(len(authors))], Kind: 1984 + w.IntN(3), CreatedAt: nostr.Timestamp(1_700_000_000 + w.IntN(n)),
			Content: fmt.Sprint(w.Uint64()),
		})
		items[i] = negentropy.Item{CreatedAt: p.CreatedAt, ID: p.ID}
		var err error
		if pending[i], err = r.store.Submit(r.t.Context(), p); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, p := range pending {
		if outcome, _, err := p.Wait(r.t.Context()); err != nil || outcome != store.Stored {
			r.t.Fatalf("got %v, %v, want it stored", outcome, err)
		}
	}
	return items
}

// compare reconciles a set with what the relay has for a filter.
func (c *client) compare(filter string, items []negentropy.Item) (have, need []string) {
	c.t.Helper()
	n := negentropy.NewClient(negentropy.NewSet(items), 0)
	c.send(fmt.Sprintf(`["NEG-OPEN","compare",%s,"%x"]`, filter, n.Open()))
	for {
		m := c.want("NEG-MSG", "compare")
		answer, err := hex.DecodeString(m.text(2))
		if err != nil || len(m.text(2)) > 64<<10 {
			c.t.Fatalf("an answer of %d characters, %v", len(m.text(2)), err)
		}
		next, h, ne, err := n.Reconcile(answer)
		if err != nil {
			c.t.Fatal(err)
		}
		have, need = append(have, hexes(h)...), append(need, hexes(ne)...)
		if next == nil {
			break
		}
		c.send(fmt.Sprintf(`["NEG-MSG","compare","%x"]`, next))
	}
	c.send(`["NEG-CLOSE","compare"]`)
	slices.Sort(have)
	slices.Sort(need)
	return have, need
}

func hexes(ids [][32]byte) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = hex.EncodeToString(id[:])
	}
	return all
}

// sortedIDs are those of the items for which keep holds.
func sortedIDs(items []negentropy.Item, keep func(int) bool) []string {
	ids := []string{}
	for i, it := range items {
		if keep(i) {
			ids = append(ids, hex.EncodeToString(it.ID[:]))
		}
	}
	slices.Sort(ids)
	return ids
}

func TestNegentropy_FindsEveryDifference(t *testing.T) {
	r := open(t, anything)
	stored := r.fill(manyEvents)
	c := r.dial()
	var ours []negentropy.Item
	lacking := func(i int) bool { return i%11 == 0 }
	for i, it := range stored {
		if !lacking(i) {
			ours = append(ours, it)
		}
	}
	var alone []negentropy.Item
	for i := range 300 {
		alone = append(alone, negentropy.Item{CreatedAt: 1_700_000_000 + int64(i*50), ID: [32]byte{byte(i), byte(i >> 8), 1}})
	}
	all := func(int) bool { return true }
	for _, filter := range []string{`{}`, filled, fmt.Sprintf(`{"authors":[%q,%q,%q,%q]}`, pub("a"), pub("b"), pub("c"), pub("d"))} {
		have, need := c.compare(filter, slices.Concat(ours, alone))
		if want := sortedIDs(alone, all); !slices.Equal(have, want) {
			t.Errorf("%s: %d are ours alone, want %d", filter, len(have), len(want))
		}
		if want := sortedIDs(stored, lacking); !slices.Equal(need, want) {
			t.Errorf("%s: %d are theirs alone, want %d", filter, len(need), len(want))
		}
	}
	if have, need := c.compare(`{}`, slices.Clone(stored)); len(have)+len(need) != 0 {
		t.Errorf("of equal sets %d and %d differ", len(have), len(need))
	}
	if _, need := c.compare(`{"limit":70}`, nil); len(need) != 70 || !slices.Equal(need, sorted(c.query(`{"limit":70}`))) {
		t.Errorf("with a limit of 70: %d, want the newest", len(need))
	}
	if _, need := c.compare(`{"limit":0}`, nil); len(need) != 0 {
		t.Errorf("with a limit of 0: %d", len(need))
	}
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return ids
}

func TestNegentropy_DoesNotHoldUpTheSocket(t *testing.T) {
	r := open(t, anything)
	r.fill(manyEvents / 4)
	c := r.dial()
	const n = 16
	for i := range n {
		c.send(fmt.Sprintf(`["NEG-OPEN","n%d",{},"61"]`, i))
	}
	c.send(`["REQ","a",{"limit":1}]`)
	before := 0
	for m := c.recv(); m.text(0) != "EOSE"; m = c.recv() {
		if m.text(0) == "NEG-MSG" {
			before++
		}
	}
	if before == n {
		t.Errorf("the REQ was answered after %d reconciliations", before)
	}
	for range n - before {
		c.want("NEG-MSG")
	}
	// Who does not wait for the answer has not understood the protocol.
	c.send(`["NEG-CLOSE","n1"]`, `["NEG-OPEN","early",{},"61"]`, `["NEG-MSG","early","61"]`, `["NEG-OPEN","after",{},"61"]`)
	c.want("NEG-ERR", "early", "invalid: *")
	c.want("NEG-MSG", "after")
}

// TestNegentropy_AnotherClient: go-nostr writes the messages and reads the answers.
func TestNegentropy_AnotherClient(t *testing.T) {
	r := open(t, anything)
	stored := r.fill(3000)
	vec := vector.New()
	for _, it := range stored[:2000] {
		vec.Insert(nostr.Timestamp(it.CreatedAt), hex.EncodeToString(it.ID[:]))
	}
	vec.Seal()
	other := foreign.New(vec, 0)
	got := make(chan []string, 1)
	go func() {
		var ids []string
		for id := range other.HaveNots {
			ids = append(ids, id)
		}
		got <- ids
	}()
	c := r.dial()
	c.send(nip77.OpenEnvelope{SubscriptionID: "go", Filter: nostr.Filter{Kinds: []int{1984, 1985, 1986}}, Message: other.Start()}.String())
	for {
		frame, err := ws.ReadFrame(c.br)
		if err != nil {
			t.Fatal(err)
		}
		answer, ok := nip77.ParseNegMessage(string(frame.Payload)).(*nip77.MessageEnvelope)
		if !ok {
			t.Fatalf("%.200s is no NEG-MSG to go-nostr", frame.Payload)
		}
		next, err := other.Reconcile(answer.Message)
		if err != nil {
			t.Fatal(err)
		}
		if next == "" {
			break
		}
		c.send(nip77.MessageEnvelope{SubscriptionID: "go", Message: next}.String())
	}
	c.send(nip77.CloseEnvelope{SubscriptionID: "go"}.String())
	if ids, want := sorted(<-got), sortedIDs(stored, func(i int) bool { return i >= 2000 }); !slices.Equal(slices.Compact(ids), want) {
		t.Errorf("got %d ids, want %d", len(ids), len(want))
	}
	eventually(t, "the reconciliation is over", func() bool { return r.relay.Gauges().Negotiations == 0 })
}

func TestNegentropy_ThousandAbandoned(t *testing.T) {
	r := open(t, anything)
	r.fill(200)
	c := r.dial()
	for i := range 1000 {
		c.send(fmt.Sprintf(`["NEG-OPEN","n%d",{"kinds":[1984]},"6100000200"]`, i))
	}
	opened, refused := 0, 0
	for range 1000 {
		switch m := c.recv(); {
		case m.text(0) == "NEG-MSG":
			opened++
		case m.text(0) == "NEG-ERR" && strings.HasPrefix(m.text(2), "rate-limited: "):
			refused++
		default:
			t.Fatalf("got %.300s", m)
		}
	}
	if opened != 16 || refused != 984 {
		t.Errorf("%d opened and %d refused, want 16 and 984", opened, refused)
	}
	if g := r.relay.Gauges(); g.Negotiations != 16 || g.NegBytes > 16*(200*100+4096) || g.NegRefused["rate-limited"] != 984 {
		t.Errorf("%d reconciliations hold %d bytes, %v refused", g.Negotiations, g.NegBytes, g.NegRefused)
	}
	c.send(`["NEG-CLOSE","n3"]`, `["NEG-CLOSE","nobody"]`, `["NEG-OPEN","more",{},"61"]`)
	c.want("NEG-MSG", "more", "61")
	c.close()
	eventually(t, "all is given back", func() bool { g := r.relay.Gauges(); return g.Negotiations == 0 && g.NegBytes == 0 })
}

func TestNegentropy_TooBigIsBlocked(t *testing.T) {
	r := open(t, anything, func(o *rigOptions) { o.policies.Limits.NegItems = 100 })
	stored := r.fill(300)
	c := r.dial()
	c.send(`["NEG-OPEN","a",{},"61"]`)
	c.want("NEG-ERR", "a", "blocked: this query is too big", "100")
	until := slices.MinFunc(stored, func(a, b negentropy.Item) int { return int(a.CreatedAt - b.CreatedAt) }).CreatedAt + 20
	if _, need := c.compare(fmt.Sprintf(`{"until":%d}`, until), nil); len(need) == 0 || len(need) > 100 {
		t.Errorf("a narrower filter finds %d", len(need))
	}
	if got := r.information().Limitation; got.MaxNegItems != 100 || got.MaxNegSessions != 16 {
		t.Errorf("advertised are %d items and %d sessions", got.MaxNegItems, got.MaxNegSessions)
	}
	eventually(t, "all is given back", func() bool { g := r.relay.Gauges(); return g.Negotiations == 0 && g.NegBytes == 0 })
	if n := r.relay.Gauges().NegRefused["blocked"]; n != 1 {
		t.Errorf("%d were blocked, want 1", n)
	}
}

func TestNegentropy_MemoryIsShared(t *testing.T) {
	r := open(t, anything, func(o *rigOptions) { o.policies.Limits.NegBytes = 100_000 })
	r.fill(1000)
	first, second := r.dial(), r.dial()
	first.send(`["NEG-OPEN","a",{},"61"]`)
	first.want("NEG-MSG", "a")
	second.send(`["NEG-OPEN","b",{},"61"]`)
	second.want("NEG-ERR", "b", "rate-limited: *")
	first.send(`["NEG-CLOSE","a"]`)
	first.drain()
	second.send(`["NEG-OPEN","b",{},"61"]`)
	second.want("NEG-MSG", "b")
}

func TestNegentropy_IdleIsClosed(t *testing.T) {
	r := open(t, anything, func(o *rigOptions) { o.relay.PingInterval = 0 })
	r.fill(10)
	c := r.dial()
	c.send(`["NEG-OPEN","a",{},"61"]`)
	c.want("NEG-MSG", "a")
	r.clock.pass(3 * time.Minute)
	c.want("NEG-ERR", "a", "closed: *")
	c.send(`["NEG-MSG","a","61"]`)
	c.want("NEG-ERR", "a", "closed: *")
	if g := r.relay.Gauges(); g.Negotiations != 0 || g.NegBytes != 0 {
		t.Errorf("%d reconciliations hold %d bytes", g.Negotiations, g.NegBytes)
	}
}

func TestNegentropy_WorkIsBounded(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.store = func(so *store.Options) { so.Admit, so.QueryBudget = nil, time.Nanosecond }
	})
	r.fill(300)
	c := r.dial()
	c.send(`["NEG-OPEN","a",{},"61"]`)
	c.want("NEG-ERR", "a", "blocked: *")
}
