package index

import (
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

func TestPerson_IsWhatTheKeySaidAndDid(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	r.put(t, event("bob", 0, 1, `{"name":"Bob","about":"answers"}`), event("zoe", 0, 1, `{"name":"Zoe\u202e"}`))
	person := func(name string) Person {
		return view(t, r, func(v store.Reader) (Person, error) { return r.x.Person(v, pub(t, name)) })
	}
	if p := person("bob"); p.Name != "Bob" || p.About != "answers" || !p.Provider || p.Customer || !p.Known || !slices.Equal(p.Serves, []int{5100}) {
		t.Errorf("a provider: %+v", p)
	}
	if p := person("alice"); !p.Customer || p.Provider || p.Name != "" || p.Serves == nil || p.Npub != nip90.Npub(pub(t, "alice")) {
		t.Errorf("a customer: %+v", p)
	}
	if p := person("zoe"); p.Name != "Zoe" || p.Customer || p.Provider || !p.Known {
		t.Errorf("one who only has a profile: %+v", p)
	}
	if p := person("nobody at all"); p.Known || p.Customer || p.Provider || p.Name != "" {
		t.Errorf("a stranger: %+v", p)
	}
	names := view(t, r, func(v store.Reader) (map[nip90.PubKey]string, error) {
		return r.x.Names(v, []nip90.PubKey{pub(t, "bob"), pub(t, "alice"), pub(t, "bob"), pub(t, "zoe")})
	})
	if len(names) != 2 || names[pub(t, "bob")] != "Bob" || names[pub(t, "zoe")] != "Zoe" {
		t.Errorf("names %v, want those who have one", names)
	}
}

func TestAsked_CountsTheNewestJobs(t *testing.T) {
	r := newRig(t, nil)
	asked := func(name string) Asked {
		return view(t, r, func(v store.Reader) (Asked, error) { return r.x.Asked(v, pub(t, name)) })
	}
	if a := asked("alice"); a != (Asked{}) {
		t.Errorf("of nothing: %+v", a)
	}
	r.put(t, result("bob", 150, request("alice", 100).ID), request("alice", 100), request("alice", 200), request("carol", 300))
	if a := asked("alice"); a != (Asked{Jobs: 2, Answered: 1, Delivered: 1, FirstAt: epoch + 100, LastAt: epoch + 200}) {
		t.Errorf("got %+v", a)
	}
	for i := range maxAskedJobs {
		r.put(t, request("dave", int64(i)))
	}
	if a := asked("dave"); a.Jobs != maxAskedJobs || a.More {
		t.Errorf("as many as are counted: %+v", a)
	}
	r.put(t, request("dave", maxAskedJobs))
	if a := asked("dave"); a.Jobs != maxAskedJobs || !a.More || a.FirstAt != epoch+1 {
		t.Errorf("more than are counted: %+v", a)
	}
}
