package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"dvmrelay/control"
)

// importCmd is `import`.
type importCmd struct {
	File  string `arg:"" optional:"" help:"JSON lines or a JSON array of events, plain or gzip; - or nothing is standard input." default:"-"`
	Again bool   `help:"Begin at the beginning even if an earlier import of the file was interrupted."`
	JSON  bool   `name:"json" help:"Print progress and report as JSON lines."`
}

// Run imports events. What is refused or unreadable is counted, not fatal. An import of a file that was interrupted is taken
// up where it was left.
func (c *importCmd) Run(k *call) error {
	in, err := k.open(c.File)
	if err != nil {
		return err
	}
	defer in.close()
	return k.withVerbs(writes, func(ctx context.Context, v control.Verbs) error {
		mark, err := in.mark(ctx, v)
		if err != nil {
			return err
		}
		src, err := in.source(ctx, &mark, c.Again)
		if err != nil {
			return err
		}
		switch {
		case src.From > 0:
			fmt.Fprintf(k.std.err, "dvmrelay: going on after %d events that were read before; --again begins anew\n", mark.Report.Read)
		case mark.Done:
			fmt.Fprintf(k.std.err, "dvmrelay: this file was imported before, to its end, at %s; it is read again\n", time.Unix(mark.At, 0).UTC().Format(time.RFC3339))
		}
		began, begun := time.Now(), in.at.Load()
		show := progressOf(k, c.JSON, func(r control.ImportReport) string {
			return reading{
				done: in.at.Load(), total: in.size, begun: begun, events: r.Read - r.Resumed, took: time.Since(began),
				note: fmt.Sprintf("%d stored", r.Stored),
			}.String()
		})
		report, err := v.ImportFrom(ctx, src, show.progress)
		show.close()
		if c.JSON {
			return errors.Join(err, json.NewEncoder(k.std.out).Encode(report))
		}
		printImport(k.std.out, report)
		if err != nil && in.print != "" {
			fmt.Fprintln(k.std.err, "dvmrelay: the next import of this file goes on from where all was on disk")
		}
		return err
	})
}

// input is what an import reads, and how far it came in it.
type input struct {
	io.Reader
	file  *os.File // nil when it cannot be read twice
	print string
	size  int64 // bytes; 0 = nobody knows
	at    atomic.Int64
	close func()
}

// open opens what is to be imported. Only a regular file is remembered.
func (c *call) open(name string) (*input, error) {
	if name == "-" {
		return &input{Reader: c.std.in, close: func() {}}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open import: %w", err)
	}
	in := &input{Reader: f, close: func() { _ = f.Close() }} // nothing was written to it
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		in.file, in.size = f, info.Size()
		in.Reader = &counted{f, &in.at}
		in.print, err = control.Fingerprint(f)
	}
	if err != nil {
		in.close()
		return nil, fmt.Errorf("open import: %w", err)
	}
	return in, nil
}

// mark is how far the file was imported before; the zero value when it was not.
func (in *input) mark(ctx context.Context, v control.Verbs) (control.ImportMark, error) {
	if in.print == "" {
		return control.ImportMark{}, nil
	}
	m, _, err := v.Imported(ctx, in.print)
	return m, err
}

// source goes to the place where an interrupted import is taken up.
func (in *input) source(ctx context.Context, m *control.ImportMark, again bool) (control.ImportSource, error) {
	src := control.ImportSource{In: in, File: in.print}
	if again || m.Done || m.Offset == 0 {
		return src, nil
	}
	src.From = m.Offset
	var head [2]byte
	if _, err := in.file.ReadAt(head[:], 0); err != nil {
		return src, fmt.Errorf("read import: %w", err)
	}
	if head != [2]byte{0x1f, 0x8b} {
		if _, err := in.file.Seek(m.Offset, io.SeekStart); err != nil {
			return src, fmt.Errorf("go on with import: %w", err)
		}
		in.at.Store(m.Offset)
		return src, nil
	}
	zr, err := gzip.NewReader(bufio.NewReaderSize(in.Reader, 64<<10))
	if err != nil {
		return src, fmt.Errorf("read gzip: %w", err)
	}
	for left := m.Offset; left > 0 && ctx.Err() == nil; {
		n, err := io.CopyN(io.Discard, zr, min(left, 4<<20))
		if left -= n; err != nil {
			return src, fmt.Errorf("go on with import: %w", err)
		}
	}
	src.In = zr
	return src, nil
}

// counted counts what is read.
type counted struct {
	r  io.Reader
	at *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.at.Add(int64(n))
	return n, err
}

// reading is how far an import is in its file, as one line of at most 79 characters.
type reading struct {
	done, total int64         // bytes of the file; total 0 = nobody knows
	begun       int64         // of done, when this run began
	events      uint64        // of this run
	took        time.Duration // by this run
	note        string        // what else is to be said
}

func (r reading) String() string {
	line := ""
	if r.total > 0 {
		line = bar(float64(r.done)/float64(r.total), 24)
	}
	line += fmt.Sprintf("%d events", r.events)
	if s := r.took.Seconds(); s >= 1 {
		line += fmt.Sprintf(", %.0f/s", float64(r.events)/s)
	}
	if went := r.done - r.begun; r.total > 0 && went > 0 && r.took >= 3*time.Second {
		left := time.Duration(float64(r.took) * float64(max(r.total-r.done, 0)) / float64(went))
		line += ", " + left.Round(time.Second).String() + " left"
	}
	if r.note != "" {
		line += ", " + r.note
	}
	return line[:min(len(line), 79)]
}
