package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"dvmrelay/nip90"
)

// page is text for people, written at once.
type page struct{ bytes.Buffer }

func (p *page) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.WriteString(strings.TrimRight(text, " "))
	p.WriteByte('\n')
}

// field is a labelled line; an empty text is left out.
func (p *page) field(label, text string) {
	if text != "" {
		p.line("%s%s", pad(label, 11), text)
	}
}

// table writes rows in columns, under a heading; the last column is as wide as it likes. An empty table is left out.
func (p *page) table(heading []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	wide := make([]int, len(heading))
	all := append([][]string{heading}, rows...)
	for _, row := range all {
		for i, cell := range row {
			wide[i] = max(wide[i], width(cell))
		}
	}
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	for _, row := range all {
		var b strings.Builder
		for i, cell := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(pad(cell, wide[i]))
		}
		p.line("%s", b.String())
	}
}

// maxMarks is how many marks above or below one letter are kept.
const maxMarks = 2

// clean makes text from strangers fit for a terminal: one line, nothing that steers it or turns its direction, at most so
// many columns.
func clean(s string, most int) string {
	var b strings.Builder
	columns, marks, gap := 0, 0, false
	cut := 0 // length of b while one more column is free
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Zs):
			gap = b.Len() > 0
			continue
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks || b.Len() == 0 {
				continue
			}
		default:
			marks = 0
		}
		if gap {
			gap = false
			b.WriteByte(' ')
			columns++
			if columns < most {
				cut = b.Len()
			}
		}
		if columns += runeWidth(r); columns > most {
			return b.String()[:cut] + "…"
		}
		b.WriteRune(r)
		if columns < most {
			cut = b.Len()
		}
	}
	return b.String()
}

// width is how many columns a terminal gives to a text.
func width(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// wide are the letters that take two columns: those of East Asia in their full width, and pictures.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1},
		{Lo: 0x231a, Hi: 0x231b, Stride: 1},
		{Lo: 0x23e9, Hi: 0x23ec, Stride: 1},
		{Lo: 0x25fd, Hi: 0x25fe, Stride: 1},
		{Lo: 0x2614, Hi: 0x2615, Stride: 1},
		{Lo: 0x2648, Hi: 0x2653, Stride: 1},
		{Lo: 0x26a1, Hi: 0x26a1, Stride: 1},
		{Lo: 0x26bd, Hi: 0x26be, Stride: 1},
		{Lo: 0x2705, Hi: 0x2705, Stride: 1},
		{Lo: 0x2728, Hi: 0x2728, Stride: 1},
		{Lo: 0x274c, Hi: 0x274c, Stride: 1},
		{Lo: 0x2753, Hi: 0x2755, Stride: 1},
		{Lo: 0x2795, Hi: 0x2797, Stride: 1},
		{Lo: 0x2b1b, Hi: 0x2b1c, Stride: 1},
		{Lo: 0x2b50, Hi: 0x2b50, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1},
		{Lo: 0x3041, Hi: 0x33ff, Stride: 1},
		{Lo: 0x3400, Hi: 0x4dbf, Stride: 1},
		{Lo: 0x4e00, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xa960, Hi: 0xa97f, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff01, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x1b2ff, Stride: 1},
		{Lo: 0x1f004, Hi: 0x1f004, Stride: 1},
		{Lo: 0x1f0cf, Hi: 0x1f0cf, Stride: 1},
		{Lo: 0x1f18e, Hi: 0x1f19a, Stride: 1},
		{Lo: 0x1f1e6, Hi: 0x1f320, Stride: 1},
		{Lo: 0x1f32d, Hi: 0x1f64f, Stride: 1},
		{Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1},
		{Lo: 0x1f7e0, Hi: 0x1f7f0, Stride: 1},
		{Lo: 0x1f90c, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-width(s)))
}

func clock(at int64) string {
	if at == 0 {
		return "-"
	}
	return time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05")
}

// after is a time as seen from another.
func after(at, from int64) string {
	switch {
	case at == from:
		return "0 s"
	case at < from:
		return "-" + span((from-at)*1000)
	}
	return "+" + span((at-from)*1000)
}

// ago is how long before now a time was.
func ago(at int64, now time.Time) string {
	d := now.Unix() - at
	if d < 0 {
		return "in " + span(-d*1000)
	}
	return span(d*1000) + " ago"
}

// span is a stretch of milliseconds in the two units that fit it best.
func span(ms int64) string {
	d := time.Duration(max(0, min(ms, 1<<43))) * time.Millisecond
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return two(d, time.Minute, "min", time.Second, "s")
	case d < 48*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "min")
	}
	return two(d, 24*time.Hour, "d", time.Hour, "h")
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	n, rest := d/big, d%big/small
	if rest == 0 {
		return fmt.Sprintf("%d %s", n, bigName)
	}
	return fmt.Sprintf("%d %s %d %s", n, bigName, rest, smallName)
}

// sats is an amount of millisatoshi.
func sats(msat int64) string {
	sign := ""
	n := uint64(msat)
	if msat < 0 {
		sign, n = "-", -n
	}
	if n%1000 == 0 {
		return sign + strconv.FormatUint(n/1000, 10) + " sat"
	}
	return sign + strings.TrimRight(fmt.Sprintf("%d.%03d", n/1000, n%1000), "0") + " sat"
}

// orDash is an amount, or nothing of it.
func orDash(msat int64) string {
	if msat == 0 {
		return "-"
	}
	return sats(msat)
}

// key is a public key as people pass it on.
func key(hexKey string) string {
	pk, ok := nip90.ParsePubKey(hexKey)
	if !ok {
		return clean(hexKey, 64)
	}
	return nip90.Npub(pk)
}

// short is the beginning of a key.
func short(hexKey string) string {
	if npub := key(hexKey); len(npub) > 14 {
		return npub[:14] + "…"
	}
	return hexKey
}
