package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) graph(t testing.TB, id string) Graph {
	t.Helper()
	var g Graph
	err := r.View(func(v store.Reader) error {
		parsed, _ := nip90.ParseID(id)
		var ok bool
		var err error
		g, ok, err = r.x.Graph(v, parsed)
		if err == nil && !ok {
			t.Fatalf("no graph of %s", id)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// words writes a graph's edges with short names: e for entities, and the role of events.
func (g *Graph) words() []string {
	names := map[string]string{}
	for _, n := range g.Nodes {
		switch n.Type {
		case NodeEntity:
			names[n.ID] = "e:" + n.PubKey[:2]
		case NodeInvoice:
			names[n.ID] = "invoice"
		default:
			names[n.ID] = n.Role + ":" + n.EventID.String()[:4]
		}
	}
	var out []string
	for _, e := range g.Edges {
		out = append(out, names[e.From]+" "+e.Type+" "+names[e.To])
	}
	slices.Sort(out)
	return out
}

func TestGraph_OfAPaidJob(t *testing.T) {
	r := newRig(t, nil)
	alice, bob := strings.Repeat("aa", 32), strings.Repeat("bb", 32)
	id := func(e *nostr.Event) string {
		e.ID = e.GetID()
		return e.ID
	}
	earlier := nostr.Event{Kind: 5000, CreatedAt: epoch, PubKey: alice, Tags: nostr.Tags{{"i", "x", "text"}}}
	id(&earlier)
	job := nostr.Event{Kind: 5050, CreatedAt: epoch + 1, PubKey: alice, Tags: nostr.Tags{{"i", earlier.ID, "job"}}}
	id(&job)
	ask := nostr.Event{Kind: 7000, CreatedAt: epoch + 2, PubKey: bob, Tags: nostr.Tags{{"status", "payment-required"}, {"e", job.ID}, {"p", alice}, {"amount", "2000"}}}
	id(&ask)
	pay := nostr.Event{Kind: 9321, CreatedAt: epoch + 3, PubKey: alice, Tags: nostr.Tags{{"proof", `{"amount":2,"secret":"s","C":"02","id":"x"}`}, {"u", "https://mint.example"}, {"e", ask.ID}, {"p", bob}}}
	id(&pay)
	result := nostr.Event{Kind: 6050, CreatedAt: epoch + 4, PubKey: bob, Content: "done", Tags: nostr.Tags{{"e", job.ID}, {"p", alice}}}
	id(&result)
	cancel := nostr.Event{Kind: 5, CreatedAt: epoch + 5, PubKey: alice, Tags: nostr.Tags{{"e", job.ID}}}
	id(&cancel)
	r.put(t, earlier, job, ask, pay, result, cancel)
	short := func(role string, e nostr.Event) string { return role + ":" + e.ID[:4] }
	want := []string{
		"e:aa MAKES_EVENT " + short("request", job), "e:aa MAKES_EVENT " + short("cancel", cancel), "e:aa MAKES_EVENT " + short("nutzap", pay),
		"e:bb MAKES_EVENT " + short("feedback", ask), "e:bb MAKES_EVENT " + short("result", result),
		short("feedback", ask) + " FEEDBACK_FOR " + short("request", job), short("result", result) + " RESULT_FOR " + short("request", job),
		short("cancel", cancel) + " CANCELS " + short("request", job), short("request", job) + " HAS_RECEIPT " + short("nutzap", pay),
		short("nutzap", pay) + " PAYMENT_FROM e:aa", short("nutzap", pay) + " PAYMENT_TO e:bb",
		short("request", earlier) + " CHAINS_TO " + short("request", job),
	}
	slices.Sort(want)
	g := r.graph(t, result.ID)
	if got := g.words(); !slices.Equal(got, want) {
		t.Errorf("edges\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if g.Root.String() != job.ID || g.More {
		t.Errorf("root %s, more %v", g.Root, g.More)
	}
}

// TestGraph_OfRealReceipts ties a receipt to the invoice that it pays.
func TestGraph_InvoiceAndReceipt(t *testing.T) {
	r := newRig(t, nil)
	const bolt11 = "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqscc6gd6ql3jrc5yzme8v4ntcewwz5cnw92tz0pc8qcuufvq7khhr8wpald05e92xw006sq94mg8v2ndf4sefvf9sygkshp5zfem29trqq2yxxz7"
	alice, bob := strings.Repeat("aa", 32), strings.Repeat("bb", 32)
	job := nostr.Event{Kind: 5050, CreatedAt: epoch + 1, PubKey: alice}
	job.ID = job.GetID()
	ask := nostr.Event{Kind: 7000, CreatedAt: epoch + 2, PubKey: bob, Tags: nostr.Tags{{"status", "payment-required"}, {"e", job.ID}, {"amount", "2000000000", bolt11}}}
	ask.ID = ask.GetID()
	zap := nostr.Event{Kind: 9735, CreatedAt: epoch + 3, PubKey: strings.Repeat("cc", 32), Tags: nostr.Tags{{"e", ask.ID}, {"p", bob}, {"P", alice}, {"bolt11", bolt11}}}
	zap.ID = zap.GetID()
	r.put(t, job, ask, zap)
	g := r.graph(t, job.ID)
	got := g.words()
	for _, want := range []string{"feedback:" + ask.ID[:4] + " HAS_INVOICE invoice", "invoice HAS_RECEIPT zap:" + zap.ID[:4]} {
		if !slices.Contains(got, want) {
			t.Errorf("edges %v lack %s", got, want)
		}
	}
}

func TestGraph_IsBounded(t *testing.T) {
	r := newRig(t, nil)
	job := nostr.Event{Kind: 5050, CreatedAt: epoch, PubKey: strings.Repeat("aa", 32)}
	job.ID = job.GetID()
	r.put(t, job)
	for i := range 1200 {
		r.Put(t, storetest.Parsed(t, nostr.Event{Kind: 7000, CreatedAt: epoch + 1, PubKey: fmt.Sprintf("%064x", i+1), Tags: nostr.Tags{{"status", "processing"}, {"e", job.ID}}}))
	}
	g := r.graph(t, job.ID)
	if len(g.Nodes) > maxNodes || !g.More {
		t.Errorf("%d nodes, more %v, want at most %d and more", len(g.Nodes), g.More, maxNodes)
	}
	nodes := map[string]bool{}
	for _, n := range g.Nodes {
		if nodes[n.ID] {
			t.Fatalf("node %s stands twice", n.ID)
		}
		nodes[n.ID] = true
	}
	for _, e := range g.Edges {
		if !nodes[e.From] || !nodes[e.To] {
			t.Fatalf("edge %+v leads nowhere", e)
		}
	}
}
