package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// watchRig is a Watch that is fed by hand and rendered by a counter.
type watchRig struct {
	*Watch
	*clock
	t        *testing.T
	rendered atomic.Int64
	version  uint64
}

func newWatchRig(t *testing.T, o WatchOptions) *watchRig {
	t.Helper()
	r := &watchRig{clock: &clock{}, t: t}
	r.clock.at.Store(epoch)
	o.Now = r.Now
	if o.Beat == 0 {
		o.Beat = time.Millisecond
	}
	r.Watch = NewWatch(o)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx, r.render) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

func (r *watchRig) render(_ context.Context, notes []*Note) ([]Shown, error) {
	out := make([]Shown, len(notes))
	for i, n := range notes {
		r.rendered.Add(1)
		b, err := json.Marshal(n.Root)
		if err != nil {
			return nil, err
		}
		out[i] = Shown{Version: r.Loss(), Data: b}
	}
	return out, nil
}

// commit feeds events as one group, each moving the thread of its own id or the given root.
func (r *watchRig) commit(events ...nostr.Event) []nip90.ID {
	r.t.Helper()
	var ids []nip90.ID
	var cs []store.Commit
	for _, e := range events {
		p := storetest.Parsed(r.t, e)
		root := p.ID
		if tag := p.Event.Tags.Find("e"); tag != nil {
			root, _ = nip90.ParseID(tag[1])
		}
		cs = append(cs, store.Commit{Parsed: p, Outcome: store.Stored, Change: store.Change{Roots: []nip90.ID{root}}})
		ids = append(ids, p.ID)
	}
	r.version++
	r.Committed(r.version, cs)
	return ids
}

func (r *watchRig) next(s *Subscription) []*Note {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	notes, _, err := s.Next(ctx, 1000)
	if err != nil {
		r.t.Fatalf("next note: %v", err)
	}
	return notes
}

func newsOf(i int) nostr.Event {
	return nostr.Event{Kind: 5050, CreatedAt: epoch, PubKey: fmt.Sprintf("%064x", 1), Content: fmt.Sprint(i)}
}

