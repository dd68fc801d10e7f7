package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// small is a run that takes a second.
func small(url string, phases ...Phase) Options {
	o := Defaults(url)
	o.Phases, o.Events, o.Fanout, o.Conns, o.Window = phases, 150, 40, 3, 8
	o.Clients, o.Queries, o.Subs, o.SubConns, o.Idle = 3, 100, 60, 4, 5
	o.Rate, o.End, o.Wait = 2_000, 1_780_000_000, 5*time.Second
	return o
}

func TestRun_HonestRelayHasNoWrongAnswers(t *testing.T) {
	var out bytes.Buffer
	o := small((&naive{}).start(t))
	o.Events, o.Fanout, o.Queries = 600, 100, 200
	o.SyncDir = t.TempDir()
	rep, err := Run(t.Context(), o, &out)
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	// So few events lie close together: a cancellation may overtake its request, which is then refused, rightly.
	if rep.Ingest.Accepted+rep.Ingest.Refused != o.Events || rep.Ingest.Refused > 3 || rep.Query.Queries != o.Queries || rep.Idle.Opened != o.Idle {
		t.Errorf("accepted %d, asked %d, opened %d; want %d, %d, %d", rep.Ingest.Accepted, rep.Query.Queries, rep.Idle.Opened, o.Events, o.Queries, o.Idle)
	}
	for name, f := range map[string]*Fanout{"paced": rep.Paced, "burst": rep.Burst} {
		if f.Expected == 0 || f.Delivered != f.Expected || f.Published != o.Fanout {
			t.Errorf("%s: published %d, delivered %d of %d", name, f.Published, f.Delivered, f.Expected)
		}
	}
	for _, word := range []string{"ingest", "query", "thread", "paced", "burst", "idle", "wrong answers"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("table lacks %q:\n%s", word, out.String())
		}
	}
}

func TestRun_LyingRelayIsReported(t *testing.T) {
	var count atomic.Int64
	third := func() bool { return count.Add(1)%3 == 0 }
	for name, tc := range map[string]struct {
		relay  *naive
		phases []Phase
		says   string
	}{
		"loses an event it accepted": {
			&naive{answer: func(es []*nostr.Event) []*nostr.Event { return es[min(1, len(es)):] }},
			[]Phase{PhaseIngest},
			"too few events",
		},
		"drops one event of some answers": {
			&naive{answer: func(es []*nostr.Event) []*nostr.Event {
				if len(es) < 40 && third() {
					return es[:max(0, len(es)-1)]
				}
				return es
			}},
			[]Phase{PhaseIngest, PhaseQuery},
			"too few events",
		},
		"sends an event twice": {
			&naive{answer: func(es []*nostr.Event) []*nostr.Event { return append(es, es[:min(1, len(es))]...) }},
			[]Phase{PhaseIngest},
			"sent twice",
		},
		"changes a content": {
			&naive{answer: func(es []*nostr.Event) []*nostr.Event {
				out := slices.Clone(es)
				for i, e := range out {
					c := *e
					c.Content += "!"
					out[i] = &c
				}
				return out
			}},
			[]Phase{PhaseIngest},
			"was changed",
		},
		"answers OK twice": {
			&naive{oks: func(*nostr.Event) int {
				if third() {
					return 2
				}
				return 1
			}},
			[]Phase{PhaseIngest},
			"second OK",
		},
		"delivers live events twice": {
			&naive{copies: func(*nostr.Event, *nostr.Filter) int { return 2 }},
			[]Phase{PhaseBurst},
			"delivered twice",
		},
		"forgets live events": {
			&naive{copies: func(*nostr.Event, *nostr.Filter) int {
				if third() {
					return 0
				}
				return 1
			}},
			[]Phase{PhasePaced},
			"not delivered",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			rep, err := Run(t.Context(), small(tc.relay.start(t), tc.phases...), &out)
			if !errors.Is(err, ErrWrong) {
				t.Fatalf("error %v, want ErrWrong\n%s", err, out.String())
			}
			if rep.Wrong() == 0 || !strings.Contains(out.String(), tc.says) {
				t.Errorf("%d wrong; report lacks %q:\n%s", rep.Wrong(), tc.says, out.String())
			}
		})
	}
}

func TestRun_DeliveryOfOtherEventsIsReported(t *testing.T) {
	n := &naive{}
	url := n.start(t)
	n.copies = func(e *nostr.Event, _ *nostr.Filter) int {
		for _, s := range n.subs { // to everybody, wanted or not; the lock is held
			s.send("EVENT", s.id, e)
		}
		return 0
	}
	rep, err := Run(t.Context(), small(url, PhaseBurst), &bytes.Buffer{})
	if !errors.Is(err, ErrWrong) || rep.Burst.Unexpected == 0 {
		t.Errorf("error %v, unexpected %d; want ErrWrong and some", err, rep.Burst.Unexpected)
	}
}

