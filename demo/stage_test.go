package demo

import (
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
)

// stageAt is a stage of a moment, seen so many seconds after it.
func stageAt(later int64) *Stage {
	s := NewStage(func() time.Time { return time.Unix(moment+later, 0) })
	s.moment.Store(moment)
	return s
}

func TestStage_TheStripAlwaysHasAGap(t *testing.T) {
	for later := int64(0); later < 2*day; later += 97 {
		now := moment + later
		inside := 0
		for _, g := range stageAt(later).Gaps(now-900, now, 0) {
			if g.Since >= now-900 && g.Until <= now && g.Since < g.Until {
				inside++
			}
		}
		if inside == 0 {
			t.Fatalf("%d s after the moment the last 15 minutes have no gap", later)
		}
	}
}

// What coverage says was heard is what the gaps leave of a window.
func TestStage_CoverageIsWhatGapsLeave(t *testing.T) {
	s := stageAt(3_000)
	for _, window := range [][2]int64{{moment - 600, moment + 600}, {moment - 10*day, moment}, {moment - 86_400, moment + 9_000}, {moment, moment}} {
		since, until := window[0], window[1]
		lost := map[string]int64{}
		for _, g := range s.Gaps(since, until, 0) {
			lost[g.URL] += g.Until - g.Since
		}
		for _, c := range s.Coverage(since, until) {
			if c.URL == index.SelfSource {
				continue
			}
			if c.WindowSeconds != min(until, moment+3_000)-since || c.HeardSeconds != c.WindowSeconds-lost[c.URL] || c.HeardSeconds < 0 {
				t.Errorf("%s from %d: heard %d of %d s with gaps of %d s", c.URL, since-moment, c.HeardSeconds, c.WindowSeconds, lost[c.URL])
			}
		}
	}
	if got := s.Gaps(moment-10*day, moment, 3); len(got) != 3 {
		t.Errorf("%d gaps, want no more than the 3 that were asked for", len(got))
	}
}

func TestStage_EveryStateAndCountsThatMove(t *testing.T) {
	states := map[string]bool{}
	for later := int64(0); later < 3_600; later += 30 {
		for _, u := range stageAt(later).Upstreams() {
			states[u.State] = true
			if u.State == mirror.StateWaiting && (u.Reason == "" || u.LagSeconds == 0 || u.HeardSince != 0) {
				t.Errorf("%d s: a lost upstream says %+v", later, u)
			}
			if u.LastEventAt > moment+later || u.HeardSince > moment+later {
				t.Errorf("%d s: %s heard in the future", later, u.URL)
			}
		}
	}
	for _, want := range []string{mirror.StateLive, mirror.StateBackfilling, mirror.StateWaiting, mirror.StateRefused, mirror.StatePaused} {
		if !states[want] {
			t.Errorf("no upstream was ever %s", want)
		}
	}
	early, late := stageAt(10).Upstreams(), stageAt(600).Upstreams()
	if late[0].Accepted <= early[0].Accepted || early[0].Accepted != stageAt(10).Upstreams()[0].Accepted {
		t.Errorf("accepted went from %d to %d", early[0].Accepted, late[0].Accepted)
	}
}
