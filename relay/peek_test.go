package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dvmrelay/policies"

	"github.com/nbd-wtf/go-nostr"
)

// peeked asks without a socket.
func (r *rig) peeked(filter string, count bool, most int) (ids []string, n int64, complete bool) {
	r.t.Helper()
	var f nostr.Filter
	if err := json.Unmarshal([]byte(filter), &f); err != nil {
		r.t.Fatal(err)
	}
	got, err := r.relay.Peek(context.Background(), f, count, most)
	if err != nil {
		r.t.Fatalf("peek %s: %v", filter, err)
	}
	for _, raw := range got.Events {
		var evt nostr.Event
		if err := json.Unmarshal(raw, &evt); err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, evt.ID)
	}
	return ids, got.Count, got.Complete
}

// TestPeek_IsWhatASocketWithoutAKeyGets: events for others, encrypted jobs and what has expired included.
func TestPeek_IsWhatASocketWithoutAKeyGets(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		r := open(t, withURL, func(o *rigOptions) { o.relay.AuthEncrypted = sealed })
		c := r.dial()
		_ = c.challenge()
		now := r.clock.now().Unix() - 3000
		j1, f1, r1 := answered("alice", "bob", 5300, now)
		j2, f2, _ := answered("carla", "bob", 5100, now+10)
		hidden := eventAt("alice", 5300, now+20, "AqRz?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"p", pub("dora")})
		gift := eventAt("alice", 1059, now+30, "sealed", nostr.Tag{"p", pub("dora")}, nostr.Tag{"e", j1.ID})
		c.publish(j1, j2, hidden, f1, r1, f2)
		_ = c.verdict(gift)
		filters := []string{
			`{}`, `{"kinds":[5300]}`, `{"kinds":[5300,7000],"limit":2}`, `{"kinds":[1059,5300]}`, `{"limit":1}`, `{"ids":["` + hidden.ID + `","` + r1.ID + `"]}`,
			`{"authors":["` + pub("alice") + `"]}`, `{"#p":["` + pub("dora") + `"]}`, `{"#e":["` + j1.ID + `"],"since":` + fmt.Sprint(now+2) + `}`,
			`{"search":"thread:` + r1.ID + `"}`, `{"search":"encrypted:true"}`, `{"search":"state:success","kinds":[6300]}`, `{"search":"fox"}`,
			`{"search":"provider:` + pub("bob") + `","limit":2}`, `{"kinds":[9999]}`,
		}
		for _, filter := range filters {
			want := c.query(filter)
			got, _, complete := r.peeked(filter, false, 100)
			if !slices.Equal(got, want) {
				t.Errorf("sealed %t, %s: got %v, a socket %v", sealed, filter, got, want)
			}
			if limited := strings.Contains(filter, "limit"); complete == limited {
				t.Errorf("sealed %t, %s: complete is %t", sealed, filter, complete)
			}
			c.send(`["COUNT","n",` + filter + `]`)
			_, n, exact := r.peeked(filter, true, 100)
			c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, n))
			if !exact {
				t.Errorf("sealed %t, %s: the count is not exact", sealed, filter)
			}
		}
		if got, _, complete := r.peeked(`{"kinds":[7000]}`, false, 1); !slices.Equal(got, []string{f2.ID}) || complete {
			t.Errorf("one of two: got %v, complete %t", got, complete)
		}
		if got, _, complete := r.peeked(`{"limit":0}`, false, 9); len(got) > 0 || complete {
			t.Errorf("nothing was asked for: got %v, complete %t", got, complete)
		}
	}
}

func TestPeek_IsBounded(t *testing.T) {
	r := open(t)
	c := r.dial()
	long := strings.Repeat("x", 200<<10)
	for i := range 8 {
		c.publish(eventAt("alice", 5300, r.clock.now().Unix()-int64(i), long))
	}
	if got, _, complete := r.peeked(`{}`, false, 100); len(got) == 0 || len(got) > 5 || complete {
		t.Errorf("8 events of 200 KiB: got %d, complete %t; want what fits into a MiB", len(got), complete)
	}
	for want, f := range map[string]nostr.Filter{
		"invalid: search: \"stat:\"": {Search: "stat:open"},
		"invalid: search: has ":      {Search: strings.Repeat("word ", 20_000)},
		"restricted: these kinds":    {Kinds: []int{1059}}, // CLOSED to a socket
	} {
		_, err := r.relay.Peek(context.Background(), f, false, 10)
		if no, ok := policies.AsRejection(err); !ok || !strings.HasPrefix(no.Error(), want) {
			t.Errorf("got %v, want a refusal: %s", err, want)
		}
	}
}
