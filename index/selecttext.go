package index

import (
	"bytes"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// The values of Options.Inputs: how much of a job's input is searched.
const (
	InputsShow     = "show"     // all of it
	InputsTruncate = "truncate" // what a summary shows
	InputsHide     = "hide"     // nothing
)

// Words are the words of a free text, in lower case, each once.
func Words(text string) (words []string) {
	seen := make(map[string]struct{})
	for _, w := range strings.Fields(strings.ToLower(text)) {
		if _, twice := seen[w]; !twice {
			seen[w] = struct{}{}
			words = append(words, w)
		}
	}
	return words
}

func hasAll(text string, words []string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// mentions says whether a job's input has the words, as far as it may be shown.
func (w *finder) mentions(j *job) (bool, error) {
	if len(w.want.words) == 0 {
		return true, nil
	}
	if w.x.o.Inputs == InputsHide || j.row.is(rowEncrypted) || expired(j.row.expires, w.now) {
		return false, nil
	}
	w.left -= costText
	raw, ok, err := w.Event(j.root)
	if err != nil || !ok || expired(raw.Expires, w.now) || !w.mayMention(&raw) {
		return false, err
	}
	w.left -= 2 * costText
	p, err := w.bodyOf(j.root)
	if err != nil || p == nil {
		return false, err
	}
	m, ok := p.Message.(*nip90.Request)
	return ok && hasAll(w.x.searched(m), w.want.words), nil
}

// searched is the part of a request's input that may be found by its words.
func (x *Index) searched(m *nip90.Request) string {
	if m.Encrypted != nip90.Plain || x.o.Inputs == InputsHide {
		return ""
	}
	if x.o.Inputs != InputsShow {
		return Summary(m)
	}
	var b strings.Builder
	for _, in := range m.Inputs {
		b.WriteString(in.Data)
		b.WriteByte('\n')
	}
	b.WriteString(m.Content)
	return b.String()
}

// mayMention looks for the words in the JSON of an event, so that few have to be parsed.
func (w *finder) mayMention(raw *store.Raw) bool {
	w.left -= len(raw.JSON) / costBytes
	if bytes.Contains(raw.JSON, []byte(`\u`)) || bytes.Contains(raw.JSON, []byte(`\/`)) {
		return true
	}
	w.lower = lowered(w.lower[:0], raw.JSON)
	for _, word := range w.want.words {
		if !strings.ContainsAny(word, `"\`) && !bytes.Contains(w.lower, []byte(word)) {
			return false
		}
	}
	return true
}

// lowered appends b in lower case, in to's room as long as b is ASCII.
func lowered(to, b []byte) []byte {
	for _, c := range b {
		if c >= 0x80 {
			return bytes.ToLower(b)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}
