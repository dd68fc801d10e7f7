package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// turning is a clock on which everything takes a twentieth of progressEvery, so that a mark is left every few events.
func turning() func() time.Time {
	var asked atomic.Int64
	return func() time.Time {
		return time.Unix(1_800_000_000, 0).Add(time.Duration(asked.Add(1)) * progressEvery / 20)
	}
}

// submissions counts how often each event was handed on.
type submissions struct {
	mu    sync.Mutex // guards below
	times map[string]int
	until int // hand on so many, then fail; 0 = all
}

var errCut = errors.New("cut")

func (c *submissions) through(submit func(context.Context, *nip90.Parsed) mirror.Verdict) func(context.Context, *nip90.Parsed) mirror.Verdict {
	return func(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
		c.mu.Lock()
		if c.until > 0 && len(c.times) >= c.until {
			c.mu.Unlock()
			return mirror.Verdict{Outcome: mirror.Failed, Err: errCut}
		}
		c.times[p.Event.ID]++
		c.mu.Unlock()
		return submit(ctx, p)
	}
}

// unverified saves events without a look at their signatures, which take most of the time and are of no concern here.
func unverified(s *storetest.Running) func(context.Context, *nip90.Parsed) mirror.Verdict {
	return func(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
		out, _, err := s.Save(ctx, p)
		switch {
		case err != nil:
			return mirror.Verdict{Outcome: mirror.Failed, Err: err}
		case out == store.Duplicate:
			return mirror.Verdict{Outcome: mirror.Duplicate}
		case out == store.FactOnly:
			return mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonFactOnly}
		}
		return mirror.Verdict{Outcome: mirror.Stored}
	}
}

