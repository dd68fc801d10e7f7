package index

import (
	"context"
	"fmt"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) root(t testing.TB, id string) string {
	t.Helper()
	var root string
	err := r.View(func(v store.Reader) error {
		id, ok, err := r.x.Root(v, mustID(t, id))
		if ok {
			root = id.String()
		}
		return err
	})
	if err != nil {
		t.Fatalf("root of %s: %v", id, err)
	}
	return root
}

func TestRoot_Candidates(t *testing.T) {
	a, b := request("alice", 0), request("alice", 1)
	both := event("bob", 7000, 10, "", tag("status", "processing"), tag("e", a.ID), tag("e", b.ID))
	lone := event("bob", 7000, 11, "", tag("status", "processing"))
	single := feedback("bob", 12, "processing", a.ID)
	zap := nutzap("alice", "bob", 15, 5, "s", both.ID)
	zapOnce := nutzap("alice", "bob", 16, 5, "s2", single.ID)
	report := event("critic", 1984, 17, "", tag("e", both.ID, "spam"))

	cases := []struct {
		name   string
		events []nostr.Event
		of     nostr.Event
		want   string
	}{
		{"result before request", []nostr.Event{single}, single, a.ID},
		{"result before request, then the request", []nostr.Event{single, a}, single, a.ID},
		{"of two, none is here", []nostr.Event{both}, both, a.ID},
		{"of two, the second is here", []nostr.Event{both, b}, both, b.ID},
		{"of two, the second was here", []nostr.Event{b, both}, both, b.ID},
		{"the better one comes later", []nostr.Event{b, both, a}, both, a.ID},
		{"the better one came first", []nostr.Event{both, a, b}, both, a.ID},
		{"no link at all", []nostr.Event{lone}, lone, lone.ID},
		{"zap before answer before request", []nostr.Event{zapOnce, single, a}, zapOnce, a.ID},
		{"zap before answer, no request", []nostr.Event{zapOnce, single}, zapOnce, a.ID},
		{"zap alone", []nostr.Event{zapOnce}, zapOnce, ""},
		{"zap moves with its answer", []nostr.Event{b, both, zap, a}, zap, a.ID},
		{"zap before the answer that moves", []nostr.Event{zap, b, both, a}, zap, a.ID},
		{"report moves with its answer", []nostr.Event{both, report, b}, report, b.ID},
		{"cancel before request", []nostr.Event{event("alice", 5, 3, "", tag("e", a.ID)), a}, event("alice", 5, 3, "", tag("e", a.ID)), a.ID},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.put(t, c.events...)
			if got := r.root(t, c.of.ID); got != c.want {
				t.Errorf("root: got %s, want %s", got, c.want)
			}
			if c.want == "" {
				return
			}
			th, ok := r.thread(t, c.of.ID)
			found := false
			for _, e := range th.Events {
				found = found || e.ID.String() == c.of.ID
			}
			if !ok || !found || th.ID.String() != c.want {
				t.Errorf("thread: got %t %+v, want one of %s with the event in it", ok, th, c.want)
			}
		})
	}
}

func TestSave_SaysWhichThreadsMoved(t *testing.T) {
	a, b := request("alice", 0), request("alice", 1)
	both := event("bob", 7000, 10, "", tag("status", "processing"), tag("e", a.ID), tag("e", b.ID))
	r := newRig(t, nil)
	r.put(t, b, both)
	_, change, err := r.Save(context.Background(), storetest.Parsed(t, a))
	if err != nil {
		t.Fatal(err)
	}
	moved := map[string]bool{}
	for _, root := range change.Roots {
		moved[root.String()] = true
	}
	if len(moved) != 2 || !moved[a.ID] || !moved[b.ID] {
		t.Errorf("moved: got %v, want %s and %s", moved, a.ID, b.ID)
	}
}

// meter counts what folding one event costs.
type meter struct {
	*Index
	sets, reads, scans             int
	mostSets, mostReads, mostScans int
}

type meteredTxn struct {
	store.Txn
	m *meter
}

func (t meteredTxn) Set(k, v []byte) { t.m.sets++; t.Txn.Set(k, v) }

func (t meteredTxn) Value(k []byte) ([]byte, error) { t.m.reads++; return t.Txn.Value(k) }

