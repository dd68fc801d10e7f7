package store

import "dvmrelay/nip90"

// HasAuthor says whether any event of a key was ever counted here, body still here or not.
func HasAuthor(r Reader, pk nip90.PubKey) (found bool, err error) {
	for _, table := range []byte{tabAuthor, tabGrave} {
		err = r.Scan(keyBase(table, pk), nil, func([]byte, []byte) bool {
			found = true
			return false
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}
