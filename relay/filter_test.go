package relay_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// array is a JSON array of n values.
func array[T any](n int, value func(i int) T) string {
	values := make([]T, n)
	for i := range values {
		values[i] = value(i)
	}
	b, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func hexOf(i int) string { return fmt.Sprintf("%064x", i) }

func TestFilter_WideOnesAreServed(t *testing.T) {
	r := open(t)
	c := r.dial()
	job := event("customer", 5300, "", nostr.Tag{"e", hexOf(7)})
	handler := event("provider", 31990, "{}", nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	c.publish(job, handler)
	for _, x := range []struct {
		name, filter string
		want         string
	}{
		{"2,000 kinds", `{"kinds":` + array(2000, func(i int) int { return 5000 + i }) + `}`, job.ID},
		{"1,000 #k", `{"kinds":[31990],"#k":` + array(1000, func(i int) string { return fmt.Sprint(5000 + i) }) + `}`, handler.ID},
		{"1,500 authors x 100 kinds", `{"authors":` + array(1500, func(i int) string {
			if i == 900 {
				return pub("customer")
			}
			return hexOf(i)
		}) + `,"kinds":` + array(100, func(i int) int { return 5250 + i }) + `}`, job.ID},
		{"2,500 #e", `{"#e":` + array(2500, hexOf) + `}`, job.ID},
		{"limit 1e9", `{"kinds":[5300],"limit":1000000000}`, job.ID},
	} {
		if got := c.query(x.filter); !slices.Equal(got, []string{x.want}) {
			t.Errorf("%s: got %v, want %s", x.name, got, x.want)
		}
	}
}

func TestFilter_LimitsAreDefaultedLoweredAndHonoured(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.DefaultLimit, o.policies.Limits.MaxLimit = 5, 8 })
	c := r.dial()
	now := time.Now().Unix()
	var want []string
	for i := range 12 {
		e := eventAt("customer", 5300, now-int64(i), fmt.Sprint(i))
		c.publish(e)
		want = append(want, e.ID)
	}
	for filter, n := range map[string]int{`{}`: 5, `{"limit":3}`: 3, `{"limit":8}`: 8, `{"limit":9}`: 8, `{"limit":0}`: 0, `{"kinds":[5300],"limit":100}`: 8} {
		if got := c.query(filter); !slices.Equal(got, want[:n]) {
			t.Errorf("%s: got %d events, want the newest %d", filter, len(got), n)
		}
	}
	if got := c.query(`{"limit":3}`, `{"limit":4}`, `{"kinds":[5300],"until":`+fmt.Sprint(now-10)+`}`); len(got) != 6 {
		t.Errorf("three filters gave %d events, want 6 different ones", len(got))
	}
	c.send(`["COUNT","n",{"kinds":[5300],"limit":2}]`, `["COUNT","m",{"kinds":[5300]},{}]`, `["COUNT","all",{}]`)
	for _, sub := range []string{"n", "m", "all"} {
		c.want("COUNT", sub, `{"count":12}`)
	}
}

func TestSubscription_SameIDReplaces(t *testing.T) {
	r := open(t)
	c, publisher := r.dial(), r.dial()
	c.send(`["REQ","a",{"kinds":[5300]}]`, `["REQ","a",{"kinds":[5301]}]`, `["REQ","a",{"kinds":[5302],"limit":0}]`)
	eventually(t, "one is left", func() bool { return r.relay.Gauges().Live.Subscriptions == 1 && r.relay.Gauges().Answering == 0 })
	last := event("customer", 5302, "")
	publisher.publish(event("customer", 5300, ""), event("customer", 5301, ""), last)
	for {
		m := c.recv()
		if m.text(0) == "EOSE" {
			continue
		}
		if m.id() != last.ID {
			t.Fatalf("got %s, want %s alone", m, last.ID)
		}
		break
	}
}

func TestSubscription_RequestAndCloseInOneBreathLeavesNothing(t *testing.T) {
	r := open(t)
	c := r.dial()
	for i := range 200 {
		c.send(fmt.Sprintf(`["REQ","s%d",{"kinds":[5300]}]`, i%7), fmt.Sprintf(`["CLOSE","s%d"]`, i%7))
	}
	c.send(`["NEG-MSG","end","61"]`)
	for c.recv().text(0) != "NEG-ERR" {
	}
	if g := r.relay.Gauges(); g.Subscriptions != 0 || g.Live.Subscriptions != 0 {
		t.Errorf("%d subscriptions are open, %d live", g.Subscriptions, g.Live.Subscriptions)
	}
}

func TestSubscription_TooManyAreRefusedAndTheOldLiveOn(t *testing.T) {
	r := open(t)
	c, publisher := r.dial(), r.dial()
	for i := range 1000 {
		c.send(fmt.Sprintf(`["REQ","s%d",{"kinds":[5300]}]`, i))
		if i < 64 {
			c.want("EOSE", fmt.Sprintf("s%d", i))
			continue
		}
		c.want("CLOSED", fmt.Sprintf("s%d", i), "rate-limited: *")
	}
	c.send(`["REQ","s5",{"kinds":[5301]}]`) // an old id may always be used again
	c.want("EOSE", "s5")
	publisher.publish(event("customer", 5300, ""))
	seen := make(map[string]bool)
	for range 63 {
		seen[c.want("EVENT").text(1)] = true
	}
	if len(seen) != 63 || seen["s5"] {
		t.Errorf("%d old subscriptions live on, want 63 without s5", len(seen))
	}
}