func (t meteredTxn) Fact(id nip90.ID) (store.Fact, bool, error) {
	t.m.reads++
	return t.Txn.Fact(id)
}

func (t meteredTxn) Scan(p, s []byte, fn func(k, v []byte) bool) error {
	t.m.scans++
	return t.Txn.Scan(p, s, fn)
}

func (m *meter) Apply(t store.Txn, f store.Fact, p *nip90.Parsed) (store.Change, error) {
	m.sets, m.reads, m.scans = 0, 0, 0
	c, err := m.Index.Apply(meteredTxn{t, m}, f, p)
	m.mostSets, m.mostReads, m.mostScans = max(m.mostSets, m.sets), max(m.mostReads, m.reads), max(m.mostScans, m.scans)
	return c, err
}

func TestApply_CrowdedThreadCostsTheSamePerEvent(t *testing.T) {
	const feedbacks = 20_000
	m := &meter{Index: New(Options{KeepCustomer: true})}
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer = m }), storetest.Check(Check))
	job := request("alice", 0)
	s.Put(t, storetest.Parsed(t, job))
	m.mostScans = 0 // the first event looks for work that an earlier run left over
	ctx := context.Background()
	var last *store.Pending
	for i := range feedbacks {
		e := feedback(fmt.Sprint("bob", i%7), int64(i*7919%feedbacks), "processing", job.ID, tag("amount", fmt.Sprint(i)))
		p, err := s.Submit(ctx, storetest.Parsed(t, e))
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	if _, _, err := last.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	// 16 of the reads are rollups: each group reads its hours and days once.
	if m.mostSets > 6 || m.mostReads > 24 || m.mostScans > 0 {
		t.Errorf("one event cost up to %d writes, %d reads, %d scans; want at most 6, 24, 0", m.mostSets, m.mostReads, m.mostScans)
	}
	err := s.View(func(r store.Reader) error {
		th, ok, err := m.Thread(r, mustID(t, job.ID))
		if !ok || len(th.Events) != maxEvents || !th.More || len(th.Providers) != 7 {
			t.Errorf("got %t, %d events, more %t, %d providers", ok, len(th.Events), th.More, len(th.Providers))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRemove_LongThreadIsReadRightlyWhileItsSumsWait(t *testing.T) {
	const each = 400
	job := request("alice", 0)
	r := newRig(t, nil)
	r.put(t, job)
	for i := range each {
		for _, who := range []string{"bob", "carol"} {
			r.put(t, feedback(who, int64(i), "processing", job.ID))
		}
	}
	r.put(t, feedback("dave", each+5, "error", job.ID), event("dave", 62, each+6, "", tag("relay", "ALL_RELAYS")))
	r.sweep(t)
	var row threadRow
	err := r.View(func(v store.Reader) (err error) {
		row, _, err = readThread(v, mustID(t, job.ID))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !row.is(rowStale) {
		t.Errorf("one event that leaves a thread of %d folds it all again", row.members)
	}
	th, _ := r.thread(t, job.ID)
	if len(th.Providers) != 2 || th.State != "processing" {
		t.Errorf("got state %s, %d providers; want processing, 2", th.State, len(th.Providers))
	}
	r.put(t, event("carol", 62, each+6, "", tag("relay", "ALL_RELAYS")))
	r.sweep(t)
	if th, _ = r.thread(t, job.ID); len(th.Providers) != 1 || th.Providers[0].PubKey != key("bob") {
		t.Errorf("got providers %+v, want bob alone", th.Providers)
	}
	for i := range each / 8 {
		r.put(t, feedback("bob", int64(each+10+i), "processing", job.ID))
	}
	err = r.View(func(v store.Reader) (err error) {
		row, _, err = readThread(v, mustID(t, job.ID))
		return err
	})
	if err != nil || row.is(rowStale) || row.feedbacks != each+each/8 {
		t.Errorf("after %d more events: stale %t, %d feedbacks, %v; want the sums folded again", each/8, row.is(rowStale), row.feedbacks, err)
	}
}

func TestApply_JobNamedByManyBeforeItCameIsStored(t *testing.T) {
	const crowd = 200
	m := &meter{Index: New(Options{KeepCustomer: true})}
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer = m }), storetest.Check(Check))
	job := request("alice", 0)
	ctx := context.Background()
	var answers []nostr.Event
	for i := range crowd {
		elsewhere := request("nobody", int64(i)).ID
		e := event(fmt.Sprint("mallory", i), 7000, int64(i), "", tag("status", "error"), tag("e", elsewhere), tag("e", job.ID))
		answers = append(answers, e)
		s.Put(t, storetest.Parsed(t, e))
		s.Put(t, storetest.Parsed(t, nutzap("alice", fmt.Sprint("mallory", i), int64(i), 1, "s", e.ID)))
	}
	m.mostSets = 0
	s.Put(t, storetest.Parsed(t, job))
	if m.mostSets > 20*moveBudget {
		t.Errorf("the job cost %d writes", m.mostSets)
	}
	if err := s.View(Check); err != nil {
		t.Errorf("while events are being moved: %v", err)
	}
	for _, when := range []string{"moving", "settled"} {
		err := s.View(func(r store.Reader) error {
			for _, e := range answers {
				root, ok, err := m.Root(r, mustID(t, e.ID))
				if !ok || err != nil || when == "settled" && root.String() != job.ID {
					t.Errorf("%s: answer %s: got root %s, %t, %v; want the job's", when, e.ID, root, ok, err)
				}
			}
			th, _, err := m.Thread(r, mustID(t, job.ID))
			if when == "settled" && (len(th.Providers) != crowd || len(th.Events) != 2*crowd+1 || th.ClaimedMsat != crowd*1000) {
				t.Errorf("got %d providers, %d events, claimed %d; want %d, %d, %d", len(th.Providers), len(th.Events), th.ClaimedMsat, crowd, 2*crowd+1, crowd*1000)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Settle(ctx, s.Store); err != nil {
			t.Fatal(err)
		}
	}
	// And back: the job vanishes with its customer.
	s.Put(t, storetest.Parsed(t, event("alice", 62, crowd, "", tag("relay", "ALL_RELAYS"))))
}

// TestMove_FollowsAnAnswerThatStayed: while an answer waited for its turn to move, its request came after all; what had
// been placed by where the answer was to go must come back.
func TestMove_FollowsAnAnswerThatStayed(t *testing.T) {
	r := newRig(t, nil)
	r.x.budget = 1
	first, second := request("alice", 1), request("alice", 2, tag("nonce", "2"))
	answer := feedback("bob", 3, "processing", first.ID, tag("e", second.ID))
	r.put(t, nutzap("alice", "bob", 4, 1, "s", answer.ID), event("carol", 1984, 5, "", tag("p", key("bob")), tag("e", answer.ID)),
		answer, second, first)
	r.settle(t)
	if th, _ := r.thread(t, first.ID); len(th.Events) != 4 {
		t.Errorf("the job has %d events, want 4: the request, its answer, the nutzap and the report", len(th.Events))
	}
}

// TestPlace_AResultBelongsToARequestOfItsKind when it names several without saying which it means; whatever came first.
func TestPlace_AResultBelongsToARequestOfItsKind(t *testing.T) {
	other := event("alice", 5002, 1, "translate")
	job := event("alice", 5300, 2, "discover")
	plain := event("bob", 6300, 3, "[]", tag("e", other.ID), tag("e", job.ID))
	marked := event("carol", 6300, 3, "[]", tag("e", other.ID, "", "job"), tag("e", job.ID))
	strange := event("dave", 6999, 3, "[]", tag("e", other.ID), tag("e", job.ID))
	words := event("erin", 7000, 3, "", tag("e", other.ID), tag("e", job.ID), tag("status", "processing"))
	rng := seeded(t)
	events := []nostr.Event{other, job, plain, marked, strange, words}
	for range 30 {
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		r := newRig(t, nil)
		r.x.budget = 1 + rng.IntN(4)
		r.put(t, events...)
		r.settle(t)
		for id, want := range map[string]string{plain.ID: job.ID, marked.ID: other.ID, strange.ID: other.ID, words.ID: other.ID} {
			if th, _ := r.thread(t, id); th.ID != mustID(t, want) {
				t.Fatalf("event %s belongs to %s, want %s", id, th.ID, want)
			}
		}
		r.Stop()
	}
}
