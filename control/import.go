package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"

	"golang.org/x/sync/errgroup"
)

const (
	maxLineBytes    = 2 << 20
	importSlots     = 64       // events on their way to disk at once
	maxHeldEvents   = 10_000   // events that name nothing known, asked after again at the end
	maxHeldBytes    = 64 << 20 // of such events
	maxMarkedEvents = 500      // of such events, written down with a mark
	maxMarkedBytes  = 512 << 10
	progressEvery   = time.Second
	reasonLine      = "unreadable"
	reasonTooLong   = "line-too-long"
	reasonUnknown   = "other"
	reasonAwaiting  = "restricted" // the prefix of "names nothing known here": a later line may change that
)

// importer is one import under way.
type importer struct {
	submit   func(context.Context, *nip90.Parsed) mirror.Verdict
	now      func() time.Time
	remember func(context.Context, ImportMark, []heldLine) error // nil = nothing is remembered
	from     ImportMark                                          // where it is taken up

	mu     sync.Mutex // guards below
	report ImportReport
	held   []heldLine
	bytes  int
	waits  map[nip90.ID]bool // events of the file that the store keeps until what they are about comes
}

// heldLine is a line to be asked after again. waits: the store keeps it meanwhile, and may have let it in by then.
type heldLine struct {
	line  []byte
	waits bool
}

// MarshalJSON writes it down with a mark.
func (h heldLine) MarshalJSON() ([]byte, error) { return json.Marshal([]any{string(h.line), h.waits}) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *heldLine) UnmarshalJSON(b []byte) error {
	var line string
	if err := json.Unmarshal(b, &[]any{&line, &h.waits}); err != nil {
		return fmt.Errorf("read line of an import: %w", err)
	}
	h.line = []byte(line)
	return nil
}

// fresh is a line as it is first read.
func fresh(line []byte) heldLine { return heldLine{line: line} }

// run reads every event. They are submitted in the order of the file but decided side by side, so that many share one
// write to disk; those that name nothing known are tried again when the rest is in. Once in progressEvery it
// lets all that is on its way arrive, and remembers how far it came.
func (im *importer) run(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error) {
	im.report = im.from.Report
	im.report.Resumed = im.report.Read
	im.report.Rejected = maps.Clone(im.report.Rejected)
	if im.report.Rejected == nil {
		im.report.Rejected = map[string]uint64{}
	}
	im.waits = map[nip90.ID]bool{}
	for _, line := range im.from.held {
		im.keep(line)
	}
	src, err := openElements(in, im.from.Form, im.from.Offset)
	if err != nil {
		return im.snapshot(), err
	}
	for ended := false; !ended && err == nil; {
		if ended, err = im.stretch(ctx, src); err == nil {
			err = im.mark(ctx, src, false)
		}
		if progress != nil && !ended {
			progress(im.snapshot())
		}
	}
	for err == nil {
		held := im.takeHeld()
		before := im.snapshot()
		if len(held) == 0 {
			break
		}
		err = im.each(ctx, func(yield func(heldLine) bool) error {
			for _, line := range held {
				if !yield(line) {
					return nil
				}
			}
			return nil
		}, false)
		if im.snapshot().Stored == before.Stored {
			break
		}
	}
	for _, line := range im.takeHeld() {
		if line.waits {
			im.reject(mirror.ReasonWaiting, false)
		} else {
			im.reject(reasonAwaiting, false)
		}
	}
	if err == nil {
		err = im.mark(ctx, src, true)
	}
	return im.snapshot(), err
}

// stretch imports for about progressEvery, and says whether that was the end of the input.
func (im *importer) stretch(ctx context.Context, src *elements) (ended bool, err error) {
	began := im.now()
	err = im.each(ctx, func(yield func(heldLine) bool) error {
		for {
			element, fault, err := src.next()
			switch {
			case errors.Is(err, io.EOF):
				ended = true
				return nil
			case err != nil:
				return fmt.Errorf("read event %d: %w", im.snapshot().Read+1, err)
			case fault != "":
				im.reject(fault, true)
			case !yield(fresh(bytes.Clone(element))):
				return nil
			}
			if im.now().Sub(began) >= progressEvery {
				return nil
			}
		}
	}, true)
	return ended, err
}

// mark remembers how far all is on disk, and what is to be asked after again. While that is too much to be remembered, it
// remembers nothing: what is read again then is merely here already.
func (im *importer) mark(ctx context.Context, src *elements, done bool) error {
	im.mu.Lock()
	im.report.Bytes = src.read
	held, heldBytes := slices.Clone(im.held), im.bytes
	im.mu.Unlock()
	if im.remember == nil || !src.settled() || len(held) > maxMarkedEvents || heldBytes > maxMarkedBytes {
		return nil
	}
	return im.remember(ctx, ImportMark{File: im.from.File, Offset: src.read, Form: src.form, Done: done, At: im.now().Unix(), Report: im.snapshot()}, held)
}

