package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func TestExport_OldestFirstAcrossPagesAndCrowdedSeconds(t *testing.T) {
	local, s := open(t)
	local.page = 40
	var want []string
	for i := range 3*local.page + 7 {
		at := int64(1_700_000_000)
		if i >= 2*local.page+10 {
			at += int64(i)
		}
		p := storetest.Parsed(t, nostr.Event{Kind: 5300, PubKey: strings.Repeat("aa", 32), CreatedAt: nostr.Timestamp(at), Content: fmt.Sprint(i)})
		if _, err := s.Submit(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		want = append(want, p.Event.ID)
	}
	s.Put(t, storetest.Parsed(t, nostr.Event{Kind: 5300, PubKey: strings.Repeat("aa", 32), CreatedAt: 1, Content: "first"}))
	client := running(t, t.TempDir(), local)
	for name, v := range map[string]Verbs{"alone": local, "beside": client} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := v.Export(context.Background(), nostr.Filter{Kinds: []int{5300}}, &out); err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			last := int64(0)
			for dec := json.NewDecoder(&out); dec.More(); {
				var e nostr.Event
				if err := dec.Decode(&e); err != nil {
					t.Fatal(err)
				}
				if int64(e.CreatedAt) < last {
					t.Fatalf("event at %d comes after one at %d", e.CreatedAt, last)
				}
				last = int64(e.CreatedAt)
				if got[e.ID] {
					t.Fatalf("event %s comes twice", e.ID)
				}
				got[e.ID] = true
			}
			if len(got) != len(want)+1 {
				t.Errorf("%d events, want %d", len(got), len(want)+1)
			}
		})
	}
	var few bytes.Buffer
	if err := client.Export(context.Background(), nostr.Filter{Limit: 5}, &few); err != nil || bytes.Count(few.Bytes(), []byte("\n")) != 5 {
		t.Errorf("with limit 5: %d lines, %v, want 5", bytes.Count(few.Bytes(), []byte("\n")), err)
	}
}

func TestExport_FailureInTheMiddleIsTold(t *testing.T) {
	client := running(t, t.TempDir(), brokenExport{})
	var out bytes.Buffer
	err := client.Export(context.Background(), nostr.Filter{}, &out)
	if err == nil || err.Error() != "disk: gone\nfor good" || out.Len() == 0 {
		t.Errorf("Export = %v after %d bytes, want the error after some", err, out.Len())
	}
}

type brokenExport struct{ *Local }

func (brokenExport) Export(_ context.Context, _ nostr.Filter, out io.Writer) error {
	_, err := out.Write(bytes.Repeat([]byte("{}\n"), 10_000))
	return errors.Join(err, errors.New("disk: gone\nfor good"))
}
