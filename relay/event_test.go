package relay_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/policies"

	"github.com/nbd-wtf/go-nostr"
)

func TestEvent_RefusalsSayWhy(t *testing.T) {
	r := open(t)
	c := r.dial()
	now := time.Now().Unix()
	forged := event("customer", 5300, "forged")
	forged.Sig = event("customer", 5300, "another").Sig
	wrongID := event("customer", 5300, "wrong id")
	wrongID.ID = event("customer", 5300, "another id").ID
	for _, x := range []struct {
		name   string
		event  *nostr.Event
		prefix string
	}{
		{"wrong id", wrongID, "invalid: id "},
		{"wrong signature", forged, "invalid: signature "},
		{"created_at far ahead", eventAt("customer", 5300, now+2000, ""), "invalid: "},
		{"created_at 2^32", eventAt("customer", 5300, 1<<32, ""), "invalid: "},
		{"created_at 2^62", eventAt("customer", 5300, 1<<62, ""), "invalid: "},
		{"empty tag", event("customer", 5300, "", nostr.Tag{}), "invalid: "},
		{"tag without name", event("customer", 5300, "", nostr.Tag{""}), "invalid: "},
		{"bare d", event("customer", 31990, "", nostr.Tag{"d"}, nostr.Tag{"k", "5300"}), "invalid: "},
		{"bare d on a profile", event("customer", 0, "", nostr.Tag{"d"}), "invalid: "},
		{"bare d on an ephemeral kind", event("customer", 20001, "", nostr.Tag{"d"}), ""},
		{"expired", event("customer", 5300, "", nostr.Tag{"expiration", fmt.Sprint(now - 5)}), "invalid: expired "},
		{"a note", event("customer", 1, "hello"), "blocked: "},
		{"an authentication", event("customer", 22242, ""), "blocked: "},
		{"another protocol's kind", event("customer", 5969, ""), "blocked: "},
		{"a profile of nobody known", event("stranger", 0, "{}"), "restricted: names no job or provider known here yet"},
		{"a receipt for nothing known", event("stranger", 9735, "", nostr.Tag{"e", strings.Repeat("a", 64)}), "restricted: "},
		{"protected", event("customer", 5300, "", nostr.Tag{"-"}), "restricted: "},
	} {
		c.send(publish(x.event))
		m := c.recv()
		if m.text(0) != "OK" || m.text(1) != x.event.ID || m.text(2) != "false" || !strings.HasPrefix(m.text(3), x.prefix) {
			t.Errorf("%s: got %s, want OK false %q", x.name, m, x.prefix)
		}
	}
	if got := c.query(`{}`); len(got) != 0 {
		t.Errorf("%v were stored", got)
	}
}

func TestEvent_BeyondTheStoreIsInvalid(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.FutureSecs = 0 })
	c := r.dial()
	for _, at := range []int64{1 << 41, 1 << 62} {
		evt := eventAt("customer", 5300, at, "")
		c.send(publish(evt))
		c.want("OK", evt.ID, "false", "invalid: *")
	}
}

func TestEvent_OddButGoodIsAccepted(t *testing.T) {
	r := open(t)
	c := r.dial()
	job := event("customer", 5300, "")
	c.publish(job)
	long := strings.Repeat("t", 70_000)
	events := []*nostr.Event{
		eventAt("customer", 5300, 0, "at the beginning of time"),
		eventAt("customer", 5300, 1<<30, "old"),
		event("customer", 5300, "", nostr.Tag{"e"}),
		event("customer", 5300, "", nostr.Tag{"p"}, nostr.Tag{"i"}, nostr.Tag{"relays"}),
		event("customer", 5300, strings.Repeat("\x01\"\\\u2028", 1000)),
		event("customer", 5300, "", nostr.Tag{"i", long}),
		event("provider", 6300, strings.Repeat("r", 200<<10), nostr.Tag{"e", job.ID}),
		event("provider", 6300, "for an unknown request", nostr.Tag{"e", strings.Repeat("b", 64)}),
		event("provider", 6999, "kind that does not fit the job", nostr.Tag{"e", job.ID}),
		event("provider", 7000, "", nostr.Tag{"e", job.ID}, nostr.Tag{"amount", "999999999999999999", "lnbc1notaninvoice"}),
		event("provider", 7000, "names itself by cycle", nostr.Tag{"e", job.ID, "", "root"}, nostr.Tag{"e", job.ID, "", "reply"}),
	}
	c.publish(events...)
	for _, e := range events {
		got := c.query(fmt.Sprintf(`{"ids":["%s"]}`, e.ID))
		if !slices.Equal(got, []string{e.ID}) {
			t.Errorf("%s of kind %d: got %v", e.ID, e.Kind, got)
		}
	}
	c.send(fmt.Sprintf(`["REQ","long",{"#i":[%q]}]`, long))
	c.want("EVENT", "long")
	c.want("EOSE", "long")
}

