package nip90

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// ErrNotTags is returned when decrypted input is no list of tags.
var ErrNotTags = errors.New("not a list of tags")

// maxSealedTags bounds how many decrypted tags are read.
const maxSealedTags = 2000

// ParseRequestTags reads the decrypted content of an encrypted job: a JSON array of i and param tags, in practice also
// of output, bid and relays, sometimes without its outer brackets. The request that is returned holds what the tags
// say; its Kind and Content are empty. It fails with ErrNotTags. NIP-90 "Encrypted Params".
func ParseRequestTags(plain string) (*Request, error) {
	m := &Request{}
	var n notes
	plain = strings.TrimSpace(plain)
	if err := m.readSealed(plain, &n); err != nil {
		// Some write ["i",...],["i",...] without the brackets around.
		m, n = &Request{}, notes{}
		if m.readSealed("["+plain+"]", &n) != nil {
			return nil, err
		}
	}
	m.findings = n.list
	return m, nil
}

func (m *Request) readSealed(plain string, n *notes) error {
	none := &nostr.Event{} // tags that nobody signed belong to no event
	count, bad, nested := 0, false, false
	ok := eachElement(plain, func(raw string) bool {
		tag := nostr.Tag{}
		bad = !eachElement(raw, func(item string) bool {
			text, isText := unquote(item)
			if !isText {
				text = item // a bare number is meant as text
			}
			nested = nested || item[0] == '{' || item[0] == '['
			tag = append(tag, text)
			return !nested && len(tag) < maxParams
		})
		if bad = bad || nested; bad {
			return false
		}
		if len(tag) == 0 || tag[0] == "" {
			n.add(oddEmptyTag)
		} else {
			m.readTag(none, tag, n)
		}
		count++
		return count < maxSealedTags
	})
	if !ok || bad {
		return fmt.Errorf("read decrypted input: %w", ErrNotTags)
	}
	return nil
}