func TestSubscription_LiveValuesAreLimited(t *testing.T) {
	r := open(t)
	c := r.dial()
	wide := `{"#e":` + array(2500, hexOf) + `}`
	for i := range 8 {
		c.send(fmt.Sprintf(`["REQ","s%d",%s]`, i, wide))
		c.want("EOSE")
	}
	c.send(`["REQ","more",{"kinds":[5300]}]`)
	c.want("CLOSED", "more", "rate-limited: *")
	c.send(`["REQ","s3",{"kinds":[5300]}]`, `["REQ","more",{"kinds":[5300]}]`)
	c.want("EOSE", "s3")
	c.want("EOSE", "more")
}

func TestSubscription_IDsOfAnyCharacters(t *testing.T) {
	r := open(t)
	c := r.dial()
	c.publish(event("customer", 5300, ""))
	for _, id := range []string{`"`, `\`, "\n\t\x01", "é", strings.Repeat("é", 64), strings.Repeat("s", 64), "</script>"} {
		quoted, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		c.send(fmt.Sprintf(`["REQ",%s,{"kinds":[5300]}]`, quoted))
		c.want("EVENT", id)
		c.want("EOSE", id)
		c.send(fmt.Sprintf(`["COUNT",%s,{"kinds":[5300]}]`, quoted))
		c.want("COUNT", id)
	}
}

func TestSearch_UnknownThreadStaysLive(t *testing.T) {
	r := open(t)
	c, publisher := r.dial(), r.dial()
	job := event("customer", 5300, "")
	result := event("provider", 6300, "", nostr.Tag{"e", job.ID}, nostr.Tag{"p", pub("customer")})
	zap := event("wallet", 9735, "", nostr.Tag{"e", result.ID}, nostr.Tag{"p", pub("provider")}, nostr.Tag{"description", "{}"})
	c.send(fmt.Sprintf(`["REQ","by-job",{"search":"thread:%s"}]`, job.ID), fmt.Sprintf(`["REQ","by-result",{"search":"job:%s"}]`, result.ID),
		fmt.Sprintf(`["REQ","results",{"kinds":[6300],"search":"thread:%s"}]`, job.ID))
	for range 3 {
		c.want("EOSE")
	}
	publisher.publish(job, event("customer", 5300, "another"), result, zap)
	got := make(map[string][]string)
	for range 6 {
		m := c.want("EVENT")
		got[m.text(1)] = append(got[m.text(1)], m.id())
	}
	for sub, want := range map[string][]string{"by-job": {job.ID, result.ID, zap.ID}, "by-result": {result.ID, zap.ID}, "results": {result.ID}} {
		if !slices.Equal(got[sub], want) {
			t.Errorf("%s: got %v, want %v", sub, got[sub], want)
		}
	}
	for _, id := range []string{job.ID, result.ID, zap.ID} {
		if n := len(c.query(fmt.Sprintf(`{"search":"thread:%s"}`, id))); n != 3 {
			t.Errorf("thread:%s: %d events, want 3", id, n)
		}
	}
	if got := c.query(fmt.Sprintf(`{"search":"thread:%s","kinds":[6300,9735],"limit":1}`, job.ID)); len(got) != 1 {
		t.Errorf("with limit 1: %v", got)
	}
}

func TestSearch_ThreadOfThousands(t *testing.T) {
	r := open(t)
	job := event("customer", 5300, "")
	c := r.dial()
	c.publish(job)
	author, customer, now := pub("provider"), pub("customer"), nostr.Now()
	const n = 1200
	for i := range n {
		r.store.Put(t, storetest.Parsed(t, nostr.Event{
			PubKey: author, Kind: 7000, CreatedAt: now - nostr.Timestamp(n-i), Content: fmt.Sprint(i),
			Tags: nostr.Tags{{"e", job.ID}, {"p", customer}, {"status", "processing"}},
		}))
	}
	for filter, want := range map[string]int{`"limit":5000`: n + 1, `"limit":7`: 7, `"kinds":[5300]`: 1, `"kinds":[7000]`: 500} {
		if got := c.query(fmt.Sprintf(`{"search":"thread:%s",%s}`, job.ID, filter)); len(got) != want {
			t.Errorf("%s: got %d events, want %d", filter, len(got), want)
		}
	}
	c.send(fmt.Sprintf(`["COUNT","n",{"search":"thread:%s"}]`, job.ID))
	c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, n+1))
}

func TestEOSE_HintSaysWhetherThereIsMore(t *testing.T) {
	r := open(t)
	c := r.dial()
	for i := range 3 {
		c.publish(event("customer", 5300, fmt.Sprint(i)))
	}
	for filter, want := range map[string]string{
		`{"limit":2}`: `["more"]`, `{"limit":3}`: `["finish"]`, `{}`: `["finish"]`, `{"limit":0},{"limit":3}`: "", `{"limit":0}`: "",
	} {
		c.send(`["REQ","a",` + filter + `]`)
		for {
			m := c.recv()
			if m.text(0) != "EOSE" {
				continue
			}
			if got := m.text(2); got != want {
				t.Errorf("%s: got %s, want %q", filter, m, want)
			}
			break
		}
	}
	plain := open(t, func(o *rigOptions) { o.relay.EOSEHint = false }).dial()
	plain.send(`["REQ","a",{}]`)
	if m := plain.want("EOSE", "a"); len(m) != 2 {
		t.Errorf("got %s, want two elements", m)
	}
}