func TestEvent_IsServedByteForByte(t *testing.T) {
	r := open(t)
	c := r.dial()
	e := event("provider", 6300, strings.Repeat("é\"\n\\/<&>", 8_000), nostr.Tag{"e", strings.Repeat("c", 64)})
	c.publish(e)
	c.send(fmt.Sprintf(`["REQ","a",{"ids":["%s"]}]`, e.ID))
	m := c.want("EVENT", "a")
	var back nostr.Event
	if err := json.Unmarshal(m[2], &back); err != nil {
		t.Fatal(err)
	}
	if ok, err := back.CheckSignature(); err != nil || !ok || back.Content != e.Content || !back.CheckID() {
		t.Errorf("the event came back changed: %v %v", ok, err)
	}
}

func TestEvent_SameEventTwiceIsADuplicate(t *testing.T) {
	r := open(t)
	c := r.dial()
	e := event("customer", 5300, "once")
	c.send(publish(e), publish(e))
	replies := []string{c.want("OK", e.ID, "true").text(3), c.want("OK", e.ID, "true").text(3)}
	slices.Sort(replies)
	if replies[0] != "" || !strings.HasPrefix(replies[1], "duplicate: ") {
		t.Errorf("got %q, want one empty and one duplicate", replies)
	}
	again := *e
	again.Sig = strings.Repeat("0", 128)
	c.send(publish(&again))
	c.want("OK", e.ID, "true", "duplicate: *")
	if got := c.query(`{"kinds":[5300]}`); len(got) != 1 {
		t.Errorf("got %v, want it once", got)
	}
}

