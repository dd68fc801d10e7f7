package relay_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestThread_IsPlayedThroughOneRelay(t *testing.T) {
	r := open(t)
	customer, provider, observer := r.dial(), r.dial(), r.dial()
	provider.send(`["REQ","jobs",{"kinds":[5300],"limit":0}]`)
	provider.want("EOSE", "jobs")
	job := event("customer", 5300, "", nostr.Tag{"i", "what is up", "text"})
	observer.send(fmt.Sprintf(`["REQ","thread",{"search":"thread:%s"}]`, job.ID))
	observer.want("EOSE", "thread")
	customer.send(fmt.Sprintf(`["REQ","answers",{"kinds":[6300,7000],"#e":["%s"]}]`, job.ID))
	customer.want("EOSE", "answers")
	customer.publish(job)
	if got := provider.want("EVENT", "jobs").id(); got != job.ID {
		t.Fatalf("provider got %s, want %s", got, job.ID)
	}
	feedback := event("provider", 7000, "", nostr.Tag{"e", job.ID}, nostr.Tag{"p", pub("customer")}, nostr.Tag{"status", "processing"})
	result := event("provider", 6300, "[]", nostr.Tag{"e", job.ID}, nostr.Tag{"p", pub("customer")})
	provider.publish(feedback, result)
	want := []string{job.ID, feedback.ID, result.ID}
	for _, id := range want[1:] {
		if got := customer.want("EVENT", "answers").id(); got != id {
			t.Fatalf("customer got %s, want %s", got, id)
		}
	}
	for _, id := range want {
		if got := observer.want("EVENT", "thread").id(); got != id {
			t.Fatalf("observer got %s, want %s", got, id)
		}
	}
	for _, id := range want {
		got := observer.query(fmt.Sprintf(`{"search":"thread:%s"}`, id))
		slices.Sort(got)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got, sorted) {
			t.Errorf("thread:%s gives %v, want %v", id, got, sorted)
		}
	}
	observer.send(fmt.Sprintf(`["COUNT","n",{"search":"thread:%s"}]`, result.ID))
	observer.want("COUNT", "n", `{"count":3}`)
}
