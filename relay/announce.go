package relay

import (
	"time"

	"dvmrelay/nip90"
	"dvmrelay/relay/live"
	"dvmrelay/store"
)

// staleAfter is how old an event from backfill, import or sync may be and still be told live: nobody wants to be handed
// a month of old jobs.
const staleAfter = 10 * time.Minute

// announcement is what one commit tells live subscribers.
type announcement struct {
	events []live.Event
}

// Committed hears of a group that is on disk and visible, in the order of commits; it is what store.Options.Committed
// wants. Subscribers are told by Run, so that the store goes on; when that falls far behind, the store waits for it. It
// never waits for a peer.
func (r *Relay) Committed(version uint64, commits []store.Commit) {
	now := r.d.Now().Unix()
	events := make([]live.Event, 0, len(commits))
	for _, c := range commits {
		if c.Parsed == nil || c.Outcome != store.Stored || !isNews(c.Parsed, now) {
			continue
		}
		events = append(events, live.Event{Parsed: c.Parsed, Roots: c.Change.Roots, Version: version})
	}
	if len(events) > 0 {
		r.announce(announcement{events})
	}
}

// isNews says whether live subscribers are told of an event.
func isNews(p *nip90.Parsed, now int64) bool {
	if p.Expires != 0 && p.Expires <= now {
		return false
	}
	switch p.Door {
	case nip90.DoorBackfill, nip90.DoorImport, nip90.DoorSync:
		return now-p.CreatedAt <= int64(staleAfter/time.Second)
	}
	return true
}

// announce queues what live subscribers are to be told. Before Run there are none.
func (r *Relay) announce(a announcement) {
	select {
	case <-r.started:
	default:
		return
	}
	select {
	case r.announcements <- a:
	case <-r.stopped:
	}
}

// announceAll hands announcements to the live index until done is closed.
func (r *Relay) announceAll(done <-chan struct{}) {
	for {
		select {
		case a := <-r.announcements:
			r.publish(a)
		case <-done:
			return
		}
	}
}

func (r *Relay) publish(a announcement) {
	if r.live.NeedsJobs() {
		r.describe(a.events)
	}
	now := r.d.Now().Unix()
	for _, e := range a.events {
		if e.Parsed.Expires == 0 || e.Parsed.Expires > now {
			r.live.Publish(e)
		}
	}
}

// describe notes what the jobs of the events are, for live searches. What cannot be read is left out, and then no live
// search for jobs finds it.
func (r *Relay) describe(events []live.Event) {
	snap := r.d.Store.Snapshot()
	defer snap.Close()
	for i := range events {
		e := &events[i]
		for _, root := range e.Roots {
			n, ok, err := r.d.Index.JobNote(snap, root, e.Parsed.Author)
			if err != nil {
				r.d.Log.Warn("job not described to live searches", "id", root.String(), "err", err)
				continue
			}
			if ok {
				e.Jobs = append(e.Jobs, live.JobNote(n))
			}
		}
	}
}
