package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"dvmrelay/control"
)

// printView prints a view as the JSON it came as, or as a page for people.
func printView[T any](w io.Writer, raw json.RawMessage, asJSON bool, human func(*page, T)) error {
	if asJSON {
		_, err := fmt.Fprintln(w, string(raw))
		return err
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var p page
	human(&p, v)
	_, err := p.WriteTo(w)
	return err
}

// printItems prints the items of a list, one a line.
func printItems(w io.Writer, items []json.RawMessage) error {
	for _, item := range items {
		var line bytes.Buffer
		if err := json.Compact(&line, item); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		line.WriteByte('\n')
		if _, err := line.WriteTo(w); err != nil {
			return err
		}
	}
	return nil
}

// printReindex says what came of a reindex.
func printReindex(w io.Writer, r control.ReindexReport) error {
	var p page
	p.line("read %d events again, %d facts say something else now, %d events unreadable", r.Bodies, r.Changed, r.Unreadable)
	p.line("index built from %d facts in %s", r.Facts, span(int64(r.Seconds*1000)))
	_, err := p.WriteTo(w)
	return err
}

// printVerify says what a verify looked at and what is wrong.
func printVerify(w io.Writer, r control.VerifyReport) error {
	var p page
	p.line("store  %d events, %d facts, %d index keys", r.Events, r.Facts, r.Keys)
	switch {
	case r.IndexChecked:
		p.line("index  %d threads, %d rows", r.Threads, r.Rows)
	case r.Rows > 0:
		p.line("index  %d threads, %d rows, not checked", r.Threads, r.Rows)
	default:
		p.line("index  not checked")
	}
	for _, fault := range r.Faults {
		p.line("fault  %s", clean(fault, 400))
	}
	verdict := "no fault found"
	if n := len(r.Faults); n > 0 {
		verdict = fmt.Sprintf("%d faults found (no more than the first 20 of each part are told)", n)
	}
	p.line("%s, in %s", verdict, span(int64(r.Seconds*1000)))
	_, err := p.WriteTo(w)
	return err
}

func printImport(w io.Writer, r control.ImportReport) {
	fmt.Fprintf(w, "read %d, stored %d, duplicate %d, stale %d, deleted %d, expired %d, refused %d\n",
		r.Read, r.Stored, r.Duplicate, r.Stale, r.Deleted, r.FactOnly, r.RejectedTotal())
	for _, why := range slices.Sorted(maps.Keys(r.Rejected)) {
		fmt.Fprintf(w, "  %d %s\n", r.Rejected[why], why)
	}
}