func TestWatch_OneNoteForABurstRenderedOnce(t *testing.T) {
	r := newWatchRig(t, WatchOptions{Beat: 200 * time.Millisecond})
	a, b := r.Subscribe(TopicJob), r.Subscribe(TopicJob)
	defer a.Close()
	defer b.Close()
	burst := []nostr.Event{newsOf(0)}
	root := storetest.Parsed(t, burst[0]).ID
	for i := range 99 {
		burst = append(burst, nostr.Event{Kind: 7000, CreatedAt: epoch, PubKey: fmt.Sprintf("%064x", 2+i), Tags: nostr.Tags{{"e", root.String()}}})
	}
	ids := r.commit(burst...)
	for _, s := range []*Subscription{a, b} {
		notes := r.next(s)
		if len(notes) != 1 || notes[0].Root != root || len(notes[0].Moved) != maxMoved || notes[0].Omitted != 100-maxMoved {
			t.Fatalf("%d notes, the first %+v, want one that names the newest %d events", len(notes), notes[0], maxMoved)
		}
		if got, want := notes[0].Moved[maxMoved-1].ID, ids[99]; got != want {
			t.Errorf("moved last by %s, want %s", got, want)
		}
		if _, err := r.Show(context.Background(), notes, r.render); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.rendered.Load(); n != 1 {
		t.Errorf("rendered %d times for two readers, want once", n)
	}
}

func TestWatch_NothingIsRenderedForNobody(t *testing.T) {
	r := newWatchRig(t, WatchOptions{})
	s := r.Subscribe(TopicProvider)
	defer s.Close()
	for i := range 50 {
		r.commit(newsOf(i))
	}
	r.commit(nostr.Event{Kind: 31990, CreatedAt: epoch, PubKey: fmt.Sprintf("%064x", 1), Tags: nostr.Tags{{"d", "x"}, {"k", "5050"}}})
	r.next(s)
	if n := r.rendered.Load(); n != 1 {
		t.Errorf("rendered %d notes, want the one that somebody follows", n)
	}
}

func TestWatch_ALossEndsWhatIsShared(t *testing.T) {
	r := newWatchRig(t, WatchOptions{})
	s := r.Subscribe(TopicJob)
	defer s.Close()
	r.commit(newsOf(1))
	notes := r.next(s)
	show := func() {
		t.Helper()
		if _, err := r.Show(context.Background(), notes, r.render); err != nil {
			t.Fatal(err)
		}
	}
	show()
	if n := r.rendered.Load(); n != 1 {
		t.Fatalf("rendered %d times, want once", n)
	}
	r.commit(nostr.Event{Kind: 5, CreatedAt: epoch, PubKey: fmt.Sprintf("%064x", 1), Tags: nostr.Tags{{"e", notes[0].Root.String()}}})
	before := r.rendered.Load()
	show()
	if r.rendered.Load() <= before {
		t.Error("what was rendered before the deletion is shown after it")
	}
	r.commit(newsOf(2))
	notes = r.next(s)
	r.clock.at.Add(10)
	before = r.rendered.Load()
	show()
	if r.rendered.Load() <= before {
		t.Error("an old rendering is shown, in which a body may have expired")
	}
}

func TestWatch_ResumeAndMissed(t *testing.T) {
	r := newWatchRig(t, WatchOptions{MaxNotes: 10})
	s := r.Subscribe(TopicJob)
	defer s.Close()
	start := s.At()
	seen := 0
	for i := range 30 {
		r.commit(newsOf(i))
		seen += len(r.next(s))
	}
	if seen != 30 {
		t.Fatalf("told %d jobs, want 30", seen)
	}
	last := s.At()
	if err := s.Resume(start); !errors.Is(err, ErrMissed) {
		t.Errorf("resume from the beginning: %v, want ErrMissed", err)
	}
	if s.At() != last {
		t.Errorf("a resume that failed moved the reader")
	}
	if err := s.Resume(last + 1); !errors.Is(err, ErrMissed) {
		t.Errorf("resume from the future: %v, want ErrMissed", err)
	}
	// Each commit made two notes, a job and an event, of which five of each are kept.
	if err := s.Resume(last - 10); err != nil {
		t.Errorf("resume among what is kept: %v", err)
	}
	if notes := r.next(s); len(notes) != 5 {
		t.Errorf("%d jobs after resuming, want 5", len(notes))
	}
}

func TestWatch_NotesAgeOut(t *testing.T) {
	r := newWatchRig(t, WatchOptions{})
	s := r.Subscribe(TopicJob)
	defer s.Close()
	before := s.At()
	r.commit(newsOf(1))
	r.next(s)
	r.clock.at.Add(601)
	later := newsOf(2)
	later.CreatedAt += 601
	r.commit(later)
	r.next(s)
	if err := s.Resume(before); !errors.Is(err, ErrMissed) {
		t.Errorf("resume over ten minutes: %v, want ErrMissed", err)
	}
}

func TestWatch_AFloodIsAReset(t *testing.T) {
	r := newWatchRig(t, WatchOptions{MaxNotes: 100, Beat: 50 * time.Millisecond})
	s := r.Subscribe(TopicJob)
	defer s.Close()
	flood := make([]nostr.Event, 300)
	for i := range flood {
		flood[i] = newsOf(i)
	}
	r.commit(flood...)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// Nobody is told a part of it: a reader hears that it missed something, or nothing is left of the old notes.
	for {
		_, _, err := s.Next(ctx, 10)
		if errors.Is(err, ErrMissed) {
			break
		}
		if err != nil {
			t.Fatalf("next: %v, want ErrMissed", err)
		}
	}
	r.commit(newsOf(1000))
	if notes := r.next(s); len(notes) != 1 {
		t.Errorf("%d notes after the flood, want one", len(notes))
	}
}

func TestWatch_ThePastIsNoNews(t *testing.T) {
	r := newWatchRig(t, WatchOptions{})
	s := r.Subscribe(TopicJob, TopicEvent)
	defer s.Close()
	old := newsOf(1)
	old.CreatedAt = epoch - 601
	r.commit(old)
	want := r.commit(newsOf(2))
	if notes := r.next(s); notes[0].Root != want[0] {
		t.Errorf("first told of %s, want %s", notes[0].Root, want[0])
	}
}

func TestWatch_ToldNotesStandForTheirElders(t *testing.T) {
	r := newWatchRig(t, WatchOptions{})
	s := r.Subscribe(TopicStats)
	defer s.Close()
	for i := range 5 {
		r.Tell(TopicStats, "24h", []byte(fmt.Sprint(i)))
	}
	if notes := r.next(s); len(notes) != 1 || string(notes[0].Told) != "4" {
		t.Errorf("%d notes, want the newest", len(notes))
	}
}

func TestWatch_ManyWritersManyReaders(t *testing.T) {
	r := newWatchRig(t, WatchOptions{})
	const writers, each, readers = 4, 50, 8
	subs := make([]*Subscription, readers)
	for i := range subs {
		subs[i] = r.Subscribe(TopicJob)
		defer subs[i].Close()
	}
	var mu sync.Mutex // the store commits one group after another
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				mu.Lock()
				r.commit(newsOf(w*each + i))
				mu.Unlock()
			}
		})
	}
	for _, s := range subs {
		wg.Go(func() {
			seen := map[nip90.ID]int{}
			last := uint64(0)
			for len(seen) < writers*each {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				notes, _, err := s.Next(ctx, 7)
				cancel()
				if err != nil {
					t.Errorf("told %d jobs of %d: %v", len(seen), writers*each, err)
					return
				}
				for _, n := range notes {
					seen[n.Root]++
					if n.ID <= last || seen[n.Root] > 1 {
						t.Errorf("note %d after %d, told %d times", n.ID, last, seen[n.Root])
					}
					last = n.ID
				}
			}
		})
	}
	wg.Wait()
}
