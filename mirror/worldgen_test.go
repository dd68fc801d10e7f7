package mirror_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/wire"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

const (
	worldDays  = 20   // of the past, up to the hour before now
	crowdShare = 0.04 // of the jobs are asked for, and answered, within one second: more than an answer holds, but not of one kind
)

// world is a past of signed events, drawn from one seed.
type world struct {
	seed      uint64
	now       int64 // unix seconds
	providers []person
	customers []person
	crowd     int64 // the second in which many things happen at once
}

type person struct {
	secret *btcec.PrivateKey
	public string
}

// newWorld has people for about n events.
func newWorld(seed uint64, n int, now int64) *world {
	w := &world{seed: seed, now: now, crowd: now - 5*86_400}
	for i := range max(5, n/100) {
		w.providers = append(w.providers, w.person("provider", i))
	}
	for i := range max(20, n/20) {
		w.customers = append(w.customers, w.person("customer", i))
	}
	return w
}

func (w *world) person(role string, n int) person {
	h := sha256.Sum256(fmt.Appendf(nil, "%d %s %d", w.seed, role, n))
	secret, public := btcec.PrivKeyFromBytes(h[:])
	return person{secret, hex.EncodeToString(schnorr.SerializePubKey(public))}
}

func (w *world) rng(stream string, n int) *rand.Rand {
	h := sha256.Sum256([]byte(stream))
	return rand.New(rand.NewPCG(w.seed^uint64(h[0])<<56^uint64(h[1])<<48, uint64(n)))
}

// event signs one.
func (p person) event(kind int, at int64, content string, tags ...nostr.Tag) *stocked {
	if tags == nil {
		tags = nostr.Tags{}
	}
	evt := &nostr.Event{PubKey: p.public, Kind: kind, CreatedAt: nostr.Timestamp(at), Content: content, Tags: tags}
	id := sha256.Sum256(evt.Serialize())
	sig, err := schnorr.Sign(p.secret, id[:])
	if err != nil {
		panic(err) // of a key that was made here
	}
	evt.ID, evt.Sig = hex.EncodeToString(id[:]), hex.EncodeToString(sig.Serialize())
	return &stocked{evt, wire.AppendEventJSON(nil, evt)}
}

