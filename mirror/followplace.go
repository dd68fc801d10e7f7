package mirror

import (
	"cmp"
	"maps"
	"slices"

	"dvmrelay/nip90"
)

// place is a relay that jobs name, and the jobs that do.
type place struct {
	url, host string
	rank      int
	names     int // jobs that name it, also those that found no room
	jobs      map[nip90.ID]Job
}

// The ranks of places when there are more than connections.
const (
	rankUseful = iota // it brings answers
	rankNew           // connected not long ago
	rankWaits
	rankIdle // connected long enough, and nothing came
)

// places are the relays to listen on, by address: at most bounds.relays of them. mu must be held.
func (f *follower) places(jobs []Job, known map[string]bool) map[string]*place {
	all := map[string]*place{}
	counted := make(map[nip90.ID]bool, len(jobs))
	for _, j := range jobs {
		counted[j.ID] = true
		for _, p := range f.named(j, known, !f.counted[j.ID]) {
			at := all[p.url]
			if at == nil {
				at = p
				all[p.url] = at
			}
			at.names++
			if len(at.jobs) < f.b.relayJobs {
				at.jobs[j.ID] = j
			}
		}
	}
	f.counted = counted
	f.tally.jobs = len(jobs)
	now := f.m.now()
	for url, p := range all {
		l := f.listeners[url]
		switch {
		case l == nil && (now.Before(f.failed[p.host].until) || now.Before(f.failed[url].until)):
			delete(all, url)
		case l == nil:
			p.rank = rankWaits
		case l.useful():
			p.rank = rankUseful
		case now.Sub(l.began) < f.b.patience:
			p.rank = rankNew
		default:
			p.rank = rankIdle
		}
	}
	f.choose(all)
	return all
}

// choose leaves the places that there is room for. mu must be held.
func (f *follower) choose(all map[string]*place) {
	hosts := map[string]int{}
	room := f.b.relays
	for _, p := range f.inOrder(all) {
		if room > 0 && hosts[p.host] < f.b.hostRelays {
			room--
			hosts[p.host]++
			continue
		}
		if l := f.listeners[p.url]; l != nil && p.rank == rankIdle {
			l.idle = true
		}
		delete(all, p.url)
	}
}

// inOrder are places, the best first.
func (f *follower) inOrder(all map[string]*place) []*place {
	return slices.SortedFunc(maps.Values(all), func(a, b *place) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.names, a.names), cmp.Compare(a.url, b.url))
	})
}

// named are the relays of a job that may be dialled, by turns those that its customer names and those that its providers
// publish on. With count the refused ones are counted.
func (f *follower) named(j Job, known map[string]bool, count bool) (out []*place) {
	looked := 0
	for i := range max(len(j.Relays), len(j.Writes)) {
		for _, list := range [2][]string{j.Relays, j.Writes} {
			if i >= len(list) {
				continue
			}
			if looked++; looked > f.b.jobNames || len(out) == f.b.jobRelays {
				if count {
					f.tally.refused[refusedTooMany] += uint64(max(0, len(j.Relays)-i) + max(0, len(j.Writes)-i))
				}
				return out
			}
			u, err := f.guard.learned(list[i])
			if err != nil {
				if count {
					f.tally.refused[refusalOf(err)]++
				}
				continue
			}
			p := &place{url: u.String(), host: u.Hostname(), jobs: map[nip90.ID]Job{}}
			if known[p.url] || slices.ContainsFunc(out, func(o *place) bool { return o.url == p.url }) {
				continue
			}
			out = append(out, p)
		}
	}
	return out
}
