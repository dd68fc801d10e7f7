package config

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"dvmrelay/policies"
)

func TestPrint_IsReadBack(t *testing.T) {
	c := Default()
	c.Relay.Name = "quoted \"name\" \\ with\nlines\x00 and ünïcode"
	c.Kinds.Allow = []policies.KindRange{{From: 1, To: 1}, {From: 30000, To: 30003}}
	c.Mirror.Backfill = 36*time.Hour + time.Second
	c.Limits.MessageBytes, c.Limits.QueryBudget = 524289, 1500*time.Millisecond
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	got, faults := Load(write(t, b.String()), true, nil)
	wantFaults(t, "", faults, nil)
	if d := Diff(c, got); len(d) != 0 {
		t.Errorf("read back differently: %+v\n%s", d, b.String())
	}
}

// TestExample holds config.example.toml to its promise: every key, its default, and a comment above each.
func TestExample(t *testing.T) {
	const path = "../config.example.toml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := Default()
	r := &reading{path: path, entries: entries(&c), places: map[string]place{}}
	r.read(data)
	wantFaults(t, path, r.faults, nil)
	if d := Diff(Default(), c); len(d) != 0 {
		t.Errorf("the example differs from the defaults: %+v", d)
	}
	lines := strings.Split(string(data), "\n")
	for _, e := range entries(&c) {
		at, ok := r.places[e.key]
		if !ok {
			t.Errorf("the example lacks %s", e.key)
			continue
		}
		if at.line < 2 || !strings.HasPrefix(lines[at.line-2], "# ") {
			t.Errorf("%s has no comment above it", e.key)
		}
	}
}

func TestExample_EveryValueCounts(t *testing.T) {
	// An empty configuration filled by the example alone must become the default one: no key is right by accident.
	var c Config
	r := &reading{path: "x", entries: entries(&c), places: map[string]place{}}
	data, err := os.ReadFile("../config.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	r.read(data)
	if d := Diff(Default(), c); len(d) != 0 {
		t.Errorf("read from the example alone: %+v", d)
	}
}

func TestDefault_IsValid(t *testing.T) {
	wantFaults(t, "", validate(Default(), nil), nil)
	if got := len(Default().Mirror.Upstreams); got != 10 {
		t.Errorf("%d default upstreams, want 10", got)
	}
}

func TestKeys_AreWellNamed(t *testing.T) {
	good := regexp.MustCompile(`^[a-z]+\.[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	c := Default()
	for _, e := range entries(&c) {
		if !good.MatchString(e.key) {
			t.Errorf("%q is not section.key", e.key)
		}
		if name := EnvName(e.key); seen[name] {
			t.Errorf("two keys share %s", name)
		} else {
			seen[name] = true
		}
		var probe literal
		switch e.value.Kind() {
		case reflect.Bool:
			probe = literal{shape: isWord, text: "true"}
		case reflect.Int, reflect.Int64:
			probe = literal{shape: isWord, text: "0"}
		default:
			probe = literal{shape: isWord, text: ""}
		}
		if err := set(e.value, probe); err != nil {
			t.Errorf("%s cannot be set: %v", e.key, err)
		}
	}
}

func TestDiff_SaysWhatIsLive(t *testing.T) {
	from, to := Default(), Default()
	to.Relay.Listen = ":9"
	to.Limits.EventsPerSecond = 7
	to.Limits.QueryBudget = time.Minute
	to.Policies.Deny = []string{"npub1x"}
	to.Log.Level = "debug"
	got := Diff(from, to)
	want := []Change{
		{"relay.listen", `"127.0.0.1:3334"`, `":9"`, false},
		{"policies.deny", `[]`, `["npub1x"]`, true},
		{"limits.events_per_second", `100`, `7`, true},
		{"limits.query_budget", `"2s"`, `"1m"`, false},
		{"log.level", `"info"`, `"debug"`, true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if d := Diff(from, from); len(d) != 0 {
		t.Errorf("the same differs: %+v", d)
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"10m", 10 * time.Minute, true},
		{"30d", 30 * day, true},
		{"1d12h", 36 * time.Hour, true},
		{"-1h", -time.Hour, true},
		{"-1d6h", -30 * time.Hour, true},
		{"0", 0, true},
		{"0d", 0, true},
		{"1.5h", 90 * time.Minute, true},
		{"1.5d", 0, false},
		{"1d-2h", 0, false},
		{"1d25h", 0, false},
		{"d", 0, false},
		{"10", 0, false},
		{"", 0, false},
		{"106752d", 0, false},
		{"999999999999d", 0, false},
		{"9223372036854775807d", 0, false},
	} {
		got, ok := parseDuration(tc.in)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("duration %q: got %v, %v; want %v, %v", tc.in, got, ok, tc.want, tc.ok)
		}
		if ok {
			if back, ok := parseDuration(formatDuration(got)); !ok || back != got {
				t.Errorf("duration %q is written %q and read back as %v", tc.in, formatDuration(got), back)
			}
		}
	}
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"2GiB", 2 << 30, true},
		{"2 gib", 2 << 30, true},
		{"1MB", 1e6, true},
		{"64B", 64, true},
		{"64", 64, true},
		{"-1KiB", -1024, true},
		{"1.5GiB", 0, false},
		{"GiB", 0, false},
		{"9000000TiB", 0, false},
		{"9999999999TiB", 0, false},
		{"", 0, false},
	} {
		got, ok := parseSize(tc.in)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("size %q: got %v, %v; want %v, %v", tc.in, got, ok, tc.want, tc.ok)
		}
		if ok {
			text, _ := formatSize(got)
			if back, ok := parseSize(text); !ok || back != got {
				t.Errorf("size %q is written %q and read back as %v", tc.in, text, back)
			}
		}
	}
}

// FuzzLoad holds that no file ends the process, that every fault of a file has a line inside it, and that what is
// accepted is valid and can be printed and read back.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"", "[relay]\nlisten = \":1\"", "[limits]\ntags = -1", "[[x]]", "a.b.c = {d = [1, {e = 2}]}", "x = \"\"\"\n", "[mirror]\nbackfill = 1979-05-27",
		"kinds = { allow = [1, '2-3'], deny = [0x10] }", "[kinds]\nallow = [[1]]", "\xff", "[relay]\r\nname = 'x'\r\n", "relay = 1", "[relay]\nname.x = 1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		r := &reading{path: "fuzz", entries: entries(&c), places: map[string]place{}}
		r.read([]byte(text))
		lines := strings.Count(text, "\n") + 1
		for _, fault := range r.faults {
			if fault.Line < 1 || fault.Line > lines || fault.Text == "" {
				t.Errorf("%q: fault %+v in a file of %d lines", text, fault, lines)
			}
		}
		if len(r.faults) > 0 || len(validate(c, r.places)) > 0 {
			return
		}
		var b bytes.Buffer
		if err := c.Print(&b); err != nil {
			t.Fatal(err)
		}
		again := Default()
		back := &reading{path: "printed", entries: entries(&again), places: map[string]place{}}
		back.read(b.Bytes())
		if len(back.faults) > 0 || len(Diff(c, again)) > 0 {
			t.Errorf("%q is printed as\n%s\nread back with %v, differing in %+v", text, b.String(), back.faults, Diff(c, again))
		}
	})
}
