package web

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCluster is how many code points that join to one sign are shown. A sign is never broken over two lines, so that one
// of thousands is wider than any screen. The longest in use, a couple with two colours of skin, has ten.
const maxCluster = 12

// verbatim are the elements whose text is shown as it was written: what is copied from them is signed, or sent.
var verbatim = [...]string{"pre", "textarea"}

// withoutStacks is a page without what is stacked on a sign, or joined to it, beyond maxCluster. Tags stay as they are, and
// so does the text in elements that are verbatim. Templates escape each < of a stranger, so that a < begins a tag.
func withoutStacks(html []byte) []byte {
	out, rest := make([]byte, 0, len(html)), html
	for len(rest) > 0 {
		text, tag := rest, []byte(nil)
		if at := bytes.IndexByte(rest, '<'); at >= 0 {
			text, tag = rest[:at], rest[at:]
		}
		out = appendUnstacked(out, text)
		end := endOfTag(tag)
		out, rest = append(out, tag[:end]...), tag[end:]
	}
	return out
}

// endOfTag is where the tag ends that html begins with, or the element, if it is verbatim.
func endOfTag(html []byte) int {
	for _, name := range verbatim {
		if len(html) > len(name)+1 && string(html[1:1+len(name)]) == name && (html[1+len(name)] == '>' || html[1+len(name)] == ' ') {
			if at := bytes.Index(html, []byte("</"+name)); at >= 0 {
				return at
			}
			return len(html)
		}
	}
	if at := bytes.IndexByte(html, '>'); at >= 0 {
		return at + 1
	}
	return len(html)
}

func appendUnstacked(out, text []byte) []byte {
	size, before := 0, rune(0)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		size++
		if !joins(before, r) {
			size = 1
		}
		if size <= maxCluster {
			out = append(out, text[:n]...)
		}
		text, before = text[n:], r
	}
	return out
}

const joiner = '\u200d' // ZERO WIDTH JOINER

// viramas join the consonant before them to the one after them.
const viramas = "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0ccd\u0d4d\u1039\u17d2"

// joins says whether r is part of the sign that the code point before it belongs to: Unicode's grapheme clusters, roughly.
func joins(before, r rune) bool {
	switch {
	case r < 0x300 && before < 0x300:
		return false
	case unicode.Is(unicode.M, r), r == joiner, before == joiner, r >= 0x1f3fb && r <= 0x1f3ff, r >= 0xe0020 && r <= 0xe007f:
		return true
	case strings.ContainsRune(viramas, before):
		return unicode.IsLetter(r)
	}
	part := jamo(r)
	return part > 0 && jamo(before) > 0 && jamo(before) <= part
}

// jamo is 1 for the beginning of a Korean syllable, 2 for its vowel, 3 for its end, 0 for anything else.
func jamo(r rune) int {
	switch {
	case r >= 0x1100 && r <= 0x115f, r >= 0xa960 && r <= 0xa97c:
		return 1
	case r >= 0x1160 && r <= 0x11a7, r >= 0xd7b0 && r <= 0xd7c6:
		return 2
	case r >= 0x11a8 && r <= 0x11ff, r >= 0xd7cb && r <= 0xd7fb:
		return 3
	}
	return 0
}