func written(t *testing.T, b []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// facts are the ids that a store has facts of.
func facts(t *testing.T, s *storetest.Running, ids map[string]int) (n int) {
	t.Helper()
	err := s.View(func(r store.Reader) error {
		for id := range ids {
			parsed, _ := nip90.ParseID(id)
			if _, ok, err := r.Fact(parsed); err != nil {
				return err
			} else if ok {
				n++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestImport_TakenUpGivesWhatOneGoGives breaks an import off at many places and takes it up, beside a relay and alone.
func TestImport_TakenUpGivesWhatOneGoGives(t *testing.T) {
	array := slicesOfArray(extraFields(t))
	for name, data := range map[string][]byte{"lines": extraFields(t), "array": array} {
		whole, ws := open(t)
		whole.Submit = unverified(ws)
		want, err := whole.Import(context.Background(), bytes.NewReader(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		for cut, where := range map[int][]bool{1: {true}, 30: {false}, 90: {false, true}} {
			for _, beside := range where {
				t.Run(fmt.Sprintf("%s, cut after %d, beside %t", name, cut, beside), func(t *testing.T) {
					f := written(t, data)
					file, err := Fingerprint(f)
					if err != nil {
						t.Fatal(err)
					}
					local, s := open(t)
					count := &submissions{times: map[string]int{}, until: cut}
					local.Submit, local.Now = count.through(unverified(s)), turning()
					var v Verbs = local
					if beside {
						v = running(t, t.TempDir(), local)
					}
					if _, ok, err := v.Imported(context.Background(), file); ok || err != nil {
						t.Fatalf("known before: %t, %v", ok, err)
					}
					if _, err = v.ImportFrom(context.Background(), ImportSource{In: f, File: file}, nil); err == nil {
						t.Fatal("the import was not broken off")
					}
					mark, ok, err := v.Imported(context.Background(), file)
					if err != nil || ok != (cut > 1) || mark.Done {
						t.Fatalf("mark = %+v, %t, %v, want one that is not at its end", mark, ok, err)
					}
					count.until = 0
					if _, err := f.Seek(mark.Offset, io.SeekStart); err != nil {
						t.Fatal(err)
					}
					got, err := v.ImportFrom(context.Background(), ImportSource{In: f, File: file, From: mark.Offset}, nil)
					if err != nil {
						t.Fatal(err)
					}
					again := 0
					for _, n := range count.times {
						again += n - 1
					}
					if again > importSlots+20 || cut == 90 && mark.Report.Read < 60 {
						t.Errorf("%d events handed on twice, mark after %d, want no more than were on their way", again, mark.Report.Read)
					}
					if got.Read != want.Read || got.Resumed != mark.Report.Read || got.Bytes != want.Bytes || got.RejectedTotal() != want.RejectedTotal() {
						t.Errorf("report = %+v, in one go %+v, taken up after %d", got, want, mark.Report.Read)
					}
					if a, b := facts(t, s, count.times), int(ws.Stats().Facts); a != b || s.Stats().Bodies != ws.Stats().Bodies {
						t.Errorf("%d facts and %d bodies, in one go %d and %d", a, s.Stats().Bodies, b, ws.Stats().Bodies)
					}
					if mark, ok, err = v.Imported(context.Background(), file); !ok || err != nil || !mark.Done {
						t.Errorf("mark at the end = %+v, %t, %v, want it done", mark, ok, err)
					}
					if _, err := v.ImportFrom(context.Background(), ImportSource{In: f, File: file, From: 5}, nil); !errors.Is(err, ErrUsage) {
						t.Errorf("taken up at a place that is none: %v, want ErrUsage", err)
					}
				})
			}
		}
	}
}

// slicesOfArray makes a JSON array of lines.
func slicesOfArray(lines []byte) []byte {
	return append(append([]byte("["), bytes.ReplaceAll(bytes.TrimSpace(lines), []byte("\n"), []byte(",\n  "))...), []byte("\n]\n")...)
}

func TestImport_MarksAreBoundedAndOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	ix := index.New(index.Options{KeepCustomer: true})
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer, o.Dir = ix, dir }), storetest.Check(ix.Check))
	local := &Local{Store: s.Store, Index: ix}
	for i := range maxMarks + 5 {
		if err := local.remember(context.Background(), ImportMark{File: fmt.Sprint(i), Offset: int64(i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := local.remember(context.Background(), ImportMark{File: "20", Done: true}, nil); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s = storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer, o.Dir = ix, dir }), storetest.Check(ix.Check))
	local = &Local{Store: s.Store, Index: ix}
	var got []string
	marks, err := local.marks()
	for _, m := range marks {
		got = append(got, fmt.Sprint(m.File, m.Done))
	}
	if err != nil || len(got) != maxMarks || got[0] != "5false" || got[maxMarks-1] != "20true" {
		t.Errorf("marks = %v, %v, want the newest %d, the one that changed last", got, err, maxMarks)
	}
}

func TestFingerprint_TellsFilesApart(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 3*printBytes)
	seen := map[string]string{}
	for name, b := range map[string][]byte{
		"empty": nil, "short": []byte("a"), "other": []byte("b"), "long": long, "longer": append(bytes.Clone(long), 'x'),
		"begins otherwise": append([]byte("y"), long[1:]...), "ends otherwise": append(bytes.Clone(long[1:]), 'y'),
	} {
		file, err := Fingerprint(written(t, b))
		again, _ := Fingerprint(written(t, b))
		if err != nil || file != again || seen[file] != "" {
			t.Errorf("%s: %s, then %s, %v, as of %q", name, file, again, err, seen[file])
		}
		seen[file] = name
	}
	if d := cmp.Diff(7, len(seen)); d != "" {
		t.Error(d)
	}
}

// TestImport_WhatIsHeldIsNotForgottenByAMark breaks off between a child and its parent.
func TestImport_WhatIsHeldIsNotForgottenByAMark(t *testing.T) {
	local, _ := open(t)
	parent := storetest.Parsed(t, nostr.Event{Kind: 5050, PubKey: strings.Repeat("aa", 32), CreatedAt: 5})
	child := storetest.Parsed(t, nostr.Event{Kind: 9735, PubKey: strings.Repeat("bb", 32), CreatedAt: 6, Tags: nostr.Tags{{"e", parent.Event.ID}}})
	orphan := storetest.Parsed(t, nostr.Event{Kind: 9735, PubKey: strings.Repeat("bb", 32), CreatedAt: 7, Tags: nostr.Tags{{"e", strings.Repeat("f", 64)}}})
	f := written(t, fmt.Appendf(nil, "%s\n%s\n%s\n", child.Raw, orphan.Raw, parent.Raw))
	file, err := Fingerprint(f)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	known, broken := map[string]bool{}, true
	local.Submit = func(_ context.Context, p *nip90.Parsed) mirror.Verdict {
		mu.Lock()
		defer mu.Unlock()
		if e := p.Event.Tags.Find("e"); len(e) > 1 && !known[e[1]] {
			return mirror.Verdict{Outcome: mirror.Refused, Reason: "restricted"}
		}
		if broken && p.ID == parent.ID {
			return mirror.Verdict{Outcome: mirror.Failed, Err: errCut}
		}
		known[p.Event.ID] = true
		return mirror.Verdict{Outcome: mirror.Stored}
	}
	now := time.Unix(1_800_000_000, 0)
	local.Now = func() time.Time { // a mark after every event
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(progressEvery)
		return now
	}
	if _, err := local.ImportFrom(context.Background(), ImportSource{In: f, File: file}, nil); !errors.Is(err, errCut) {
		t.Fatalf("Import = %v, want it cut", err)
	}
	mark, ok, err := local.Imported(context.Background(), file)
	if err != nil || !ok || mark.Offset != int64(len(child.Raw)+len(orphan.Raw)+2) || mark.Report.Read != 2 {
		t.Fatalf("mark = %+v, %t, %v, want it before the parent", mark, ok, err)
	}
	broken = false
	if _, err := f.Seek(mark.Offset, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	report, err := local.ImportFrom(context.Background(), ImportSource{In: f, File: file, From: mark.Offset}, nil)
	if err != nil || report.Read != 3 || report.Stored != 2 || report.Rejected["restricted"] != 1 {
		t.Errorf("report = %+v, %v, want 2 stored and the orphan refused", report, err)
	}
	if raw, err := local.Store.Meta(heldKey + file); raw != nil || err != nil {
		t.Errorf("held at the end: %s, %v, want nothing", raw, err)
	}
}
