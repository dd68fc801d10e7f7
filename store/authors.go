package store

import "dvmrelay/nip90"

// HasAuthor says whether any event of a key was ever counted here, body still here or not.
func HasAuthor(r Reader, pk nip90.PubKey) (found bool, err error) {
	b, err := BlinderOf(r)
	if err != nil {
		return false, err
	}
	prefixes := [][]byte{keyBase(tabAuthor, pk), keyBase(tabGrave, pk)}
	if b != nil {
		prefixes = append(prefixes, keyBase(tabGrave, b.Of(pk)))
	}
	for _, prefix := range prefixes {
		err = r.Scan(prefix, nil, func([]byte, []byte) bool {
			found = true
			return false
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}
