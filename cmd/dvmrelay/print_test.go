package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestClean_TextFromStrangersFitsATerminal(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		most int
		want string
	}{
		"plain":                {"what is new", 20, "what is new"},
		"fits exactly":         {"abcde", 5, "abcde"},
		"cut":                  {"abcdef", 5, "abcd…"},
		"several lines":        {"one\r\ntwo\tthree\u2028four", 40, "one two three four"},
		"only blanks":          {" \n\t ", 5, ""},
		"escape sequence":      {"\x1b]0;owned\x07\x1b[31mred\x1b[0m", 40, "]0;owned [31mred [0m"},
		"c1 control":           {"a\u009b31mb", 20, "a 31mb"},
		"turned direction":     {"pay \u202etas 12\u202c now\u2066x\u2069", 40, "pay tas 12 nowx"},
		"zero width":           {"bi\u200bd\ufeff \u00adok", 20, "bid ok"},
		"stacked marks":        {"a" + strings.Repeat("\u0301", 50) + "b", 10, "a\u0301\u0301b"},
		"marks first":          {"\u0301\u0301x", 10, "x"},
		"wide letters":         {"日本語テキスト", 10, "日本語テ…"},
		"wide letters fit":     {"日本語", 6, "日本語"},
		"wide at the edge":     {"abc日本", 5, "abc…"},
		"pictures":             {"🤖🤖🤖🤖", 5, "🤖🤖…"},
		"not utf-8":            {"a\xff\xfeb", 10, "a\ufffdb"},
		"blank before the cut": {"abc def", 5, "abc …"},
	} {
		t.Run(name, func(t *testing.T) {
			got := clean(c.in, c.most)
			if got != c.want {
				t.Errorf("clean(%q, %d) = %q, want %q", c.in, c.most, got, c.want)
			}
			if !utf8.ValidString(got) || width(got) > c.most {
				t.Errorf("%q takes %d columns, want at most %d", got, width(got), c.most)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add("日本\u202e🤖\x1b[2J a\u0301", 7)
	f.Add("\xff \n ", 1)
	f.Fuzz(func(t *testing.T, in string, most int) {
		most = 1 + int(uint(most)%200)
		got := clean(in, most)
		if !utf8.ValidString(got) || width(got) > most || strings.ContainsAny(got, "\n\r\t\x1b\u202e\u2066\u2028\u009b") {
			t.Errorf("clean(%q, %d) = %q", in, most, got)
		}
		if again := clean(got, most); again != strings.TrimSpace(got) && again != got {
			t.Errorf("clean of %q is %q, want it to stay", got, again)
		}
	})
}

func TestMoment(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for text, want := range map[string]int64{
		"1699990000":                1_699_990_000,
		"0":                         0,
		"2023-11-14T22:13:20Z":      1_700_000_000,
		"2023-11-14T23:13:20+01:00": 1_700_000_000,
		"2023-11-14":                1_699_920_000,
		"36h":                       1_700_000_000 - 36*3600,
		"36h ago":                   1_700_000_000 - 36*3600,
		"7d":                        1_700_000_000 - 7*86400,
		"1h30m":                     1_700_000_000 - 5400,
		"2000000h":                  0,
	} {
		if got, err := moment(text, now); err != nil || got != want {
			t.Errorf("moment(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-5", "-5h", "1e9", "7w", "2023-13-01", "99999999999999999999", "9999999h"} {
		if got, err := moment(text, now); err == nil {
			t.Errorf("moment(%q) = %d, want an error", text, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for ms, want := range map[int64]string{
		-5: "0 ms", 0: "0 ms", 999: "999 ms", 1000: "1 s", 1540: "1.5 s", 9940: "9.9 s", 12_345: "12 s", 60_000: "1 min", 61_000: "1 min 1 s",
		3_600_000: "1 h", 5_400_000: "1 h 30 min", 47 * 3_600_000: "47 h", 49 * 3_600_000: "2 d 1 h", 1 << 62: "101806 d 15 h",
	} {
		if got := span(ms); got != want {
			t.Errorf("span(%d) = %q, want %q", ms, got, want)
		}
	}
}

func TestSats(t *testing.T) {
	for msat, want := range map[int64]string{
		0: "0 sat", 1: "0.001 sat", 1000: "1 sat", 21_500: "21.5 sat", -3000: "-3 sat", 1<<63 - 1: "9223372036854775.807 sat", -1 << 63: "-9223372036854775.808 sat",
	} {
		if got := sats(msat); got != want {
			t.Errorf("sats(%d) = %q, want %q", msat, got, want)
		}
	}
}

func TestSpark_UnknownIsNotZero(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for name, c := range map[string]struct {
		in   []*int64
		most int
		want string
		top  int64
	}{
		"nothing":         {nil, 8, "", 0},
		"all unknown":     {[]*int64{nil, nil}, 8, "··", 0},
		"zero":            {[]*int64{n(0), nil, n(0)}, 8, " · ", 0},
		"rising":          {[]*int64{n(1), n(4), n(7), n(8), nil}, 8, "▁▄▇█·", 8},
		"one of a pair":   {[]*int64{n(2), nil, nil, nil, n(1), n(1)}, 3, "█·█", 2},
		"a rest":          {[]*int64{n(1), n(1), n(1), n(1), n(1)}, 2, "█▅", 3},
		"smallest is one": {[]*int64{n(1), n(1_000_000)}, 8, "▁█", 1_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			if got, top := spark(c.in, c.most); got != c.want || top != c.top {
				t.Errorf("got %q, most %d; want %q, most %d", got, top, c.want, c.top)
			}
		})
	}
}
