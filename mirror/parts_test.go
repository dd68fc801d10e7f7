package mirror

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

type clock struct {
	mu sync.Mutex // guards below
	at time.Time
}

func newClock(at time.Time) *clock { return &clock{at: at} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestMark_Open(t *testing.T) {
	const overlap = 10 * time.Minute
	for _, tc := range []struct {
		name       string
		before     mark
		now, floor int64
		want       mark
	}{
		{"first", mark{}, 100_000, 5_000, mark{Heard: 100_000, Floor: 5_000, Swept: 100_000, Windows: []window{{5_000, 100_000}}}},
		{"reconnect", mark{Heard: 100_000, Floor: 5_000}, 100_060, 5_060, mark{Heard: 100_060, Floor: 5_000, Windows: []window{{99_400, 100_060}}}},
		{
			"reconnect during backfill",
			mark{Heard: 100_000, Floor: 5_000, Windows: []window{{5_000, 50_000}}},
			100_060, 5_060,
			mark{Heard: 100_060, Floor: 5_000, Windows: []window{{99_400, 100_060}, {5_000, 50_000}}},
		},
		{
			"reconnect that touches the backfill",
			mark{Heard: 100_000, Floor: 5_000, Windows: []window{{5_000, 99_900}}},
			100_060, 5_060,
			mark{Heard: 100_060, Floor: 5_000, Windows: []window{{5_000, 100_060}}},
		},
		{
			"longer backfill than before",
			mark{Heard: 100_000, Floor: 50_000},
			100_060, 0,
			mark{Heard: 100_060, Windows: []window{{99_400, 100_060}, {0, 50_000}}},
		},
		{"clock set back", mark{Heard: 100_000, Floor: 5_000}, 90_000, 5_000, mark{Heard: 100_000, Floor: 5_000, Windows: []window{{99_400, 100_000}}}},
		{"longer away than the backfill", mark{Heard: 100_000, Floor: 50_000}, 900_000, 850_000, mark{Heard: 900_000, Floor: 50_000, Windows: []window{{99_400, 900_000}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.before
			got.open(tc.now, tc.floor, overlap)
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(mark{}, window{})); d != "" {
				t.Errorf("open: -want +got\n%s", d)
			}
		})
	}
}

func TestMark_WindowsStayFewAndLoseNothing(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	m := mark{}
	missing := map[int64]bool{}
	for range 500 {
		a := rnd.Int64N(5000)
		w := window{a, a + rnd.Int64N(4)}
		m.add(w)
		for i := w.Since; i <= w.Until; i++ {
			missing[i] = true
		}
	}
	if len(m.Windows) > maxWindows {
		t.Errorf("seed %d: %d windows, want at most %d", seed, len(m.Windows), maxWindows)
	}
	for i, w := range m.Windows {
		if i > 0 && w.Until >= m.Windows[i-1].Since {
			t.Errorf("seed %d: window %d overlaps the one before it", seed, i)
		}
	}
	for at := range missing {
		found := false
		for _, w := range m.Windows {
			found = found || (w.Since <= at && at <= w.Until)
		}
		if !found {
			t.Errorf("seed %d: %d is in no window", seed, at)
		}
	}
}

func TestTide_RisesOnlyPastWhatIsDone(t *testing.T) {
	var d tide
	a, b, c := d.begin(1), d.begin(2), d.begin(3)
	d.end(c, 30)
	d.end(b, 20)
	if d.level != 0 {
		t.Errorf("level = %d before the first event is done, want 0", d.level)
	}
	d.end(a, 10)
	if d.level != 30 {
		t.Errorf("level = %d after all are done, want 30", d.level)
	}
}

func TestParts_AskForWhatTheDesignSays(t *testing.T) {
	ps := parts(nil)
	a := ps[0].filters(4096)
	if len(a) != 1 || len(a[0].Kinds) != 2003 {
		t.Fatalf("subscription A = %d filters with %d kinds, want one with 2003", len(a), len(a[0].Kinds))
	}
	for kind, want := range map[int]bool{
		5000: true, 5300: true, 5128: false, 5129: false, 5666: false, 5969: false, 5999: true, 6000: true, 6666: false,
		6969: false, 6999: true, 7000: true, 7007: true, 11998: true, 11999: true, 11316: true, 11320: true, 11321: false, 31990: false,
	} {
		if got := a[0].Matches(&nostr.Event{Kind: kind}); got != want {
			t.Errorf("subscription A matches kind %d = %v, want %v", kind, got, want)
		}
	}
	b := ps[1].filters(4096)
	if len(b) != 10 || b[0].Since != nil || len(b[1].Tags["d"]) != 250 {
		t.Errorf("subscription B = %d filters, the second with %d values, want 10 and 250", len(b), len(b[1].Tags["d"]))
	}
	for _, n := range []int{20, 31, 250, 1002} {
		subs, rest := bundle(ps[0].filters(n), capacity{3, 1000}, maxSubsPerPart)
		total := 0
		for _, fs := range subs {
			for _, f := range fs {
				total += len(f.Kinds)
			}
		}
		if len(subs) > maxSubsPerPart || total != 2003 || len(rest) > 0 {
			t.Errorf("by %d: %d subscriptions with %d kinds, want at most %d with 2003", n, len(subs), total, maxSubsPerPart)
		}
	}
}

func TestBackoff_FirstRetryIsSoonAndTheRestAreCapped(t *testing.T) {
	p := pace{}.orDefault()
	b := backoff{first: p.firstRetry, most: p.maxRetry}
	if d := b.next(); d < time.Second || d > 2*time.Second {
		t.Errorf("first wait = %s, want 1 s to 2 s", d)
	}
	for range 40 {
		if d := b.next(); d > 5*time.Minute {
			t.Fatalf("wait = %s, want at most 5 min", d)
		}
	}
	b.reset()
	if d := b.next(); d > 2*time.Second {
		t.Errorf("first wait after health = %s, want at most 2 s", d)
	}
}

func TestOptions_Validate(t *testing.T) {
	o := Options{Upstreams: []string{"wss://a.example", "http://b.example", "wss://A.example/", "wss://", "ws://u:p@c.example"}, Backfill: -time.Hour, Follow: true}
	got := strings.Split(fmt.Sprint(o.Validate()), "\n")
	want := []string{
		`mirror.upstreams[1]: "http://b.example": must begin with ws:// or wss://`,
		`mirror.upstreams[2]: "wss://A.example/": named twice`,
		`mirror.upstreams[3]: "wss://": names no host`,
		`mirror.upstreams[4]: "ws://u:p@c.example": must not carry a user or a fragment`,
		`mirror.backfill: -1h0m0s: must not be negative`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Validate: -want +got\n%s", d)
	}
	if w := o.Warnings(); len(w) != 0 {
		t.Errorf("Warnings = %q, want none: everything has an effect", w)
	}
	if err := DefaultOptions().Validate(); err != nil {
		t.Errorf("the defaults have faults: %v", err)
	}
}