func TestRun_RefusedEventsAreNotExpected(t *testing.T) {
	n := &naive{refuse: func(e *nostr.Event) string {
		if e.Kind == 5 || e.Kind == 9735 {
			return "restricted: names no job or provider known here yet"
		}
		return ""
	}}
	o := small(n.start(t), PhaseIngest, PhaseQuery)
	o.MaxRefused = 0.5
	rep, err := Run(t.Context(), o, &bytes.Buffer{})
	if err != nil || rep.Ingest.Refused == 0 {
		t.Errorf("refused %d, error %v; want some and none", rep.Ingest.Refused, err)
	}
	if got := rep.Ingest.Reasons["restricted: names no job or provider known here yet"]; got != rep.Ingest.Refused {
		t.Errorf("reasons %v, want %d of one", rep.Ingest.Reasons, rep.Ingest.Refused)
	}
}

func TestRun_RelayThatRefusesAllFails(t *testing.T) {
	n := &naive{refuse: func(*nostr.Event) string { return "blocked: closed today" }}
	_, err := Run(t.Context(), small(n.start(t), PhaseIngest), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "150 of 150") {
		t.Errorf("error %v, want one that counts the refusals", err)
	}
}

func TestRun_OtherEventsOnTheRelay(t *testing.T) {
	n := &naive{}
	url := n.start(t)
	e := nostr.Event{Kind: 5300, CreatedAt: 1_779_999_000, Tags: nostr.Tags{}}
	if err := e.Sign(nostr.GeneratePrivateKey()); err != nil {
		t.Fatal(err)
	}
	n.save(&e)
	o := small(url, PhaseIngest, PhaseQuery, PhasePaced)
	if _, err := Run(t.Context(), o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), e.ID) {
		t.Errorf("error %v, want one that names the foreign event", err)
	}
	o.Shared = true
	rep, err := Run(t.Context(), o, &bytes.Buffer{})
	if err != nil {
		t.Errorf("shared: %v", err)
	}
	if rep.Query.Shapes["latest"] != nil || rep.Query.Shapes["thread"] == nil {
		t.Errorf("shared: shapes %v, want those that name ids and keys only", rep.Query.Shapes)
	}
}

func TestRun_JSONReport(t *testing.T) {
	var out bytes.Buffer
	o := small((&naive{}).start(t), PhaseIngest)
	o.JSON = true
	want, err := Run(t.Context(), o, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("report is not JSON: %v\n%s", err, out.String())
	}
	if got.Ingest == nil || got.Ingest.Accepted != want.Ingest.Accepted || got.Query != nil {
		t.Errorf("got %+v, want the ingest phase alone", got)
	}
}

func TestRun_Targets(t *testing.T) {
	for name, tc := range map[string]struct {
		url     string
		refused bool
	}{
		"public address":  {"ws://192.0.2.1:7777", true},
		"any address":     {"ws://0.0.0.0:7777", true},
		"private address": {"ws://10.0.0.1", true},
		"http":            {"http://127.0.0.1:7777", false},
		"no host":         {"ws://", false},
		"nobody listens":  {"ws://127.0.0.1:1", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := small(tc.url, PhaseIngest)
			o.Wait = time.Second
			_, err := Run(t.Context(), o, &bytes.Buffer{})
			if err == nil || errors.Is(err, ErrTarget) != tc.refused {
				t.Errorf("error %v, want ErrTarget: %v", err, tc.refused)
			}
		})
	}
}

func TestOptions_AnywhereIsSmall(t *testing.T) {
	o := Defaults("wss://relay.example.com")
	o.Anywhere = true
	o.settle(time.Unix(1_780_000_000, 0))
	if o.Events > farEvents || o.Conns > farConns || o.MaxTime > farTime || !o.Shared || slices.Contains(o.Phases, PhaseBurst) {
		t.Errorf("options %+v are not bounded", o)
	}
	if err := o.Validate(); err != nil {
		t.Errorf("validate: %v", err)
	}
}

func TestOptions_ValidateNamesTheOption(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"events":      func(o *Options) { o.Events = 3 },
		"window":      func(o *Options) { o.Window = 0 },
		"rate":        func(o *Options) { o.Rate = 0 },
		"phases":      func(o *Options) { o.Phases = []Phase{"lunch"} },
		"max-refused": func(o *Options) { o.MaxRefused = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			o := Defaults("ws://127.0.0.1:1")
			change(&o)
			if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("error %v, want one about %s", err, name)
			}
		})
	}
}

func TestRun_CancelInMidPhase(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := &naive{oks: func(*nostr.Event) int {
		cancel()
		return 0
	}}
	_, err := Run(ctx, small(n.start(t), PhaseIngest), &bytes.Buffer{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestRun_SilentRelayFails(t *testing.T) {
	n := &naive{oks: func(*nostr.Event) int { return 0 }}
	o := small(n.start(t), PhaseIngest)
	o.Wait = 100 * time.Millisecond
	var out bytes.Buffer
	rep, err := Run(t.Context(), o, &out)
	if err == nil || rep.Ingest == nil || rep.Ingest.Accepted != 0 {
		t.Errorf("error %v, report %+v; want an error and nothing accepted", err, rep.Ingest)
	}
}

func TestRun_CancelEndsTheRun(t *testing.T) {
	block := make(chan struct{})
	seen := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		seen <- struct{}{}
		<-block
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(block) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-seen
		cancel()
	}()
	_, err := Run(ctx, small("ws"+strings.TrimPrefix(s.URL, "http")), &bytes.Buffer{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
