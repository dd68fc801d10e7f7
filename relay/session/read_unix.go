//go:build unix

package session

import "syscall"

const canPoll = true

// tryRead reads once without waiting. It says false when nothing is there; then no buffer is held while the poller
// waits for the socket.
func (in *input) tryRead(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), in.space())
		switch err {
		case nil:
			in.n = n
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			in.release()
			return false
		}
		in.err = err
		return true
	}
}
