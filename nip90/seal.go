package nip90

import "strings"

// minNIP44 is the length of the shortest NIP-44 version 2 payload in base64.
const minNIP44 = 132

// sealing decides how a content is encrypted. Marked says whether the event has an `encrypted` tag; without one only
// what cannot be anything else is taken for encrypted. NIP-90 "Encrypted Params".
func sealing(marked bool, content string, n *notes) Encryption {
	how := sealedContent(content)
	switch {
	case !marked && how == Plain:
		return Plain
	case !marked:
		n.add(oddEncryptedUntagged)
		return how
	case how != Plain:
		return how
	}
	n.add(oddEncryptedUnknown)
	return UnknownEncrypted
}

// sealedContent recognizes NIP-04 by its ?iv= and NIP-44 by its length, alphabet and version.
func sealedContent(s string) Encryption {
	if len(s) < 20 {
		return Plain
	}
	if iv := strings.LastIndex(s[len(s)-min(len(s), 48):], "?iv="); iv >= 0 {
		at := len(s) - min(len(s), 48) + iv
		if isBase64(s[:at]) && isBase64(s[at+4:]) && len(s)-at-4 >= 22 {
			return NIP04
		}
	}
	// The first byte is the version, 2: in base64 an A and a letter from g to v.
	if len(s) >= minNIP44 && s[0] == 'A' && s[1] >= 'g' && s[1] <= 'v' && len(s)%4 == 0 && isBase64(s) {
		return NIP44
	}
	return Plain
}

func isBase64(s string) bool {
	s = strings.TrimRight(s, "=")
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}
