package index

import (
	"fmt"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) note(t testing.TB, root string, author nip90.PubKey) (n JobNote, ok bool) {
	t.Helper()
	err := r.View(func(v store.Reader) (err error) {
		n, ok, err = r.x.JobNote(v, mustID(t, root), author)
		return err
	})
	if err != nil {
		t.Fatalf("note job %s: %v", root, err)
	}
	return n, ok
}

func TestJobNote(t *testing.T) {
	plain, orphan := request("alice", 1), request("nobody", 1)
	tags := []nostr.Tag{tag("encrypted")}
	for i := range 12 {
		tags = append(tags, tag("p", key(fmt.Sprint("p", i))))
	}
	sealed := event("alice", 5300, 2, "AqRz?iv=abc", tags...)
	r := newRig(t, nil)
	r.put(t, plain, sealed, feedback("zoe", 3, "processing", orphan.ID))
	for i := range maxNoted + 6 {
		r.put(t, feedback(fmt.Sprint("p", i), 5, "processing", plain.ID))
	}
	r.put(t, feedback("zz", 6, "processing", plain.ID), nutzap("alice", "unpaid", 7, 1, "x", plain.ID))
	n, ok := r.note(t, plain.ID, pub(t, "zz"))
	if !ok || n.Kind != 5100 || n.Customer != pub(t, "alice") || n.Encrypted || len(n.Providers) != maxNoted || n.Providers[0] != pub(t, "zz") {
		t.Errorf("a plain job: got %t, %+v", ok, n)
	}
	if n, _ = r.note(t, plain.ID, pub(t, "unpaid")); slices.Contains(n.Providers, pub(t, "unpaid")) {
		t.Error("who was paid and has not answered is noted as a provider")
	}
	n, ok = r.note(t, sealed.ID, pub(t, "alice"))
	if !ok || n.Kind != 5300 || !n.Encrypted || len(n.Providers) != 0 {
		t.Errorf("a sealed job: got %t, %+v", ok, n)
	}
	for i := range 12 {
		if !slices.Contains(n.Addressed, pub(t, fmt.Sprint("p", i))) {
			t.Errorf("p%d is addressed and not noted", i)
		}
	}
	if got, _ := r.selects(t, Selection{Encrypted: &n.Encrypted, Private: true, Readers: []nip90.PubKey{pub(t, "p11")}}); len(got) != 1 {
		t.Errorf("the last of those addressed finds %d events, want 1", len(got))
	}
	if _, ok = r.note(t, orphan.ID, pub(t, "zoe")); ok {
		t.Error("a job whose request is not here is noted")
	}
}

func TestJobNote_KeepCustomerFalseForgetsWithTheBody(t *testing.T) {
	job := request("alice", 1, tag("expiration", at(1100)))
	r := newRig(t, func(o *Options) { o.KeepCustomer = false })
	r.put(t, job)
	for _, want := range []bool{true, false} {
		if n, _ := r.note(t, job.ID, pub(t, "alice")); n.Customer.IsZero() == want {
			t.Errorf("with a body %t: customer %s", want, n.Customer)
		}
		r.at.Store(epoch + 2000)
		r.sweep(t)
	}
}
