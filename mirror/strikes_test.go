package mirror

import (
	"testing"
	"time"
)

func TestStrikes_CountForTenMinutes(t *testing.T) {
	var s strikes
	at := time.Unix(epoch, 0)
	unasked, _ := fault(reasonUnasked)
	id, _ := fault(reasonID)
	for n := range 600 { // one a second for ten minutes
		s.add(at.Add(time.Duration(n)*time.Second), unasked)
	}
	end := at.Add(600 * time.Second)
	if n := s.count(end); n < 570 || n > 600 {
		t.Errorf("%d after ten minutes, want nearly all 600", n)
	}
	if n := s.count(end.Add(5 * time.Minute)); n < 270 || n > 300 {
		t.Errorf("%d five minutes later, want nearly half", n)
	}
	if n := s.count(end.Add(10 * time.Minute)); n != 0 {
		t.Errorf("%d ten minutes later, want none", n)
	}
	p := pace{temper: temper{}.orDefault()}
	later := end.Add(time.Hour)
	for range 600 {
		s.add(later, id)
	}
	if got := s.sentence(later, p); got != nil {
		t.Errorf("600 are a pause: %+v", got)
	}
	for range 400 {
		s.add(later, unasked)
	}
	if got := s.sentence(later, p); got == nil || got.Reason != reasonID || got.Length != 10*time.Minute || got.Until != later.Add(10*time.Minute).Unix() {
		t.Errorf("got %+v, want ten minutes for what there was most of", got)
	}
	if n := s.count(at.Add(-time.Hour)); n != 0 {
		t.Errorf("%d by a clock that went back, want none from the future", n)
	}
}

func TestStrikes_PausesDoubleToSixHours(t *testing.T) {
	var s strikes
	at := time.Unix(epoch, 0)
	p := pace{temper: temper{}.orDefault()}
	for _, want := range []int{10, 20, 40, 80, 160, 320, 360, 360} {
		for range 1000 {
			s.add(at, 0)
		}
		got := s.sentence(at, p)
		if got == nil || int(got.Length.Minutes()) != want {
			t.Fatalf("got %+v, want %d minutes", got, want)
		}
		s.clear()
		at = at.Add(got.Length + 23*time.Hour)
	}
	at = at.Add(2 * time.Hour) // more than a day since the last
	for range 1000 {
		s.add(at, 0)
	}
	if got := s.sentence(at, p); got.Length != 10*time.Minute {
		t.Errorf("after a clean day it is %s, want the first again", got.Length)
	}
}

// TestPause_DamagedNoteIsForgotten: what cannot be read, or comes from a clock gone wrong, shuts nobody out.
func TestPause_DamagedNoteIsForgotten(t *testing.T) {
	for name, tc := range map[string]struct{ note, reason string }{
		"damaged": {`{"until":`, ""}, "of another kind": {`[1]`, ""}, "long over": {`{"until":5,"length":5,"reason":"bad-id"}`, ""},
		"with a word of nobody's": {`{"until":99999999999,"length":-5,"reason":"<b>"}`, reasonOther},
	} {
		t.Run(name, func(t *testing.T) {
			r, state := newFake(t), newState()
			state.meta["mirror/pause/"+r.addr()] = []byte(tc.note)
			m, _ := start(t, Options{Upstreams: []string{r.addr()}}, newSink(), state)
			if tc.reason == "" {
				eventually(t, "live", backfilled(m))
				return
			}
			eventually(t, "the pause", func() bool { return m.Upstreams()[0].State == StatePaused })
			u := m.upstreams[r.addr()]
			if _, left, err := u.remembered(); left > u.m.o.pace.maxPause || err != nil || m.Upstreams()[0].Reason != tc.reason {
				t.Errorf("%s left for %q, %v; want six hours at most for %q", left, m.Upstreams()[0].Reason, err, tc.reason)
			}
		})
	}
}
