package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"dvmrelay/policies"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// holding answers filters from the rig's own store, with refuse before that; the relay's own way has its tests there.
func holding(r **rig, refuse error) func(*Deps) {
	return func(d *Deps) {
		d.Peek = func(ctx context.Context, f nostr.Filter, count bool, most int) (got Found, err error) {
			if refuse != nil {
				return got, refuse
			}
			if f.Limit > 0 {
				most = min(most, f.Limit)
			}
			f.Limit = most + 1
			err = (*r).store.View(func(v store.Reader) error {
				q, err := querier(v)
				if err != nil {
					return err
				}
				for raw, err := range q.Query(ctx, f) {
					if err != nil {
						return err
					}
					got.Count++
					got.Events = append(got.Events, bytes.Clone(raw.JSON))
				}
				return nil
			})
			if got.Complete = len(got.Events) <= most; !got.Complete {
				got.Events = got.Events[:most]
			}
			if count {
				got.Events = nil
			}
			return got, err
		}
	}
}

// TestExplore_ShowsWhatItFinds: who has no scripts sees the answer on the page itself.
func TestExplore_ShowsWhatItFinds(t *testing.T) {
	var r *rig
	r = newRig(t, DefaultOptions(), holding(&r, nil))
	request, feedback, result := r.story()
	sealed := r.put(5050, r.clock.Load()-5, customer, "AqRz?iv=abc", nostr.Tag{"encrypted"})
	type answer struct {
		Found struct {
			Events   []nostr.Event
			Count    *int64
			Complete bool
			Refused  string
		}
	}
	for _, c := range []struct {
		query, words string
		ids          []string
	}{
		{"kinds=5050", "2 stored, newest first; that is all.", []string{sealed, request}},
		{"ids=" + result, "1 stored", []string{result}},
		{"kinds=7000,6050&limit=1", "The first 1; there are more.", []string{result}},
		{"kinds=4999", "Nothing stored matches.", nil},
		{"kinds=7000&count=1", "1 event matches", nil},
	} {
		_, page := r.browse("/explore?" + c.query)
		if !strings.Contains(page, c.words) {
			t.Errorf("%s: the page does not say %q", c.query, c.words)
		}
		var got answer
		r.get("/explore.json?"+c.query, http.StatusOK, &got)
		var ids []string
		for _, e := range got.Found.Events {
			ids = append(ids, e.ID)
		}
		if fmt.Sprint(ids) != fmt.Sprint(c.ids) {
			t.Errorf("%s: the JSON has %v, want %v", c.query, ids, c.ids)
		}
		last := 0
		for _, id := range c.ids {
			at := strings.Index(page, `href="/events/`+id)
			if at <= last {
				t.Errorf("%s: event %s does not stand in its place", c.query, id)
			}
			last = at
		}
		if n := strings.Count(page, `<li><p class="line">`); n != len(c.ids) {
			t.Errorf("%s: %d rows, want %d", c.query, n, len(c.ids))
		}
	}
	_, page := r.browse("/explore?ids=" + sealed + "," + feedback)
	if strings.Contains(page, "AqRz") || !strings.Contains(page, `<span class="dim">encrypted</span>`) || !strings.Contains(page, "status <bdi>") {
		t.Error("what is encrypted is shown, or a status is not")
	}
}

func TestExplore_ShowsNoMoreThanItMay(t *testing.T) {
	var hides *rig
	hides = newRig(t, Options{Inputs: InputsHide}, holding(&hides, nil))
	request, _, _ := hides.story()
	_, page := hides.browse("/explore?kinds=5050")
	if strings.Contains(page, `href="/events/`+request) || !strings.Contains(page, "1 hold inputs, which this page does not show") {
		t.Error("web.inputs = hide: the request is shown, or it is not said that it is not")
	}
	var found struct {
		Found struct {
			Events   []json.RawMessage
			Withheld int
		}
	}
	if hides.get("/explore.json?kinds=5050", http.StatusOK, &found); len(found.Found.Events) != 0 || found.Found.Withheld != 1 {
		t.Errorf("web.inputs = hide: the JSON has %d events and %d withheld", len(found.Found.Events), found.Found.Withheld)
	}

	var crowded *rig
	crowded = newRig(t, DefaultOptions(), holding(&crowded, nil))
	for i := range foundShown + 10 {
		crowded.put(5050, int64(1_700_000_000+i), customer, "", nostr.Tag{"i", hostile[i%len(hostile)] + strings.Repeat("<&>\"'", 2000), "text"})
		crowded.put(7000, int64(1_700_000_000+i), customer, strings.Repeat("&", 2000), nostr.Tag{"status", strings.Repeat("<b>", 3000), strings.Repeat("\"", 2000)})
	}
	for _, query := range []string{"kinds=5050", "kinds=7000", "kinds=5050,7000"} {
		resp, page := crowded.browse("/explore?" + query)
		if resp.StatusCode != http.StatusOK || len(page) > maxPage || strings.Contains(page, "<b>") || strings.Contains(page, "<script>") || strings.Contains(page, "<img") {
			t.Errorf("%s: status %d, %d bytes, or not escaped", query, resp.StatusCode, len(page))
		}
		if n := strings.Count(page, `<li><p class="line">`); n != foundShown {
			t.Errorf("%s: %d rows, want %d", query, n, foundShown)
		}
	}
}

func TestExplore_SaysWhatTheRelayRefuses(t *testing.T) {
	var r *rig
	r = newRig(t, DefaultOptions(), holding(&r, policies.Refuse(policies.Restricted, "not <for> you")))
	resp, page := r.browse("/explore?kinds=1059")
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "The relay refuses this: restricted: not &lt;for&gt; you") {
		t.Errorf("status %d, or the refusal is not told", resp.StatusCode)
	}
	r = newRig(t, DefaultOptions())
	if _, page := r.browse("/explore?kinds=5050"); !strings.Contains(page, "takes JavaScript") {
		t.Error("without a relay to ask: the page does not say how to run it")
	}
}
