package demo

import (
	"context"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"
)

// owed is a job that was paid, in unix milliseconds; ended is 0 when nothing is heard of it again.
type owed struct {
	slot        slot
	paid, ended int64
}

// owings are the jobs of a lively stretch that are paid and left.
func owings(t *testing.T, seed uint64, since, until int64, r Rhythm) (list []owed) {
	t.Helper()
	w := newWorld(seed)
	for n := r.slotOf(since); n < r.slotOf(until); n++ {
		c := slot{n: n, lively: true, alone: true}
		if set, is := c.scene(); !is || !set.long {
			continue
		}
		lines, err := w.write(c, r)
		fatal(t, err)
		paid := slices.IndexFunc(lines, func(l line) bool { return l.evt.Kind == nip90.KindZap })
		if paid < 0 {
			t.Fatalf("nobody pays in slot %d", n)
		}
		o := owed{slot: c, paid: lines[paid].due}
		if last := lines[len(lines)-1]; paid < len(lines)-1 {
			o.ended = last.due
			if k := last.evt.Kind; !nip90.IsResult(k) && k != nip90.KindZap {
				t.Errorf("the job of slot %d ends with kind %d, want a result or a payment back", n, k)
			}
		}
		if first := lines[0].due; max(o.paid, o.ended)-first > int64(lasting/r.Speed) {
			t.Errorf("the story of slot %d takes %d ms", n, o.ended-first)
		}
		list = append(list, o)
	}
	return list
}

// One job that was paid and is waited for in vain is on stage at any time, and of a whole day few are left in the end.
func TestScript_FewStayPaidWithoutAResult(t *testing.T) {
	const silence = 600_000 // index.stalled_after
	since, until := int64(moment-86_400)*1000, int64(moment)*1000
	list := owings(t, DefaultSeed, since, until, Rhythm{}.withDefaults())
	count := func(at int64) (n int) {
		for _, o := range list {
			if o.paid+silence <= at && (o.ended == 0 || o.ended > at) {
				n++
			}
		}
		return n
	}
	for at := since + lasting; at <= until; at += 20_000 {
		if count(at) == 0 {
			t.Fatalf("%d s before the end of the day nobody waits in vain", (until-at)/1000)
		}
	}
	stay := 0
	for _, o := range list {
		if o.ended == 0 {
			stay++
		}
	}
	if n := count(until); n > 15 || stay < 2 || len(list) < 150 {
		t.Errorf("of %d jobs of a day that were paid and left %d are on stage in the end and %d stay, want at most 15, and 2 or more", len(list), n, stay)
	}
}

// Whenever a market ends and goes on, the stories that were not over are told to their end.
func TestUnfinished_StoriesGoOnAfterAnEnd(t *testing.T) {
	for _, r := range []Rhythm{Rhythm{}.withDefaults(), quick} {
		begun := int64(moment) * 1000
		brisk := r.span(lively)
		list := owings(t, DefaultSeed, begun-brisk+r.span(1), begun+r.span(1200), r)
		w := newWorld(DefaultSeed)
		for lived := begun; lived < begun+r.span(1200); lived += r.span(17) {
			told := w.unfinished(begun-brisk, lived-brisk, r)
			for _, c := range told {
				if at := c.n * r.Every.Milliseconds(); at < begun-brisk || at > lived-brisk {
					t.Errorf("slot %d is told again, which is not within the lively time", c.n)
				}
			}
			for _, o := range list {
				at := o.slot.n * r.Every.Milliseconds()
				if at > lived-brisk || o.ended <= lived {
					continue // it is told with all else, or it is over
				}
				if !slices.Contains(told, o.slot) {
					t.Errorf("lived until %d s: the story of slot %d is not told to its end", (lived-begun)/1000, o.slot.n)
				}
			}
		}
	}
}

// What is still to come when the past was filled in comes in its order, and nothing of it is there already.
func TestMarket_WhatIsToComeIsNotThereYet(t *testing.T) {
	r, _ := newRig(t, "")
	m := r.market(false, func(o *Options) { o.Rhythm.Past = 30 * time.Second })
	now := time.Now()
	coming, err := m.fill(context.Background(), &mark{Seed: DefaultSeed, Moment: now.Unix()}, now)
	fatal(t, err)
	snap := r.store.Snapshot()
	defer snap.Close()
	late := 0
	for i, l := range coming {
		if i > 0 && l.due < coming[i-1].due || l.due <= now.UnixMilli() {
			t.Errorf("event %d is not in its place", i)
		}
		if l.due > now.Add(5*time.Minute).UnixMilli() {
			late++
		}
		id, _ := nip90.ParseID(l.evt.ID)
		if _, ok, err := snap.Fact(id); ok || err != nil {
			t.Errorf("event %d, which is due in %d s, is there (%v)", i, (l.due-now.UnixMilli())/1000, err)
		}
	}
	if late == 0 {
		t.Error("no story of the stage goes on for long")
	}
}
