package policies

import (
	"dvmrelay/nip90"
)

// Standing says who has earned an exemption from the rate of an address. It is asked only when a bucket is empty, by
// the goroutine that reads the socket, so it answers at once: a point read, or less. Safe for concurrent use.
type Standing interface {
	Provider(nip90.PubKey) bool // it announced a handler for job kinds, or answered a job
	Request(nip90.ID) bool      // it is a job request seen here
}

// View makes a Standing of something that opens a view of what is known, and closes it again. An error counts as no.
type View func() (k Known, done func())

// Provider implements Standing.
func (v View) Provider(pk nip90.PubKey) bool {
	k, done := v()
	defer done()
	known, err := k.Provider(pk)
	return err == nil && known
}

// Request implements Standing.
func (v View) Request(id nip90.ID) bool {
	k, done := v()
	defer done()
	known, err := k.Request(id)
	return err == nil && known
}

// answersKnownJob says whether an event claims to be the answer of a known provider to a known request. It is a claim:
// nothing is verified yet.
func answersKnownJob(s Standing, p *nip90.Parsed) bool {
	var links []nip90.Link
	switch m := p.Message.(type) {
	case *nip90.Result:
		links = m.Links
	case *nip90.Feedback:
		links = m.Links
	}
	if len(links) == 0 || !s.Provider(p.Author) {
		return false
	}
	for _, l := range links {
		if s.Request(l.ID) {
			return true
		}
	}
	return false
}
