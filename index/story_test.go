package index

import (
	"fmt"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) story(t testing.TB, id string, q StoryQuery) (s Story) {
	t.Helper()
	err := r.View(func(v store.Reader) error {
		var ok bool
		var err error
		s, ok, err = r.x.Story(v, mustID(t, id), q)
		if err == nil && !ok {
			t.Fatalf("no story of %s", id)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStory_IsAPartOfTheThread: a long thread is read in parts, and what its provider did at its end is in the first one.
func TestStory_IsAPartOfTheThread(t *testing.T) {
	r := newRig(t, nil)
	job := request("alice", 0)
	events := []nostr.Event{job}
	for i := range 60 {
		events = append(events, feedback("bob", 1+int64(i)/7, "processing", job.ID, tag("n", fmt.Sprint(i))))
	}
	asked := feedback("bob", 50, "payment-required", job.ID, tag("amount", "5000"))
	paid := nutzap("alice", "bob", 60, 5, "s", asked.ID)
	done := result("bob", 70, job.ID)
	r.put(t, append(events, asked, paid, done)...)

	s := r.story(t, job.ID, StoryQuery{Most: 20, Rows: 7})
	if s.First != 20 || s.Count != 64 || !s.More || !s.Later {
		t.Errorf("got %d of %d events, more %t, later %t; want 20 of 64 and more", s.First, s.Count, s.More, s.Later)
	}
	for _, want := range []string{asked.ID, paid.ID, done.ID} {
		if !slices.ContainsFunc(s.Events[s.First:], func(e Entry) bool { return e.ID.String() == want }) {
			t.Errorf("%s is not among what came later", want)
		}
	}
	whole, _ := r.thread(t, job.ID)
	if s.State != whole.State || s.Payment != whole.Payment || len(s.Why) != len(whole.Why) {
		t.Errorf("the story stands at %s, %s, the thread at %s, %s", s.State, s.Payment, whole.State, whole.Payment)
	}
	// Page by page the rows are the events of the thread in their order, with the same findings.
	var after nip90.ID
	var got []string
	for range 20 {
		s := r.story(t, job.ID, StoryQuery{Most: 20, After: after, Rows: 7})
		for _, e := range s.Rows {
			got = append(got, fmt.Sprint(e.ID, len(e.Findings)))
			after = e.ID
		}
		if !s.Later {
			break
		}
	}
	var want []string
	for _, e := range whole.Events {
		want = append(want, fmt.Sprint(e.ID, len(e.Findings)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows are\n%v\nwant\n%v", got, want)
	}
	if all := r.story(t, done.ID, StoryQuery{Rows: 100}); all.First != 64 || all.Later || len(all.Rows) != 64 || all.More {
		t.Errorf("a story without a bound has %d of 64 events, %d rows", all.First, len(all.Rows))
	}
}

func TestSupply_WhoCouldHaveAnswered(t *testing.T) {
	r := newRig(t, nil)
	r.at.Store(epoch + 100)
	open, named := request("alice", 0, tag("n", "open")), request("alice", 0, tag("p", key("dave")), tag("p", key("nobody")))
	r.put(t,
		announce("bob", "fox", "Fox", -500, "5100"), announce("dave", "owl", "Owl", -400, "5100"), beat("dave", 50),
		announce("erin", "cat", "Cat", -300, "5050"), announce("frank", "late", "Late", 60, "5100"),
		open, named, feedback("bob", 10, "processing", open.ID),
	)
	supply := func(id string) (s Supply, beats map[nip90.PubKey]int64) {
		err := r.View(func(v store.Reader) error {
			th, _, err := r.x.Thread(v, mustID(t, id))
			if err != nil {
				return err
			}
			if s, err = r.x.Supply(v, &th, 5); err != nil {
				return err
			}
			beats, err = r.x.Beats(v, []nip90.PubKey{pub(t, "dave"), pub(t, "bob")})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, beats
	}
	s, beats := supply(open.ID)
	if s.Providers != 3 || s.Online != 1 || len(s.Silent) != 1 || s.Silent[0].Name != "Owl" || s.Silent[0].Addressed || s.Silent[0].LastBeat != epoch+50 {
		t.Errorf("supply %+v, want 3 providers, one online, and Owl silent", s)
	}
	if len(beats) != 1 || beats[pub(t, "dave")] != epoch+50 {
		t.Errorf("heartbeats %v, want dave's alone", beats)
	}
	s, _ = supply(named.ID)
	if len(s.Silent) != 2 || s.Silent[0].Name != "Owl" || !s.Silent[0].Addressed || s.Silent[1].LastSeen != 0 {
		t.Errorf("silent %+v, want Owl and one who was never met, both addressed", s.Silent)
	}
}
