package control

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"golang.org/x/sync/errgroup"
)

const (
	maxLineBytes   = 2 << 20
	importSlots    = 64       // events on their way to disk at once
	maxHeldEvents  = 10_000   // events that name nothing known, asked after again at the end
	maxHeldBytes   = 64 << 20 // of such events
	progressEvery  = time.Second
	reasonLine     = "unreadable"
	reasonTooLong  = "line-too-long"
	reasonUnknown  = "other"
	reasonAwaiting = "restricted" // the prefix of "names nothing known here": a later line may change that
)

// importer is one import under way.
type importer struct {
	submit func(context.Context, *nip90.Parsed) mirror.Verdict
	now    func() time.Time

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

// fresh is a line as it is first read.
func fresh(line []byte) heldLine { return heldLine{line: line} }

// run reads every line. Events are submitted in the order of the file but decided side by side, so that many share one
// write to disk; those that name nothing known are tried again when the rest is in.
func (im *importer) run(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error) {
	im.report.Rejected, im.waits = map[string]uint64{}, map[nip90.ID]bool{}
	lines, err := openLines(in)
	if err != nil {
		return im.snapshot(), err
	}
	last := im.now()
	err = im.each(ctx, func(yield func(heldLine) bool) error {
		for {
			line, tooLong, err := readLine(lines)
			if err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return fmt.Errorf("read line %d: %w", im.snapshot().Read+1, err)
			}
			if tooLong {
				im.reject(reasonTooLong, true)
				continue
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			if !yield(fresh(bytes.Clone(line))) {
				return nil
			}
			if now := im.now(); progress != nil && now.Sub(last) >= progressEvery {
				last = now
				progress(im.snapshot())
			}
		}
	}, true)
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
	return im.snapshot(), err
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
	evt, raw, err := wire.ParseEvent(line.line, wire.Limits{})
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

// interruptible reads in, but only until ctx ends: a terminal may keep a reader waiting for ever. hangUp must be called.
func interruptible(ctx context.Context, in io.Reader) (r io.Reader, hangUp func()) {
	out, feed := io.Pipe()
	go func() {
		_, err := io.Copy(feed, in)
		_ = feed.CloseWithError(err) // never fails
	}()
	quit := func() { _ = feed.CloseWithError(context.Canceled) } // never fails
	stop := context.AfterFunc(ctx, quit)
	return out, func() {
		stop()
		quit()
	}
}

// openLines looks whether the input is gzip.
func openLines(in io.Reader) (*bufio.Reader, error) {
	br := bufio.NewReaderSize(in, 64<<10)
	head, err := br.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read import: %w", err)
	}
	if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
		return br, nil
	}
	zr, err := gzip.NewReader(br)
	if err != nil {
		return nil, fmt.Errorf("read gzip: %w", err)
	}
	return bufio.NewReaderSize(zr, 64<<10), nil
}

// readLine reads a line of at most maxLineBytes; a longer one is skipped. The line is valid until the next call.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			if len(line) == 0 && err == nil {
				return part, false, nil
			}
			line = append(line, part...)
			if len(line) > maxLineBytes {
				line, tooLong = nil, true
			}
		}
		switch {
		case err == nil:
			return line, tooLong, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (len(line) > 0 || tooLong):
			return line, tooLong, nil
		default:
			return nil, false, err
		}
	}
}
