package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// mirrorPage is what this test reads of /api/v1/upstreams.
type mirrorPage struct {
	Items []struct {
		State      string            `json:"state"`
		LagSeconds int64             `json:"lag_seconds"`
		Accepted   int               `json:"accepted"`
		Duplicates int               `json:"duplicates"`
		Rejected   map[string]uint64 `json:"rejected"`
		Backfill   struct {
			Done bool `json:"done"`
		} `json:"backfill"`
		Gaps []struct {
			Why string `json:"why"`
		} `json:"gaps"`
	} `json:"items"`
}

// TestKill9_BackfillResumesWithoutAHole kills the real program at random moments while it reads the past of another. In
// the end it has what the other has, and says that nothing was missed.
func TestKill9_BackfillResumesWithoutAHole(t *testing.T) {
	const events, kills = 3000, 6
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	dir := t.TempDir()
	feed := exec.Command("dvmrelay", "import", "--data-dir", filepath.Join(dir, "up"), "-")
	feed.Env = append(feed.Environ(), noRaceSleep)
	feed.Stdin = bytes.NewReader(pastJobs(t, rnd, events))
	if out, err := feed.CombinedOutput(); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	up, down := startHub(t, filepath.Join(dir, "up")), filepath.Join(dir, "down")
	upstream := "DVMRELAY_MIRROR_UPSTREAMS=ws://" + up.addr

	killed := 0
	for ; killed < kills; killed++ {
		p := startHub(t, down, upstream)
		more := 1 + rnd.IntN(events/kills/2)
		last := p.upstream(t, func(m *mirrorPage) bool { return m.Items[0].Accepted >= more || m.Items[0].Backfill.Done })
		p.kill(t)
		if last.Items[0].Backfill.Done {
			break
		}
	}
	t.Logf("killed %d times in its backfill", killed)
	if killed < 2 {
		t.Errorf("killed %d times before the end of the backfill, want more", killed)
	}
	p := startHub(t, down, upstream)
	last := p.upstream(t, func(m *mirrorPage) bool {
		return m.Items[0].Backfill.Done && m.Items[0].State == "live" && len(m.Items[0].Gaps) == 0
	})
	if u := last.Items[0]; u.LagSeconds != 0 || len(u.Rejected) != 0 {
		t.Errorf("upstream when all is read: %+v, want no lag and none rejected", u)
	}
	p.kill(t)
	up.kill(t)
	want, got := exported(t, filepath.Join(dir, "up")), exported(t, down)
	if len(want) != events || !slices.Equal(want, got) {
		t.Errorf("the upstream has %d events, want %d; the mirror has %d", len(want), events, len(got))
	}
	checkIndex(t, down)
}

// upstream waits until what the relay says of its one upstream is as wanted.
func (p *killable) upstream(t *testing.T, wanted func(*mirrorPage) bool) *mirrorPage {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(storyDeadline)
	for {
		raw, err := httpGet("http://" + p.addr + "/api/v1/upstreams")
		if err != nil {
			t.Fatal(err)
		}
		var page mirrorPage
		if err := json.Unmarshal(raw, &page); err != nil || len(page.Items) != 1 {
			t.Fatalf("upstreams: %s: %v", raw, err)
		}
		if wanted(&page) {
			return &page
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in time; upstreams: %s\n%s", raw, p.log)
		}
		<-tick.C
	}
}

// pastJobs are requests and their answers of the last weeks, as lines, many in one second.
func pastJobs(t *testing.T, rnd *rand.Rand, n int) []byte {
	t.Helper()
	customer, provider := nostr.GeneratePrivateKey(), nostr.GeneratePrivateKey()
	var lines bytes.Buffer
	var last *nostr.Event
	for i := range n {
		evt, key := &nostr.Event{Kind: 5300, Tags: nostr.Tags{{"i", fmt.Sprint("input ", i), "text"}}}, customer
		if i%2 == 1 {
			evt, key = &nostr.Event{Kind: 6300, Content: "[]", Tags: nostr.Tags{{"e", last.ID}, {"p", last.PubKey}}}, provider
		}
		evt.CreatedAt = nostr.Now() - nostr.Timestamp(3600+60*(i/20)+rnd.IntN(2))
		if err := evt.Sign(key); err != nil {
			t.Fatal(err)
		}
		last = evt
		lines.WriteString(evt.String() + "\n")
	}
	return lines.Bytes()
}

// exported are the ids of all that a relay that ended has stored.
func exported(t *testing.T, dir string) (ids []string) {
	t.Helper()
	out, err := command(dir, "export").Output()
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		evt, err := readEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, evt.ID)
	}
	slices.Sort(ids)
	return ids
}