// keep takes up a line that an earlier import held.
func (im *importer) keep(line heldLine) {
	im.held = append(im.held, line)
	im.bytes += len(line.line)
	if evt, _, err := parseEvent(line.line); err == nil && line.waits {
		if id, ok := nip90.ParseID(evt.ID); ok {
			im.waits[id] = true
		}
	}
}

// each submits every line that source yields, a bounded number at once.
func (im *importer) each(ctx context.Context, source func(yield func(heldLine) bool) error, count bool) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(importSlots)
	err := source(func(line heldLine) bool {
		if gctx.Err() != nil {
			return false
		}
		if count {
			im.mu.Lock()
			im.report.Read++
			im.mu.Unlock()
		}
		g.Go(func() error { return im.line(gctx, line) })
		return true
	})
	return errors.Join(g.Wait(), err, ctx.Err())
}

func (im *importer) line(ctx context.Context, line heldLine) error {
	evt, raw, err := parseEvent(line.line)
	if err != nil {
		im.reject(reasonLine, false)
		return nil
	}
	p, err := nip90.Open(evt, raw, nip90.DoorImport, im.now())
	if err != nil {
		im.reject(reasonLine, false)
		return nil
	}
	v := im.submit(ctx, p)
	if v.Outcome == mirror.Failed {
		if v.Err == nil {
			v.Err = errors.New("not taken")
		}
		return fmt.Errorf("import event %s: %w", evt.ID, v.Err)
	}
	im.count(v, p, line)
	return nil
}

func (im *importer) count(v mirror.Verdict, p *nip90.Parsed, line heldLine) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if line.waits && v.Outcome == mirror.Duplicate { // a later line let it in
		v = mirror.Verdict{Outcome: mirror.Stored}
		if p.Expires != 0 && p.Expires <= im.now().Unix() {
			v = mirror.Verdict{Outcome: mirror.Ignored, Reason: mirror.ReasonFactOnly}
		}
	}
	switch v.Outcome {
	case mirror.Stored:
		im.report.Stored++
	case mirror.Duplicate:
		im.report.Duplicate++
	case mirror.Ignored:
		switch v.Reason {
		case mirror.ReasonDeleted:
			im.report.Deleted++
		case mirror.ReasonFactOnly:
			im.report.FactOnly++
		case mirror.ReasonWaiting:
			im.waiting(p.ID, line)
		default:
			im.report.Stale++
		}
	default:
		if v.Reason == reasonAwaiting && im.hold(line) {
			return
		}
		if v.Reason == "" {
			v.Reason = reasonUnknown
		}
		im.report.Rejected[v.Reason]++
	}
}

// waiting counts an event that the store keeps until what it is about comes; whether it did is asked at the end. The mutex is
// held.
func (im *importer) waiting(id nip90.ID, line heldLine) {
	switch {
	case !line.waits && im.waits[id]:
		im.report.Duplicate++
	case im.hold(heldLine{line.line, true}):
		im.waits[id] = true
	default:
		im.report.Rejected[mirror.ReasonWaiting]++
	}
}

// hold keeps a line for the end, if there is room. The mutex is held.
func (im *importer) hold(line heldLine) bool {
	if len(im.held) >= maxHeldEvents || im.bytes+len(line.line) > maxHeldBytes {
		return false
	}
	im.held = append(im.held, line)
	im.bytes += len(line.line)
	return true
}

func (im *importer) reject(reason string, read bool) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if read {
		im.report.Read++
	}
	im.report.Rejected[reason]++
}

func (im *importer) takeHeld() []heldLine {
	im.mu.Lock()
	defer im.mu.Unlock()
	held := im.held
	im.held, im.bytes = nil, 0
	return held
}

func (im *importer) snapshot() ImportReport {
	im.mu.Lock()
	defer im.mu.Unlock()
	r := im.report
	r.Rejected = maps.Clone(im.report.Rejected)
	return r
}

// interruptible reads what is imported, but only until ctx ends: a terminal may keep a reader waiting for ever. hangUp must
// be called; after it a file is not read any more.
func (src *ImportSource) interruptible(ctx context.Context) (r io.Reader, hangUp func()) {
	out, feed := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := io.Copy(feed, src.In)
		_ = feed.CloseWithError(err) // never fails
	}()
	quit := func() { _ = feed.CloseWithError(context.Canceled) } // never fails
	stop := context.AfterFunc(ctx, quit)
	_, file := src.In.(io.Seeker)
	return out, func() {
		stop()
		quit()
		if file && src.File != "" { // reading it takes no time, and its owner may take it up again
			<-ended
		}
	}
}