func TestEvent_SixteenAtOnceStoreItOnceAndTellItOnce(t *testing.T) {
	r := open(t)
	watcher := r.dial()
	watcher.send(`["REQ","a",{"kinds":[5300],"limit":0}]`)
	watcher.want("EOSE")
	e := event("customer", 5300, "once")
	fresh := make(chan bool, 16)
	var wg sync.WaitGroup
	for range 16 {
		c := r.dial()
		wg.Go(func() {
			c.send(publish(e))
			m, err := c.read()
			if err != nil || m.text(0) != "OK" || m.text(2) != "true" {
				t.Errorf("got %v, %v, want OK true", m, err)
				return
			}
			fresh <- m.text(3) == ""
		})
	}
	wg.Wait()
	close(fresh)
	n := 0
	for f := range fresh {
		if f {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d were told it is new, want 1", n)
	}
	end := event("customer", 5300, "the end")
	r.dial().publish(end)
	if got := []string{watcher.recv().id(), watcher.recv().id()}; !slices.Equal(got, []string{e.ID, end.ID}) {
		t.Errorf("got %v live, want %v", got, []string{e.ID, end.ID})
	}
}

func TestEvent_ReplacementsOfOneAddressEndWithTheNewest(t *testing.T) {
	r := open(t)
	const writers, versions = 16, 6
	now := time.Now().Unix()
	var wg sync.WaitGroup
	for w := range writers {
		c := r.dial()
		var batch []*nostr.Event
		for v := range versions {
			batch = append(batch, eventAt("provider", 31990, now-int64((w*7+v*5)%40), fmt.Sprint(w, v), nostr.Tag{"d", "dvm"}, nostr.Tag{"k", "5300"}))
		}
		wg.Go(func() {
			for _, e := range batch {
				c.send(publish(e))
			}
			for range batch {
				if m, err := c.read(); err != nil || m.text(2) != "true" {
					t.Errorf("got %v, %v", m, err)
				}
			}
		})
	}
	wg.Wait()
	c := r.dial()
	other := eventAt("provider", 31990, now, "other", nostr.Tag{"d", "dvm-2"}, nostr.Tag{"k", "5301"})
	c.publish(other)
	low := eventAt("provider", 31990, now+1, "a", nostr.Tag{"d", "dvm"}, nostr.Tag{"k", "5300"})
	high := eventAt("provider", 31990, now+1, "b", nostr.Tag{"d", "dvm"}, nostr.Tag{"k", "5300"})
	if low.ID > high.ID {
		low, high = high, low
	}
	c.publish(high, low)
	if got := c.query(`{"kinds":[31990],"#d":["dvm"]}`); !slices.Equal(got, []string{low.ID}) {
		t.Errorf("got %v, want the lowest id of the newest, %s", got, low.ID)
	}
	c.send(publish(high))
	c.want("OK", high.ID, "true", "duplicate: *")
	if got := c.query(`{"kinds":[31990],"#k":["530"]}`); len(got) != 0 {
		t.Errorf("a part of a tag's value found %v", got)
	}
	if got := c.query(`{"kinds":[31990]}`); len(got) != 2 {
		t.Errorf("got %v, want both addresses", got)
	}
}

func TestEvent_StaleVersionIsNotTold(t *testing.T) {
	r := open(t)
	watcher, c := r.dial(), r.dial()
	watcher.send(`["REQ","a",{"kinds":[31990],"limit":0}]`)
	watcher.want("EOSE")
	now := time.Now().Unix()
	handler := func(at int64, content string) *nostr.Event {
		return eventAt("provider", 31990, at, content, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	}
	newest, stale, end := handler(now, "newest"), handler(now-10, "stale"), handler(now+1, "end")
	c.publish(newest)
	c.send(publish(stale))
	c.want("OK", stale.ID, "true", "duplicate: *")
	c.publish(end)
	for _, want := range []string{newest.ID, end.ID} {
		if got := watcher.want("EVENT", "a").id(); got != want {
			t.Errorf("got %s live, want %s", got, want)
		}
	}
}

func TestEvent_Deletions(t *testing.T) {
	r := open(t)
	c := r.dial()
	job := event("customer", 5300, "job")
	feedback := event("provider", 7000, "", nostr.Tag{"e", job.ID}, nostr.Tag{"status", "processing"})
	c.publish(job, feedback)
	t.Run("by somebody else does nothing", func(t *testing.T) {
		c.send(publish(event("thief", 5, "", nostr.Tag{"e", job.ID})))
		c.want("OK")
		if got := c.query(fmt.Sprintf(`{"ids":["%s"]}`, job.ID)); len(got) != 1 {
			t.Error("the job is gone")
		}
	})
	t.Run("in mid-thread leaves the rest", func(t *testing.T) {
		c.publish(event("customer", 5, "", nostr.Tag{"e", job.ID}))
		if got := c.query(fmt.Sprintf(`{"ids":["%s"]}`, job.ID)); len(got) != 0 {
			t.Error("the job is still served")
		}
		if got := c.query(fmt.Sprintf(`{"#e":["%s"],"kinds":[7000]}`, job.ID)); !slices.Equal(got, []string{feedback.ID}) {
			t.Errorf("got %v, want the feedback", got)
		}
	})
	t.Run("what was deleted stays away", func(t *testing.T) {
		c.send(publish(job))
		c.want("OK", job.ID, "false", "blocked: deleted by its author")
	})
	t.Run("before the event", func(t *testing.T) {
		late := event("customer", 5300, "late")
		c.publish(event("customer", 5, "", nostr.Tag{"e", late.ID}, nostr.Tag{"k", "5300"}))
		c.send(publish(late))
		c.want("OK", late.ID, "false", "blocked: deleted by its author")
	})
}

func TestEvent_DeletionIsJudgedBeforeItActs(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Rules.Deny = []string{pub("banned")} })
	c := r.dial()
	job := event("banned", 5300, "job")
	r.store.Put(t, parsed(t, job))
	c.send(publish(event("banned", 5, "", nostr.Tag{"e", job.ID})))
	c.want("OK", "*", "false", "blocked: *")
	if got := c.query(`{"kinds":[5300]}`); len(got) != 1 {
		t.Error("a refused deletion deleted")
	}
}

