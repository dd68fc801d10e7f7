package wire

import (
	"strconv"
	"unicode/utf8"

	"github.com/nbd-wtf/go-nostr"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // each bad byte becomes U+FFFD
	}
	return appendQuoted(dst, s)
}

// appendQuoted writes s with the escapes that NIP-01 prescribes for hashing, and no others.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		end := plainEnd(s, 0)
		dst = append(dst, s[:end]...)
		if end == len(s) {
			return append(dst, '"')
		}
		switch c := s[end]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		s = s[end+1:]
	}
}

// AppendEventJSON appends an event as compact JSON, the fields in the order of NIP-01.
func AppendEventJSON(dst []byte, evt *nostr.Event) []byte {
	dst = AppendString(append(dst, `{"id":`...), evt.ID)
	dst = AppendString(append(dst, `,"pubkey":`...), evt.PubKey)
	dst = strconv.AppendInt(append(dst, `,"created_at":`...), int64(evt.CreatedAt), 10)
	dst = strconv.AppendInt(append(dst, `,"kind":`...), int64(evt.Kind), 10)
	dst = append(dst, `,"tags":[`...)
	for i, tag := range evt.Tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		for j, item := range tag {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, item)
		}
		dst = append(dst, ']')
	}
	dst = AppendString(append(dst, `],"content":`...), evt.Content)
	dst = AppendString(append(dst, `,"sig":`...), evt.Sig)
	return append(dst, '}')
}

// AppendEvent appends ["EVENT",sub,raw]; raw must be the event's JSON. NIP-01.
func AppendEvent(dst []byte, sub string, raw []byte) []byte {
	dst = AppendString(append(dst, `["EVENT",`...), sub)
	dst = append(append(dst, ','), raw...)
	return append(dst, ']')
}

// AppendOK appends ["OK",id,accepted,reason]. NIP-01.
func AppendOK(dst []byte, id string, accepted bool, reason string) []byte {
	dst = AppendString(append(dst, `["OK",`...), id)
	dst = strconv.AppendBool(append(dst, ','), accepted)
	dst = AppendString(append(dst, ','), reason)
	return append(dst, ']')
}

// AppendEOSE appends ["EOSE",sub] or, with a hint, ["EOSE",sub,[hint]]. NIP-01, NIP-67.
func AppendEOSE(dst []byte, sub, hint string) []byte {
	dst = appendStrings(dst, LabelEOSE, sub)
	if hint == "" {
		return dst
	}
	dst = AppendString(append(dst[:len(dst)-1], ",["...), hint)
	return append(dst, "]]"...)
}

// AppendClosed appends ["CLOSED",sub,reason]. NIP-01.
func AppendClosed(dst []byte, sub, reason string) []byte {
	return appendStrings(dst, LabelClosed, sub, reason)
}

// AppendNotice appends ["NOTICE",text]. NIP-01.
func AppendNotice(dst []byte, text string) []byte { return appendStrings(dst, LabelNotice, text) }

// AppendAuth appends ["AUTH",challenge]. NIP-42.
func AppendAuth(dst []byte, challenge string) []byte {
	return appendStrings(dst, LabelAuth, challenge)
}

// AppendCount appends ["COUNT",sub,{"count":n}], with "approximate":true if n is an estimate. NIP-45.
func AppendCount(dst []byte, sub string, n int64, approximate bool) []byte {
	dst = AppendString(append(dst, `["COUNT",`...), sub)
	dst = strconv.AppendInt(append(dst, `,{"count":`...), n, 10)
	if approximate {
		dst = append(dst, `,"approximate":true`...)
	}
	return append(dst, '}', ']')
}

// AppendNegMsg appends ["NEG-MSG",sub,message]; both sides send it. NIP-77.
func AppendNegMsg(dst []byte, sub, message string) []byte {
	return appendStrings(dst, LabelNegMsg, sub, message)
}

// AppendNegErr appends ["NEG-ERR",sub,reason]. NIP-77.
func AppendNegErr(dst []byte, sub, reason string) []byte {
	return appendStrings(dst, LabelNegErr, sub, reason)
}

// AppendPublish appends ["EVENT",raw], as a client sends it; raw must be the event's JSON. NIP-01.
func AppendPublish(dst, raw []byte) []byte {
	dst = append(append(dst, `["EVENT",`...), raw...)
	return append(dst, ']')
}

// AppendAnswer appends ["AUTH",raw], as a client sends it; raw must be the event's JSON. NIP-42.
func AppendAnswer(dst, raw []byte) []byte {
	dst = append(append(dst, `["AUTH",`...), raw...)
	return append(dst, ']')
}

// AppendReq appends ["REQ",sub,filters...]. NIP-01.
func AppendReq(dst []byte, sub string, filters ...nostr.Filter) []byte {
	return appendFilters(dst, LabelReq, sub, filters)
}

// AppendCountReq appends ["COUNT",sub,filters...], as a client sends it. NIP-45.
func AppendCountReq(dst []byte, sub string, filters ...nostr.Filter) []byte {
	return appendFilters(dst, LabelCount, sub, filters)
}

// AppendClose appends ["CLOSE",sub]. NIP-01.
func AppendClose(dst []byte, sub string) []byte { return appendStrings(dst, LabelClose, sub) }

// AppendNegTooBig appends ["NEG-ERR",sub,reason,most]; most is how many events one reconciliation may compare. NIP-77.
func AppendNegTooBig(dst []byte, sub, reason string, most int) []byte {
	dst = AppendNegErr(dst, sub, reason)
	dst = strconv.AppendInt(append(dst[:len(dst)-1], ','), int64(most), 10)
	return append(dst, ']')
}

// AppendNegOpen appends ["NEG-OPEN",sub,filter,message]. NIP-77.
func AppendNegOpen(dst []byte, sub string, f nostr.Filter, message string) []byte {
	dst = AppendString(append(dst, `["NEG-OPEN",`...), sub)
	dst = AppendFilter(append(dst, ','), f)
	dst = AppendString(append(dst, ','), message)
	return append(dst, ']')
}

// AppendNegClose appends ["NEG-CLOSE",sub]. NIP-77.
func AppendNegClose(dst []byte, sub string) []byte { return appendStrings(dst, LabelNegClose, sub) }

func appendStrings(dst []byte, label string, values ...string) []byte {
	dst = AppendString(append(dst, '['), label)
	for _, v := range values {
		dst = AppendString(append(dst, ','), v)
	}
	return append(dst, ']')
}

func appendFilters(dst []byte, label, sub string, filters []nostr.Filter) []byte {
	dst = appendStrings(dst, label, sub)
	dst = dst[:len(dst)-1]
	for _, f := range filters {
		dst = AppendFilter(append(dst, ','), f)
	}
	return append(dst, ']')
}
