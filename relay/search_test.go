package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"

	"github.com/nbd-wtf/go-nostr"
)

// answered is what one job of the tests consists of.
func answered(customer, provider string, kind int, at int64) (job, feedback, result *nostr.Event) {
	job = eventAt(customer, kind, at, "", nostr.Tag{"i", "a fox for " + customer, "text"})
	feedback = eventAt(provider, 7000, at+1, "", nostr.Tag{"e", job.ID}, nostr.Tag{"p", pub(customer)}, nostr.Tag{"status", "processing"})
	result = eventAt(provider, kind+1000, at+2, "done", nostr.Tag{"e", job.ID}, nostr.Tag{"p", pub(customer)})
	return job, feedback, result
}

func idsOf(events ...*nostr.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestSearch_EveryKeyInReqAndCount(t *testing.T) {
	r := open(t)
	c := r.dial()
	now := time.Now().Unix() - 3000
	j1, f1, r1 := answered("alice", "bob", 5300, now)
	j2, f2, _ := answered("carla", "bob", 5100, now+10)
	j3 := eventAt("alice", 5300, now+20, "AqRz?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"p", pub("dora")})
	shop := eventAt("bob", 31990, now, `{"name":"Fox maker"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	idle := eventAt("erin", 31990, now, `{"name":"Owl"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	beat := event("bob", 11998, "", nostr.Tag{"d", "x"})
	c.publish(j1, j2, j3, shop, idle, beat, f1, r1, f2)
	for _, tc := range []struct {
		search, more string
		want         []string
	}{
		{"thread:" + r1.ID, "", idsOf(r1, f1, j1)},
		{"state:success", "", idsOf(r1, f1, j1)},
		{"status:stalled", "", idsOf(f2, j2)},
		{"state:unanswered", "", idsOf(j3)},
		{"payment:none job-kind:5300", "", idsOf(j3, r1, f1, j1)},
		{"provider:" + pub("bob"), "", idsOf(f2, j2, r1, f1, j1)},
		{"provider:" + pub("bob"), `,"limit":2`, idsOf(f2, j2)},
		{"provider:" + pub("bob"), `,"kinds":[7000]`, idsOf(f2, f1)},
		{"provider:" + pub("bob"), fmt.Sprintf(`,"authors":["%s"],"until":%d`, pub("bob"), now+9), idsOf(r1, f1)},
		{"provider:" + pub("bob"), fmt.Sprintf(`,"ids":["%s","%s"]`, j1.ID, j3.ID), idsOf(j1)},
		{"customer:" + pub("alice"), fmt.Sprintf(`,"since":%d`, now+2), idsOf(j3, r1)},
		{"customer:" + pub("alice") + " kind:5100", "", nil},
		{"encrypted:true", "", idsOf(j3)},
		{"encrypted:false state:error", "", nil},
		{"online:true", "", idsOf(shop)},
		{"online:true owl", "", nil},
		{"FOX", "", []string{j2.ID, j1.ID, shop.ID}},
		{"fox language:en", `,"kinds":[31990]`, idsOf(shop)},
		{"fox state:success", "", idsOf(j1)},
	} {
		filter := fmt.Sprintf(`{"search":"%s"%s}`, tc.search, tc.more)
		got := c.query(filter)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(tc.want))
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", filter, got, want)
		}
		if strings.Contains(tc.more, "limit") {
			continue
		}
		c.send(fmt.Sprintf(`["COUNT","n",%s]`, filter))
		c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, len(want)))
	}
	if got := c.query(`{"search":"state:success"}`); !slices.Equal(got, idsOf(r1, f1, j1)) {
		t.Errorf("order: got %v, want newest first", got)
	}
	c.send(`["COUNT","n",{"search":"state:success"},{"search":"job-kind:5300"},{"ids":["` + f2.ID + `"]}]`)
	c.want("COUNT", "n", `{"count":5}`)
}

func TestSearch_IsRefusedOrSilentButNeverEverything(t *testing.T) {
	r := open(t)
	c := r.dial()
	c.publish(event("alice", 5300, ""))
	for search, want := range map[string]string{
		"stat:open":                        `invalid: search: "stat:" is not known here*`,
		"state:opne":                       `invalid: search: "state:opne" has no such value*`,
		"   ":                              "invalid: search: is empty*",
		strings.Repeat("word ", 20_000):    "invalid: search: has *",
		strings.Repeat("\u200d\u0301", 40): "",
		"customer:" + strings.Repeat("0", 63) + "1": "",
	} {
		c.send(fmt.Sprintf(`["REQ","s",{"search":"%s"}]`, search), fmt.Sprintf(`["COUNT","s",{"search":"%s"}]`, search))
		if want == "" {
			c.want("EOSE", "s")
			c.want("COUNT", "s", `{"count":0}`)
			continue
		}
		c.want("CLOSED", "s", want)
		c.want("CLOSED", "s", want)
	}
	filters := strings.Repeat(`,{"search":"state:error fox"}`, 16)
	c.send(`["REQ","many"` + filters + `]`)
	c.want("EOSE", "many")
}