func TestEvent_ExpiredIsNeverServed(t *testing.T) {
	r := open(t)
	c := r.dial()
	at := time.Now().Unix() + 3600
	e := event("customer", 5300, "for an hour", nostr.Tag{"expiration", fmt.Sprint(at)})
	c.publish(e)
	if got := c.query(`{"kinds":[5300]}`); len(got) != 1 {
		t.Fatalf("got %v, want the event", got)
	}
	r.clock.pass(2 * time.Hour)
	if got := c.query(`{"kinds":[5300]}`); len(got) != 0 {
		t.Errorf("got %v after it expired", got)
	}
	c.send(`["COUNT","n",{"kinds":[5300]}]`)
	c.want("COUNT", "n", `{"count":0}`)
}

func TestEvent_EphemeralIsToldAndNotStored(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.policies.Kinds.Allow = []policies.KindRange{{From: 20001, To: 20001}, {From: 40001, To: 40001}}
	})
	watcher, c := r.dial(), r.dial()
	watcher.send(`["REQ","a",{"kinds":[20001,40001]}]`)
	watcher.want("EOSE")
	e := event("customer", 20001, "now or never")
	high := event("customer", 40001, "kept")
	c.publish(e, high)
	got := []string{watcher.want("EVENT").id(), watcher.want("EVENT").id()}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values([]string{e.ID, high.ID})); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := c.query(`{"kinds":[20001,40001]}`); !slices.Equal(got, []string{high.ID}) {
		t.Errorf("got %v stored, want %s alone", got, high.ID)
	}
}

func TestEvent_ForgeriesAreCheapAndLeaveNothing(t *testing.T) {
	r := open(t)
	watcher := r.dial()
	watcher.send(`["REQ","a",{"kinds":[5300],"limit":0}]`)
	watcher.want("EOSE")
	const n = 200
	c := r.dial()
	author := pub("customer")
	for i := range n {
		e := &nostr.Event{PubKey: author, Kind: 5300, CreatedAt: nostr.Now(), Content: fmt.Sprint(i), Tags: nostr.Tags{}, Sig: strings.Repeat("ab", 64)}
		e.ID = e.GetID()
		c.send(publish(e))
	}
	for range n {
		c.want("OK", "*", "false", "invalid: signature*")
	}
	good := event("customer", 5300, "good")
	c.publish(good)
	if got := watcher.want("EVENT").id(); got != good.ID {
		t.Errorf("a forgery was told: %s", got)
	}
	if got := r.relay.Gauges().BadSignatures; got != n {
		t.Errorf("counted %d bad signatures, want %d", got, n)
	}
}

func TestEvent_RateOfAnAddressIsLimited(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.EventsPerSecond, o.policies.Limits.EventsBurst = 1, 5 })
	c := r.dial("X-Forwarded-For: 203.0.113.9")
	for i := range 20 {
		c.send(publish(event("customer", 5300, fmt.Sprint(i))))
	}
	limited := 0
	for range 20 {
		if m := c.want("OK"); strings.HasPrefix(m.text(3), "rate-limited: ") {
			limited++
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 events were over the rate of 5", limited)
	}
	local := r.dial()
	for i := range 20 {
		local.publish(event("customer", 5300, fmt.Sprint("local", i)))
	}
}
