package session

import (
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	// readSize is how much one system call reads, in bytes.
	readSize = 32 << 10
	// maxFragments bounds the frames of one message: enough for 512 bytes each at the largest default message.
	maxFragments = 1024
)

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// input is the receiving half of a socket. At rest it owns no buffer: one is taken from the pool when bytes are there
// to be read, and goes back when the frames in it have been handled.
type input struct {
	conn net.Conn
	raw  syscall.RawConn // nil when the connection is no plain socket
	wait func(fd uintptr) bool

	rest []byte // an unfinished frame
	need int    // how long it will be, once its header is known

	pooled *[readSize]byte // what the last read filled, if not rest itself
	n      int
	err    error
}

func newInput(conn net.Conn, early []byte) *input {
	in := &input{conn: conn, rest: early}
	if sc, ok := conn.(syscall.Conn); ok && canPoll {
		if raw, err := sc.SyscallConn(); err == nil {
			in.raw = raw
			in.wait = in.tryRead
		}
	}
	return in
}

// next waits for bytes and returns all that are unhandled: what was left, then what came.
func (in *input) next() ([]byte, error) {
	in.n, in.err = 0, nil
	if in.raw == nil {
		// A TLS connection has buffers of its own, so reading needs one while it waits.
		in.n, in.err = in.conn.Read(in.space())
	} else if err := in.raw.Read(in.wait); err != nil {
		return nil, err
	}
	if in.err != nil {
		return nil, in.err
	}
	if in.n == 0 {
		return nil, io.EOF
	}
	if in.pooled == nil {
		in.rest = in.rest[:len(in.rest)+in.n]
		return in.rest, nil
	}
	return in.pooled[:len(in.rest)+in.n], nil
}

// space is where the next bytes go: behind what is left, in a pooled buffer if that is short, else in place.
func (in *input) space() []byte {
	if len(in.rest) < readSize/2 {
		if in.pooled == nil {
			in.pooled = readBuffers.Get().(*[readSize]byte)
			copy(in.pooled[:], in.rest)
		}
		return in.pooled[len(in.rest):]
	}
	if free := cap(in.rest) - len(in.rest); free < readSize/4 && cap(in.rest) < in.need {
		grown := make([]byte, len(in.rest), min(2*cap(in.rest)+readSize, max(in.need, len(in.rest)+readSize/4)))
		copy(grown, in.rest)
		in.rest = grown
	}
	if cap(in.rest) == len(in.rest) {
		in.rest = append(in.rest, make([]byte, readSize/4)...)[:len(in.rest)]
	}
	return in.rest[len(in.rest):cap(in.rest)]
}

// keep remembers what of the last bytes could not be handled yet, a frame of need bytes in all (0 = not known).
func (in *input) keep(left []byte, need int) {
	in.need = need
	switch {
	case len(left) == 0:
		in.rest = nil
	case in.pooled != nil:
		in.rest = append(make([]byte, 0, len(left)), left...)
	default:
		n := copy(in.rest, left)
		in.rest = in.rest[:n]
	}
	in.release()
}

// release gives the buffer back.
func (in *input) release() {
	if in.pooled != nil {
		readBuffers.Put(in.pooled)
		in.pooled = nil
	}
}
