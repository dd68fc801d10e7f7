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
	stored := r.fill(20_000)
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
	r.fill(5000)
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
	if g := r.relay.Gauges(); g.Negotiations != 0 || g.NegBytes != 0 || g.NegRefused["blocked"] != 1 {
		t.Errorf("%d reconciliations hold %d bytes, %v refused", g.Negotiations, g.NegBytes, g.NegRefused)
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

func TestNegentropy_RulesOfReq(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.policies.Limits.ReqsPerSecond, o.policies.Limits.ReqsBurst, o.policies.Limits.Values = 1, 3, 10
	})
	c := r.dial()
	for _, x := range []struct{ filter, want string }{
		{`{"search":"state:open"}`, "invalid: *"},
		{`{"search":"some words"}`, "invalid: *"},
		{`{"#e":` + array(11, hexOf) + `}`, "invalid: *"},
		{`{"limit":-1}`, "invalid: *"},
		{`{"ids":["x"]}`, "invalid: *"},
	} {
		c.send(fmt.Sprintf(`["NEG-OPEN","a",%s,"61"]`, x.filter))
		c.want("NEG-ERR", "a", x.want)
	}
	far := r.dial("X-Forwarded-For: 203.0.113.9")
	for i := range 10 {
		far.send(fmt.Sprintf(`["NEG-OPEN","n%d",{"kinds":[5300]},"61"]`, i))
		if m := far.recv(); i > 4 && (m.text(0) != "NEG-ERR" || !strings.HasPrefix(m.text(2), "rate-limited: ")) {
			t.Errorf("NEG-OPEN %d: got %s, want rate-limited", i, m)
		}
	}
	off := open(t, func(o *rigOptions) { o.relay.Negentropy = false }).dial()
	off.send(`["NEG-OPEN","a",{},"61"]`)
	off.want("NEG-ERR", "a", "unsupported: *")
}

// TestNegentropy_IDsAreApart: a reconciliation and a subscription of one name know nothing of each other.
func TestNegentropy_IDsAreApart(t *testing.T) {
	r := open(t)
	c := r.dial()
	c.send(`["REQ","a",{"kinds":[5300]}]`)
	c.want("EOSE", "a")
	for range 3 { // an open one is replaced
		c.send(`["NEG-OPEN","a",{"kinds":[5300]},"61"]`)
		c.want("NEG-MSG", "a", "61")
	}
	if g := r.relay.Gauges(); g.Negotiations != 1 || g.Subscriptions != 1 {
		t.Errorf("%d reconciliations and %d subscriptions are open, want 1 of each", g.Negotiations, g.Subscriptions)
	}
	c.send(`["NEG-CLOSE","a"]`, `["NEG-MSG","a","61"]`)
	c.want("NEG-ERR", "a", "closed: *")
	job := event("customer", 5300, "")
	r.dial().publish(job)
	if m := c.want("EVENT", "a"); m.id() != job.ID {
		t.Errorf("got %s, want the job", m)
	}
	c.send(`["NEG-OPEN","a",{},"61"]`)
	c.want("NEG-MSG", "a")
	c.send(`["CLOSE","a"]`, `["NEG-MSG","a","61"]`)
	c.want("NEG-MSG", "a")
}

// TestNegentropy_ShowsWhatReqShows: ids of sealed jobs and of gated kinds go to those who may read them.
func TestNegentropy_ShowsWhatReqShows(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) {
		o.relay.AuthEncrypted = true
		o.policies.Kinds.Presets = []string{"contextvm"}
	})
	to := func(name string) nostr.Tag { return nostr.Tag{"p", pub(name)} }
	job := event("customer", 5300, "AqRz?iv=abc", nostr.Tag{"encrypted"}, to("provider"))
	about := nostr.Tag{"e", job.ID}
	publisher := r.dial()
	_ = publisher.challenge()
	publisher.publish(
		job,
		event("provider", 7000, "BqRz?iv=abc", nostr.Tag{"encrypted"}, about, to("customer"), nostr.Tag{"status", "processing"}),
		event("provider", 6300, "CqRz?iv=abc", nostr.Tag{"encrypted"}, about, to("customer")),
		event("rival", 7000, "", about, to("customer"), nostr.Tag{"status", "error", "cannot read this"}),
		event("customer", 5301, "plain"),
		event("somebody", 1059, "sealed", to("customer")),
	)
	for name, want := range map[string]int{"customer": 6, "provider": 5, "rival": 2, "": 2} {
		c := r.dial()
		challenge := c.challenge()
		if name != "" {
			c.send(auth(authEvent(name, challenge, home, time.Now())))
			c.want("OK", "*", "true")
		}
		for _, filter := range []string{`{}`, `{"kinds":[5300,5301,6300,7000,1059]}`, `{"limit":100}`, fmt.Sprintf(`{"ids":[%q]}`, job.ID), fmt.Sprintf(`{"#e":[%q]}`, job.ID)} {
			have, need := c.compare(filter, nil)
			shown := sorted(c.query(filter))
			if !slices.Equal(need, shown) && len(need)+len(shown) > 0 || len(have) > 0 {
				t.Errorf("%q, %s: negentropy tells %d ids, REQ %d", name, filter, len(need), len(shown))
			}
			if filter == `{}` && len(shown) != want {
				t.Errorf("%q sees %d events, want %d", name, len(shown), want)
			}
		}
		if name == "" {
			c.send(`["NEG-OPEN","gated",{"kinds":[1059]},"61"]`)
			c.want("NEG-ERR", "gated", "auth-required: *")
		}
	}
}

