package nip90

import "strings"

// maxStatusLength is how much of a status is worth comparing.
const maxStatusLength = 64

// ParseStatus reads a status in every spelling seen in use. Known is false for words that nobody uses; what they mean
// then depends on the event. Exact is true for the five spellings of NIP-90 "Job feedback status".
func ParseStatus(s string) (status Status, known, exact bool) {
	if status, ok := exactStatus(s); ok {
		return status, true, true
	}
	if len(s) > maxStatusLength {
		return StatusNone, false, false
	}
	word := strings.ToLower(strings.TrimSpace(s))
	word = strings.ReplaceAll(strings.ReplaceAll(word, "_", "-"), " ", "-")
	if status, ok := exactStatus(word); ok {
		return status, true, false
	}
	switch word {
	case "subscription-required":
		return PaymentRequired, true, false
	case "started", "scheduled", "chain-scheduled":
		return Processing, true, false
	case "failed", "payment-rejected":
		return Error, true, false
	case "pong", "subscription-active", "subscription-success":
		return StatusNone, true, false
	}
	return StatusNone, false, false
}

func exactStatus(s string) (Status, bool) {
	switch s {
	case "processing":
		return Processing, true
	case "payment-required":
		return PaymentRequired, true
	case "partial":
		return Partial, true
	case "error":
		return Error, true
	case "success":
		return Success, true
	}
	return StatusNone, false
}

// said is a status as an event tells it.
type said struct {
	status Status
	word   string // as written
	text   string // the free text beside it
	told   bool
}

// readStatus decides between a status tag, an s tag and the content, in this order. Unknown words become fallback.
func readStatus(tag, short []string, content string, sealed bool, fallback Status, n *notes) said {
	switch {
	case tag != nil:
		return interpretStatus(value(tag, 1), value(tag, 2), fallback, n)
	case short != nil:
		if _, known, _ := ParseStatus(value(short, 1)); known {
			n.add(oddStatusTag)
			return interpretStatus(value(short, 1), value(short, 2), fallback, n)
		}
	}
	if sealed || len(content) == 0 || content[0] != '{' {
		return said{}
	}
	word, text := contentStatus(content)
	if word == "" {
		return said{}
	}
	n.add(oddStatusContent)
	return interpretStatus(word, text, fallback, n)
}

func interpretStatus(word, text string, fallback Status, n *notes) said {
	status, known, exact := ParseStatus(word)
	switch {
	case word == "":
		return said{}
	case !known:
		n.addf(oddStatusUnknown, word)
		status = fallback
	case !exact:
		n.addf(oddStatusSpelling, word)
	}
	return said{status: status, word: word, text: text, told: true}
}

// contentStatus reads the members status and message of a JSON content.
func contentStatus(content string) (word, text string) {
	eachMember(content, func(key, raw string) {
		switch key {
		case "status":
			word, _ = unquote(raw) // a status that is no string says nothing
		case "message", "msg", "info", "error", "reason":
			if text == "" {
				text, _ = unquote(raw) // the same
			}
		}
	})
	return word, text
}
