package session

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// fault is why a socket is closed by us: the code of the close frame, the words in it, the counter.
type fault struct {
	code   ws.StatusCode
	text   string
	reason Drop
}

// header is one frame's header. RFC 6455 section 5.2.
type header struct {
	op      ws.OpCode
	fin     bool
	size    int // bytes of payload
	mask    [4]byte
	written int // bytes of the header itself
}

// readHeader reads a header from the beginning of b; done is false while bytes are missing. A header that breaks the
// protocol, or announces more than max bytes of data, is a fault before any payload is waited for.
func readHeader(b []byte, limit int) (h header, done bool, bad *fault) {
	if len(b) < 2 {
		return h, false, nil
	}
	h.fin, h.op = b[0]&0x80 != 0, ws.OpCode(b[0]&0x0f)
	switch {
	case b[0]&0x70 != 0:
		return h, false, protocolFault("no extension was agreed on")
	case b[1]&0x80 == 0:
		return h, false, protocolFault("frames of a client must be masked")
	case h.op.IsReserved():
		return h, false, protocolFault("unknown opcode")
	case h.op == ws.OpBinary:
		return h, false, &fault{ws.StatusUnsupportedData, "text frames only", DropBinary}
	}
	length := uint64(b[1] & 0x7f)
	h.written = 2
	switch length {
	case 126:
		h.written = 4
	case 127:
		h.written = 10
	}
	if h.op.IsControl() && (!h.fin || length > ws.MaxControlFramePayloadSize) {
		return h, false, protocolFault("a control frame is whole and at most 125 bytes")
	}
	if len(b) < h.written {
		return h, false, nil
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		length = binary.BigEndian.Uint64(b[2:])
	}
	if !h.op.IsControl() && length > uint64(limit) {
		return h, false, tooBig()
	}
	h.size = int(length)
	if len(b) < h.written+4 {
		return h, false, nil
	}
	copy(h.mask[:], b[h.written:])
	h.written += 4
	return h, true, nil
}

func protocolFault(text string) *fault {
	return &fault{ws.StatusProtocolError, text, DropProtocol}
}

func tooBig() *fault {
	return &fault{ws.StatusMessageTooBig, "message is over the limit", DropTooBig}
}

// frameRoom is what is left free before a payload whose length is not known yet.
const frameRoom = 4

// beginFrame leaves room for the header of a text frame.
func beginFrame(b []byte) ([]byte, int) {
	at := len(b)
	return append(b, 0, 0, 0, 0), at
}

// endFrame writes the header of the frame that beginFrame opened at, and closes gaps.
func endFrame(b []byte, at int) []byte {
	n := len(b) - at - frameRoom
	switch {
	case n < 126:
		copy(b[at+2:], b[at+frameRoom:])
		b[at], b[at+1] = 0x81, byte(n)
		return b[:len(b)-2]
	case n < 1<<16:
		b[at], b[at+1] = 0x81, 126
		binary.BigEndian.PutUint16(b[at+2:], uint16(n))
		return b
	}
	b = append(b, 0, 0, 0, 0, 0, 0)
	copy(b[at+10:], b[at+frameRoom:at+frameRoom+n])
	b[at], b[at+1] = 0x81, 127
	binary.BigEndian.PutUint64(b[at+2:], uint64(n))
	return b
}

// appendHeader appends the header of a frame of n bytes that the server sends.
func appendHeader(b []byte, op ws.OpCode, n int) []byte {
	b = append(b, 0x80|byte(op))
	switch {
	case n < 126:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}

// appendEventFrame appends a whole EVENT message: prefix is `["EVENT","sub",`, raw the event's JSON.
func appendEventFrame(b, prefix, raw []byte) []byte {
	b = appendHeader(b, ws.OpText, len(prefix)+len(raw)+1)
	b = append(append(b, prefix...), raw...)
	return append(b, ']')
}

// appendControl appends a ping, a pong or a close frame; the payload is cut to what such a frame may hold.
func appendControl(b []byte, op ws.OpCode, payload []byte) []byte {
	payload = payload[:min(len(payload), ws.MaxControlFramePayloadSize)]
	return append(appendHeader(b, op, len(payload)), payload...)
}