// past is n events, no two alike: announcements, then jobs with all that belongs to them, cut off at n.
func (w *world) past(t testing.TB, n int) []*stocked {
	t.Helper()
	out := make([][]*stocked, len(w.providers)+n/2)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range out {
		g.Go(func() error {
			if i < len(w.providers) {
				out[i] = w.announce(i)
			} else {
				out[i] = w.job(i - len(w.providers))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(out...)
	if len(all) < n {
		t.Fatalf("%d events made, want %d", len(all), n)
	}
	return all[:n]
}

// announce is what a provider says of itself: handlers, some in two versions, one that names no kind and is of use only
// once the provider is known by its answers; profile and relays; who recommends it.
func (w *world) announce(n int) []*stocked {
	r, p := w.rng("announce", n), w.providers[n]
	at := w.now - worldDays*86_400 + r.Int64N(86_400)
	var out []*stocked
	for v := range n % 3 { // a third has none that says what it does
		d := "h" + strconv.Itoa(r.IntN(1000))
		tags := nostr.Tags{{"d", d}, {"k", strconv.Itoa(jobKind(r))}, {"t", "dvm"}}
		for version := range 1 + r.IntN(2) {
			out = append(out, p.event(31990, at+int64(3*v+version), fmt.Sprintf(`{"name":"dvm %d","about":"%s","v":%d}`, n, words(r, 12), version), tags...))
		}
		fan := w.customers[r.IntN(len(w.customers))]
		out = append(out, fan.event(31989, at+100, "", nostr.Tag{"d", tags[1][1]}, nostr.Tag{"a", "31990:" + p.public + ":" + d, "", "web"}))
	}
	return append(out,
		p.event(31990, at+50, `{"name":"of no kind"}`, nostr.Tag{"d", "bare"}),
		p.event(0, at+51, fmt.Sprintf(`{"name":"dvm %d"}`, n)),
		p.event(10002, at+52, "", nostr.Tag{"r", "wss://relay.example.com"}),
		p.event(11998, at+53, "{}", nostr.Tag{"n", strconv.Itoa(n)}))
}

// job is a request and what came of it.
func (w *world) job(n int) []*stocked {
	r := w.rng("job", n)
	customer, provider := w.customers[r.IntN(len(w.customers))], w.providers[r.IntN(len(w.providers))]
	if n < len(w.providers) {
		provider = w.providers[n] // everybody answers once
	}
	kind := jobKind(r)
	at := w.now - 3600 - r.Int64N((worldDays-2)*86_400)
	step := func() int64 { return 1 + r.Int64N(60) }
	if r.Float64() < crowdShare {
		at, step = w.crowd, func() int64 { return 0 }
	}
	request := customer.event(kind, at, "", nostr.Tag{"i", words(r, 5+r.IntN(30)), "text"}, nostr.Tag{"output", "text/plain"},
		nostr.Tag{"param", "max_tokens", "512"}, nostr.Tag{"bid", strconv.Itoa(1000 * (1 + r.IntN(50)))}, nostr.Tag{"n", strconv.Itoa(n)},
		nostr.Tag{"relays", "wss://relay.example.com", "wss://nos.example.net"})
	out := []*stocked{request}
	about := func(tags ...nostr.Tag) nostr.Tags {
		return append(nostr.Tags{{"e", request.ID, "wss://relay.example.com"}, {"p", customer.public}}, tags...)
	}
	answer := func(by person, kind int, content string, tags ...nostr.Tag) *stocked {
		at += step()
		out = append(out, by.event(kind, at, content, about(tags...)...))
		return out[len(out)-1]
	}
	invoice := "lnbc" + strconv.Itoa(10+n) + "n1p" + strings.Repeat("q", 200)
	switch x := r.Float64(); {
	case x < 0.1 && n >= len(w.providers): // nobody answers
	case x < 0.2:
		answer(provider, 7000, "no", nostr.Tag{"status", "error", "too busy"})
	default:
		answer(provider, 7000, "", nostr.Tag{"status", "processing"})
		if r.IntN(3) == 0 {
			answer(provider, 7000, "", nostr.Tag{"status", "payment-required"}, nostr.Tag{"amount", strconv.Itoa(1000 * (10 + n)), invoice})
		}
		result := answer(provider, kind+1000, words(r, 10+r.IntN(80)), nostr.Tag{"request", string(request.raw)}, nostr.Tag{"amount", "1000", invoice})
		if r.IntN(3) == 0 { // the receipt names the answer, not the request
			zap := customer.event(9734, at, "", nostr.Tag{"p", provider.public}, nostr.Tag{"e", result.ID}, nostr.Tag{"amount", "1000"})
			at += step()
			out = append(out, w.customers[0].event(9735, at, "", nostr.Tag{"p", provider.public}, nostr.Tag{"P", customer.public},
				nostr.Tag{"e", result.ID}, nostr.Tag{"bolt11", invoice}, nostr.Tag{"description", string(zap.raw)}))
		}
		if r.IntN(10) == 0 {
			other := w.providers[r.IntN(len(w.providers))]
			answer(other, kind+1000, words(r, 10), nostr.Tag{"request", string(request.raw)}, nostr.Tag{"n", "second"})
		}
	}
	return out
}

func jobKind(r *rand.Rand) int {
	return []int{5300, 5300, 5300, 5300, 5050, 5100, 5000, 5001, 5002, 5250, 5301, 5302, 5900, 5970}[r.IntN(14)]
}

func words(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "w%d", r.IntN(600))
	}
	return b.String()
}

// kept is which of these events a relay that serves all such kinds ends with, whatever the order: of each address the
// newest.
func kept(events []*stocked, kinds []int) (ids []string) {
	wanted, newest := set(kinds), map[string]*stocked{}
	for _, e := range events {
		if !wanted[e.Kind] {
			continue
		}
		address := e.ID
		switch {
		case nostr.IsReplaceableKind(e.Kind):
			address = strconv.Itoa(e.Kind) + e.PubKey
		case nostr.IsAddressableKind(e.Kind):
			address = strconv.Itoa(e.Kind) + e.PubKey + " " + e.Tags.GetD()
		}
		if old := newest[address]; old == nil || newestFirst(e, old) < 0 {
			newest[address] = e
		}
	}
	for _, e := range newest {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}
