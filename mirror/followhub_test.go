package mirror_test

import (
	"context"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// openJobs is the adapter of the program.
type openJobs struct{ h *hub }

func (o openJobs) Open(since int64, limit int) (jobs []mirror.Job, err error) {
	err = o.h.store.View(func(r store.Reader) error {
		list, err := o.h.index.OpenJobs(r, since, limit)
		for _, j := range list {
			jobs = append(jobs, mirror.Job(j))
		}
		return err
	})
	return jobs, err
}

func TestHubs_AJobIsFollowedToTheRelayItNames(t *testing.T) {
	here, there := newHub(t), newHub(t)
	o := mirror.LetLoopback(mirror.Options{Follow: true, Jobs: openJobs{here}})
	m := mirror.New(o, here.relay, here.store.Store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run mirror: %v", err)
		}
	})
	request, raw := signed(t, 5300, nostr.Tag{"i", "x", "text"}, nostr.Tag{"relays", there.addr})
	for _, h := range []*hub{here, there} {
		if v := h.submit(request, raw); v.Outcome != mirror.Stored {
			t.Fatalf("request: %+v", v)
		}
	}
	result, raw := signed(t, 6300, nostr.Tag{"e", request.ID}, nostr.Tag{"p", request.PubKey})
	other, otherRaw := signed(t, 6300, nostr.Tag{"e", strings.Repeat("0", 64)})
	there.submit(other, otherRaw)
	if v := there.submit(result, raw); v.Outcome != mirror.Stored {
		t.Fatalf("result: %+v", v)
	}
	here.until("success", func() bool { return strings.HasPrefix(here.thread(request.ID), request.ID+index.StateSuccess) })
	here.until("the end of following", func() bool { return m.Following().Relays == 0 })
	if f := m.Following(); f.Accepted != 1 || f.Dials != 1 || len(f.Rejected) != 0 {
		t.Errorf("following = %+v, want one event by one dial", f)
	}
}