func TestSearch_LiveKeysGoOnAndOthersStaySilent(t *testing.T) {
	r := open(t)
	c, publisher := r.dial(), r.dial()
	for name, search := range map[string]string{
		"provider": "provider:" + pub("bob"), "customer": "customer:" + pub("alice"), "kind": "job-kind:5300", "plain": "encrypted:false",
		"both": "customer:" + pub("alice") + " provider:" + pub("bob"),
		"open": "state:open", "unpaid": "payment:none customer:" + pub("alice"), "online": "online:true", "words": "fox",
	} {
		c.send(fmt.Sprintf(`["REQ","%s",{"search":"%s"}]`, name, search))
		c.want("EOSE", name)
	}
	c.send(fmt.Sprintf(`["REQ","results",{"search":"provider:%s","kinds":[6300]}]`, pub("bob")))
	c.want("EOSE", "results")
	now := time.Now().Unix()
	j1, f1, r1 := answered("alice", "bob", 5300, now)
	other := eventAt("carol", 7000, now, "", nostr.Tag{"e", j1.ID}, nostr.Tag{"p", pub("alice")}, nostr.Tag{"status", "processing"})
	early := eventAt("carol", 7000, now+1, "", nostr.Tag{"e", j1.ID}, nostr.Tag{"p", pub("alice")}, nostr.Tag{"status", "error"})
	shop := eventAt("bob", 31990, now, `{"name":"Fox"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	end := eventAt("zoe", 5100, now, "end")
	c.send(fmt.Sprintf(`["REQ","end",{"ids":["%s"]}]`, end.ID))
	c.want("EOSE", "end")
	watcher := r.dial()
	watcher.send(`["REQ","all",{}]`)
	watcher.want("EOSE", "all")
	for _, e := range []*nostr.Event{j1, early, f1, other, r1, shop, end} {
		publisher.publish(e)
		watcher.want("EVENT", "all") // who has answered is looked up when an event is told
	}
	got := make(map[string][]string)
	for {
		m := c.want("EVENT")
		if m.text(1) == "end" {
			break
		}
		got[m.text(1)] = append(got[m.text(1)], m.id())
	}
	// The end may come before what else it matches.
	c.send(`["CLOSE","plain"]`, `["REQ","after",{"ids":[]}]`)
	for m := c.recv(); m.text(0) != "EOSE"; m = c.recv() {
		got[m.text(1)] = append(got[m.text(1)], m.id())
	}
	for name, want := range map[string][]string{
		"provider": idsOf(f1, other, r1),
		"results":  idsOf(r1),
		"customer": idsOf(j1, early, f1, other, r1),
		"kind":     idsOf(j1, early, f1, other, r1),
		"plain":    idsOf(j1, early, f1, other, r1, end),
		"both":     idsOf(f1, other, r1),
		"open":     nil, "unpaid": nil, "online": nil, "words": nil,
	} {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}

func TestSearch_EncryptedJobsAreForThoseTheyConcern(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) { o.relay.AuthEncrypted = true })
	now := time.Now().Unix()
	job := eventAt("alice", 5300, now, "AqRz?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"p", pub("bob")})
	said := eventAt("bob", 7000, now+1, "", nostr.Tag{"e", job.ID}, nostr.Tag{"status", "processing"})
	later := eventAt("bob", 7000, now+2, "", nostr.Tag{"e", job.ID}, nostr.Tag{"status", "error"})
	publisher := r.dial()
	_ = publisher.challenge()
	publisher.publish(job, said)
	searches := []string{"state:processing", "provider:" + pub("bob"), "encrypted:true", "thread:" + said.ID, "customer:" + pub("alice")}
	clients := make(map[string]*client)
	for _, name := range []string{"alice", "bob", "mallory", ""} {
		c := r.dial()
		challenge := c.challenge()
		if name != "" {
			c.send(auth(authEvent(name, challenge, home, time.Now())))
			c.want("OK", "*", "true")
		}
		clients[name] = c
		sees := name == "alice" || name == "bob"
		for _, search := range searches {
			want := 0
			if sees {
				want = 2
			}
			if got := c.query(fmt.Sprintf(`{"search":"%s"}`, search)); len(got) != want {
				t.Errorf("%q searches %s: got %d events, want %d", name, search, len(got), want)
			}
			c.send(fmt.Sprintf(`["COUNT","n",{"search":"%s"}]`, search))
			c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, want))
		}
		for _, search := range searches[1:] {
			c.send(fmt.Sprintf(`["REQ","%s",{"search":"%s","limit":0}]`, search[:5], search))
			c.want("EOSE")
		}
	}
	end := eventAt("zoe", 5100, now, "end")
	for _, c := range clients {
		c.send(fmt.Sprintf(`["REQ","end",{"ids":["%s"]}]`, end.ID))
		c.want("EOSE", "end")
	}
	publisher.publish(later)
	publisher.publish(end)
	for name, c := range clients {
		n := 0
		for m := c.want("EVENT"); m.text(1) != "end"; m = c.want("EVENT") {
			n++
		}
		want := 0
		if name == "alice" || name == "bob" {
			want = len(searches) - 1
		}
		if n != want {
			t.Errorf("%q is told %d times, want %d", name, n, want)
		}
	}
}

func TestSearch_WhatIsCutShortSaysSo(t *testing.T) {
	r := open(t)
	c := r.dial()
	now := time.Now().Unix()
	const most = index.MaxSelectedJobs
	const jobs = most + 10
	for i := range jobs {
		r.store.Put(t, parsed(t, eventAt("alice", 5300, now-int64(i), fmt.Sprint(i))))
	}
	c.send(`["COUNT","n",{"search":"state:open"}]`)
	c.want("COUNT", "n", fmt.Sprintf(`{"count":%d,"approximate":true}`, most))
	c.send(`["REQ","all",{"search":"state:open","limit":5000}]`)
	n := 0
	var last message
	for last = c.recv(); last.text(0) == "EVENT"; last = c.recv() {
		n++
	}
	if n != most || last.text(2) != `["more"]` {
		t.Errorf("got %d events and %s, want %d and a hint that there is more", n, last, most)
	}
	if got := c.query(fmt.Sprintf(`{"search":"state:open","kinds":[5300],"until":%d}`, now-most)); len(got) != jobs-most {
		t.Errorf("the page after: got %d, want %d", len(got), jobs-most)
	}
}
