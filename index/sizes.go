package index

import "dvmrelay/store"

// Size is how much there is in the index.
type Size struct {
	Threads int64 // rows of threads, with and without their request
	Rows    int64 // of all tables that a rebuild makes anew
	Seen    int64 // events of which it is remembered who had them, apart from those that only this relay's sockets brought
}

// Sizes counts the rows of the index, one by one.
func Sizes(r store.Reader) (Size, error) {
	var s Size
	for first := store.IndexSpace; first <= 0xff; first++ {
		if first == keySealed || first == keySource {
			continue // what a rebuild does not forget is no view
		}
		n := int64(0)
		err := r.Scan([]byte{byte(first)}, nil, func(_, _ []byte) bool {
			n++
			return true
		})
		if err != nil {
			return s, err
		}
		if first == keySeen {
			s.Seen = n
			continue
		}
		if s.Rows += n; first == keyThread {
			s.Threads = n
		}
	}
	return s, nil
}
