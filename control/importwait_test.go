package control

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// TestImport_WhatWaitedIsCountedAsStored imports children before parents into a store that keeps them meanwhile.
func TestImport_WhatWaitedIsCountedAsStored(t *testing.T) {
	x := index.New(index.Options{KeepCustomer: true})
	set, err := policies.New(policies.DefaultOptions(), policies.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, storetest.Check(x.Check), storetest.With(func(o *store.Options) {
		o.Indexer = x
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error { return set.Admit(x.Known(txn), p) }
	}))
	local := &Local{Submit: func(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
		out, _, err := s.Save(ctx, p)
		if _, refused := policies.AsRejection(err); refused {
			return mirror.Verdict{Outcome: mirror.Refused, Reason: "restricted"}
		}
		switch {
		case err != nil:
			return mirror.Verdict{Outcome: mirror.Failed, Err: err}
		case out == store.Waiting:
			return mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonWaiting}
		case out == store.Duplicate:
			return mirror.Verdict{Outcome: mirror.Duplicate}
		case out == store.FactOnly:
			return mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonFactOnly}
		}
		return mirror.Verdict{Outcome: mirror.Stored}
	}}
	now := nostr.Now()
	job := storetest.Parsed(t, nostr.Event{Kind: 5050, PubKey: strings.Repeat("aa", 32), CreatedAt: now})
	about := nostr.Tag{"e", job.Event.ID}
	var lines []string
	add := func(kind int, tags ...nostr.Tag) {
		evt := nostr.Event{Kind: kind, PubKey: strings.Repeat("bb", 32), CreatedAt: now, Tags: tags, Content: fmt.Sprint(len(lines))}
		lines = append(lines, string(storetest.Parsed(t, evt).Raw))
	}
	for range 12 {
		add(9735, about)
	}
	add(9735, about, nostr.Tag{"expiration", fmt.Sprint(time.Now().Unix() - 5)})
	add(9735, nostr.Tag{"e", strings.Repeat("f", 64)}) // of nothing known, ever
	add(1984)                                          // names nothing
	lines = append(lines, lines[0], string(job.Raw))
	report, err := local.Import(context.Background(), strings.NewReader(strings.Join(lines, "\n")), nil)
	want := ImportReport{
		Read: uint64(len(lines)), Stored: 13, Duplicate: 1, FactOnly: 1, Bytes: int64(len(strings.Join(lines, "\n"))),
		Rejected: map[string]uint64{mirror.ReasonWaiting: 1, "restricted": 1},
	}
	if d := cmp.Diff(want, report); d != "" || err != nil {
		t.Errorf("%v, report -want +got\n%s", err, d)
	}
	if st := s.Stats(); st.Facts != 14 || st.Waiting != 1 {
		t.Errorf("%d facts, %d wait; want 14 and 1", st.Facts, st.Waiting)
	}
}