// TestNegentropy_Hostile: frames that end a relay which lets its library read them, and every other kind of nonsense.
func TestNegentropy_Hostile(t *testing.T) {
	r := open(t, anything)
	r.fill(500)
	long := strings.Repeat("00", 200_000)
	for _, msg := range []string{
		`,"x"`, `,"NEG-OPEN"`, `["NEG-OPEN"`, `["NEG-OPEN"]`, `["NEG-OPEN","x"]`, `["NEG-OPEN","x",{}]`, `["NEG-OPEN",{},"x","61"]`, `["NEG-OPEN","x","61",{}]`,
		`["NEG-OPEN","x",{},"61","61"]`, `["NEG-OPEN","x",{},61]`, `["NEG-OPEN","x",{},"6"]`, `["NEG-OPEN","x",{},"zz"]`, `["NEG-OPEN","x",{},null]`,
		`["NEG-OPEN","x",[],"61"]`, `["NEG-OPEN","x",{"kinds":"x"},"61"]`, `["NEG-OPEN","",{},"61"]`, `["NEG-OPEN","` + strings.Repeat("x", 65) + `",{},"61"]`,
		`["NEG-MSG"]`, `["NEG-MSG","x"]`, `["NEG-MSG","x",{}]`, `["NEG-MSG","x","6"]`, `["NEG-MSG",,"x"]`, `["NEG-MSG","x","61"]`, `["NEG-MSG","x",""]`,
		`["NEG-ERR","x","y"]`, `["NEG-CLOSE"]`, `["NEG-CLOSE",1]`, `["NEG-CLOSE","x","y"]`,
		`["NEG-OPEN","x",{},""]`, `["NEG-OPEN","x",{},"00"]`, `["NEG-OPEN","x",{},"70"]`, `["NEG-OPEN","x",{},"6180"]`, `["NEG-OPEN","x",{},"61000003"]`,
		`["NEG-OPEN","x",{},"61000001"]`, `["NEG-OPEN","x",{},"610021"]`, `["NEG-OPEN","x",{},"610000028080808080808080808000"]`,
		`["NEG-OPEN","x",{},"61000002ffffffffffffffffff7f"]`, `["NEG-OPEN","x",{},"6100000290808080808000` + strings.Repeat("00", 64) + `"]`,
		`["NEG-OPEN","x",{},"6109010900` + `09` + `"]`, `["NEG-OPEN","x",{},"6102010800010100"]`, `["NEG-OPEN","x",{},"61` + long + `61"]`,
	} {
		c := r.dial()
		c.send(msg)
		if m := c.recv(); m.text(0) != "NEG-ERR" && m.text(0) != "NOTICE" {
			t.Errorf("%.80s: got %.200s, want NEG-ERR or NOTICE", msg, m)
		}
		c.send(`["NEG-OPEN","x",{"kinds":[5300]},"62"]`) // another version is told ours
		c.want("NEG-MSG", "x", "61")
		c.send(msg)
		c.recv()
		c.close()
	}
	// Many empty ranges cost one answer of bounded size.
	c := r.dial()
	c.send(`["NEG-OPEN","x",{},"61` + strings.Repeat("010001"+strings.Repeat("00", 16), 10_000) + `"]`)
	if m := c.want("NEG-MSG", "x"); len(m.text(2)) > 64<<10 {
		t.Errorf("an answer of %d characters", len(m.text(2)))
	}
	if g := r.relay.Gauges(); g.NegRefused["invalid"] == 0 || g.NegRefused["error"] != 0 || g.NegRefused["other"] != 0 {
		t.Errorf("refused: %v", g.NegRefused)
	}
}
