package main

import (
	"bytes"
	"testing"
	"time"

	"dvmrelay/control"
)

func TestImport_ProgressLine(t *testing.T) {
	for want, r := range map[string]reading{
		"0 events":                            {},
		"0 events, nothing known of the file": {note: "nothing known of the file"},
		"[============            ]  50 %  1000 events, 500/s, 5 stored": {done: 50, total: 100, events: 1000, took: 2 * time.Second, note: "5 stored"},
		"[==================      ]  75 %  1000 events, 100/s, 10s left": {done: 75, total: 100, begun: 50, events: 1000, took: 10 * time.Second},
		"[========================] 100 %  7 events":                     {done: 150, total: 100, events: 7},
		"1000000 events, 1000/s":                                         {events: 1_000_000, took: 1000 * time.Second},
	} {
		if got := r.String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	long := reading{done: 1 << 50, total: 1 << 51, events: 1 << 60, took: time.Hour, note: "a note that is far too long for what is left of the line"}
	if n := len(long.String()); n > 79 {
		t.Errorf("%d characters, want at most 79", n)
	}
}

func TestProgress_OneLineOnATerminalJSONElsewhere(t *testing.T) {
	var out bytes.Buffer
	line := func(r control.ImportReport) string { return reading{events: r.Read}.String() }
	s := &progressLine[control.ImportReport]{out: &out, terminal: true, line: line}
	s.progress(control.ImportReport{Read: 1})
	s.progress(control.ImportReport{Read: 2})
	s.close()
	if got, want := out.String(), "\r\x1b[K1 events\r\x1b[K2 events\r\x1b[K"; got != want {
		t.Errorf("terminal got %q, want %q", got, want)
	}
	out.Reset()
	s = &progressLine[control.ImportReport]{out: &out, line: line}
	s.progress(control.ImportReport{Read: 1})
	s.close()
	if got := out.String(); got != `{"read":1,"stored":0,"duplicate":0,"stale":0,"deleted":0,"fact_only":0,"rejected":null,"resumed":0,"bytes":0}`+"\n" {
		t.Errorf("elsewhere got %s", got)
	}
}
