package session

import "sync"

// The two sizes of pooled output buffers, in bytes: most sockets say little at a time, a few say much.
const (
	smallBuffer = 2 << 10
	largeBuffer = 72 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// room returns b with space for n more bytes, moved into the next larger pooled buffer if need be.
func room(b []byte, n int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b
	}
	var grown []byte
	switch {
	case need <= smallBuffer:
		grown = smallBuffers.Get().(*[smallBuffer]byte)[:0]
	case need <= largeBuffer:
		grown = largeBuffers.Get().(*[largeBuffer]byte)[:0]
	default:
		grown = make([]byte, 0, max(need, 2*cap(b)))
	}
	grown = append(grown, b...)
	recycle(b)
	return grown
}

// recycle gives a buffer from room back. Nothing may refer to it any more.
func recycle(b []byte) {
	switch cap(b) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case largeBuffer:
		largeBuffers.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}
