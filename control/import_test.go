package control

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

func TestImport_RealEventsWithForeignFields(t *testing.T) {
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	if _, err := zw.Write(extraFields(t)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"plain, no newline at the end": bytes.TrimRight(extraFields(t), "\n"), "gzip": zipped.Bytes()} {
		t.Run(name, func(t *testing.T) {
			local, s := open(t)
			client := running(t, t.TempDir(), local)
			report, err := client.Import(context.Background(), bytes.NewReader(data), nil)
			if err != nil {
				t.Fatal(err)
			}
			if report.Read != 104 || report.RejectedTotal() != 0 || report.Stored+report.FactOnly+report.Stale+report.Duplicate != 104 {
				t.Fatalf("report = %+v, want 104 read and none rejected", report)
			}
			if got := s.Stats().Facts; got != int64(report.Stored+report.FactOnly) {
				t.Errorf("%d facts, want %d", got, report.Stored+report.FactOnly)
			}
			again, err := client.Import(context.Background(), bytes.NewReader(data), nil)
			if err != nil || again.Stored != 0 || again.FactOnly != 0 {
				t.Errorf("second time = %+v, %v, want nothing new", again, err)
			}
			var out bytes.Buffer
			if err := client.Export(context.Background(), nostr.Filter{}, &out); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(out.Bytes(), []byte(`"_id"`)) {
				t.Error("the export carries foreign fields")
			}
			if got := bytes.Count(out.Bytes(), []byte("\n")); got != int(s.Stats().Bodies) {
				t.Errorf("export of %d lines, want %d", got, s.Stats().Bodies)
			}
			fresh, _ := open(t)
			back, err := fresh.Import(context.Background(), &out, nil)
			if err != nil || back.RejectedTotal() != 0 || int64(back.Stored) != s.Stats().Bodies {
				t.Errorf("import of the export = %+v, %v, want %d stored", back, err, s.Stats().Bodies)
			}
		})
	}
}

func TestImport_BadLinesAreCountedAndTheRestGoesOn(t *testing.T) {
	local, _ := open(t)
	lines := bytes.Split(bytes.TrimSpace(extraFields(t)), []byte("\n"))
	forged := bytes.Replace(lines[1], []byte(`"content":"`), []byte(`"content":"x`), 1)
	if bytes.Equal(forged, lines[1]) {
		forged = bytes.Replace(lines[1], []byte(`"content": "`), []byte(`"content": "x`), 1)
	}
	in := bytes.Join([][]byte{[]byte("not json"), nil, lines[0], bytes.Repeat([]byte("x"), maxLineBytes+100), forged, []byte(`{"id":5}`), lines[2]}, []byte("\n"))
	report, err := local.Import(context.Background(), bytes.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{reasonLine: 2, reasonTooLong: 1, "invalid": 1}
	if d := cmp.Diff(want, report.Rejected); d != "" || report.Read != 6 {
		t.Errorf("read %d, rejected -want +got\n%s", report.Read, d)
	}
}

func TestImport_ParentsMayComeAfterTheirChildren(t *testing.T) {
	known := map[string]bool{}
	submit := func(_ context.Context, p *nip90.Parsed) mirror.Verdict {
		if e := p.Event.Tags.Find("e"); len(e) > 1 && !known[e[1]] {
			return mirror.Verdict{Outcome: mirror.Refused, Reason: "restricted"}
		}
		known[p.Event.ID] = true
		return mirror.Verdict{Outcome: mirror.Stored}
	}
	parent := storetest.Parsed(t, nostr.Event{Kind: 5050, PubKey: strings.Repeat("aa", 32), CreatedAt: 5})
	child := storetest.Parsed(t, nostr.Event{Kind: 9735, PubKey: strings.Repeat("bb", 32), CreatedAt: 6, Tags: nostr.Tags{{"e", parent.Event.ID}}})
	orphan := storetest.Parsed(t, nostr.Event{Kind: 9735, PubKey: strings.Repeat("bb", 32), CreatedAt: 7, Tags: nostr.Tags{{"e", strings.Repeat("f", 64)}}})
	in := fmt.Sprintf("%s\n%s\n%s\n", child.Raw, orphan.Raw, parent.Raw)
	serial := make(chan struct{}, 1)
	local := &Local{Submit: func(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
		serial <- struct{}{}
		defer func() { <-serial }()
		return submit(ctx, p)
	}}
	report, err := local.Import(context.Background(), strings.NewReader(in), nil)
	if err != nil || report.Read != 3 || report.Stored != 2 || report.Rejected["restricted"] != 1 {
		t.Errorf("report = %+v, %v, want 2 stored and the orphan refused", report, err)
	}
}

func TestImport_FailureStopsAndIsTold(t *testing.T) {
	local := &Local{Submit: func(context.Context, *nip90.Parsed) mirror.Verdict {
		return mirror.Verdict{Outcome: mirror.Failed, Err: store.ErrDiskFull}
	}}
	client := running(t, t.TempDir(), local)
	for name, copies := range map[string]int{"short": 1, "longer than every buffer": 400} {
		_, err := client.Import(context.Background(), bytes.NewReader(bytes.Repeat(extraFields(t), copies)), nil)
		if err == nil || !strings.Contains(err.Error(), store.ErrDiskFull.Error()) {
			t.Errorf("%s: Import = %v, want the disk", name, err)
		}
	}
}

// TestImport_ProgressComesWhileReading holds the input open until progress was heard through the socket.
func TestImport_ProgressComesWhileReading(t *testing.T) {
	local := &Local{
		Submit: func(context.Context, *nip90.Parsed) mirror.Verdict { return mirror.Verdict{Outcome: mirror.Stored} },
	}
	var asked atomic.Int64 // the clock goes on whenever it is read
	local.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000 + 100*asked.Add(1)) }
	client := running(t, t.TempDir(), local)
	in, feed := io.Pipe()
	heard := make(chan ImportReport, 1)
	go func() {
		data := extraFields(t)
		_, _ = feed.Write(data)
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
		}
		_ = feed.Close()
	}()
	told := false
	report, err := client.Import(context.Background(), in, func(r ImportReport) {
		if !told {
			told = true
			heard <- r
		}
	})
	if err != nil || !told || report.Read != 104 {
		t.Errorf("Import = %+v, %v, progress heard %v, want 104 read with progress before the end", report, err, told)
	}
}

func TestImport_EndsWithItsContext(t *testing.T) {
	local, _ := open(t)
	for name, v := range map[string]Verbs{"alone": local, "beside": running(t, t.TempDir(), local)} {
		t.Run(name, func(t *testing.T) {
			never, end := io.Pipe()
			defer end.Close()
			early, none := context.WithCancel(context.Background())
			none()
			if _, err := v.Import(early, never, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("with an ended context: %v, want canceled", err)
			}
			in, feed := io.Pipe()
			defer feed.Close()
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() {
				_, err := v.Import(ctx, in, nil)
				done <- err
			}()
			if _, err := feed.Write(extraFields(t)); err != nil {
				t.Fatal(err)
			}
			cancel()
			select {
			case err := <-done:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Import = %v, want canceled", err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("Import did not end with its context")
			}
		})
	}
}
