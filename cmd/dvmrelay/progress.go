package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// bar draws how much of a whole is done, 0 to 1, in so many columns; empty when nothing is known of the whole.
func bar(done float64, columns int) string {
	if done <= 0 || columns <= 0 {
		return ""
	}
	done = min(done, 1)
	full := int(done * float64(columns))
	return fmt.Sprintf("[%s%s] %3d %%  ", strings.Repeat("=", full), strings.Repeat(" ", columns-full), int(100*done))
}

// byteSize is a number of bytes for people.
func byteSize(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// progressLine tells progress: on a terminal in one line that is written over, elsewhere as JSON lines or not at all.
type progressLine[R any] struct {
	out      io.Writer
	terminal bool
	quiet    bool
	line     func(R) string
	open     bool
}

// progressOf shows progress on standard error; with asJSON on standard output, beside the report.
func progressOf[R any](k *call, asJSON bool, line func(R) string) *progressLine[R] {
	if asJSON {
		return &progressLine[R]{out: k.std.out}
	}
	return &progressLine[R]{out: k.std.err, terminal: isTerminal(k.std.err), line: line}
}

func (s *progressLine[R]) progress(r R) {
	switch {
	case s.terminal:
		s.open = true
		fmt.Fprintf(s.out, "\r\x1b[K%s", s.line(r))
	case !s.quiet:
		_ = json.NewEncoder(s.out).Encode(r) // a reader that has left is noticed at the report
	}
}

func (s *progressLine[R]) close() {
	if s.open {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// share is how much of a total is done.
func share(done, total int64) string {
	if total <= 0 {
		return fmt.Sprint(done)
	}
	return fmt.Sprintf("%d of %d (%d %%)", min(done, total), total, min(100, 100*done/total))
}
