package e2e

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rawConn is a websocket client that masks with zero, so that a trace of the relay shows its messages as text.
type rawConn struct {
	t  *testing.T
	nc net.Conn
	br *bufio.Reader
}

func dialRaw(t *testing.T, addr string) *rawConn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	hello := "GET / HTTP/1.1\r\nHost: " + addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHZtcmVsYXkgZTJlIHRlc3Q=\r\n\r\n"
	if _, err := io.WriteString(nc, hello); err != nil {
		t.Fatal(err)
	}
	c := &rawConn{t: t, nc: nc, br: bufio.NewReader(nc)}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v %v", resp, err)
	}
	return c
}

func (c *rawConn) send(msg string) {
	c.t.Helper()
	var f []byte
	switch n := len(msg); {
	case n < 126:
		f = append(f, 0x81, 0x80|byte(n))
	default: // nothing here is longer than 64 KiB
		f = append(f, 0x81, 0x80|126)
		f = binary.BigEndian.AppendUint16(f, uint16(n))
	}
	f = append(f, 0, 0, 0, 0)
	if _, err := c.nc.Write(append(f, msg...)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// next returns the next text message other than AUTH.
func (c *rawConn) next() []byte {
	c.t.Helper()
	for {
		if b := c.frame(); b != nil && !strings.HasPrefix(string(b), `["AUTH"`) {
			return b
		}
	}
}

// frame reads one frame; nil for control frames.
func (c *rawConn) frame() []byte {
	c.t.Helper()
	var head [2]byte
	c.full(head[:])
	n := int(head[1] & 0x7f)
	switch n {
	case 126:
		var b [2]byte
		c.full(b[:])
		n = int(binary.BigEndian.Uint16(b[:]))
	case 127:
		c.t.Fatal("message of more than 64 KiB")
	}
	b := make([]byte, n)
	c.full(b)
	if head[0]&0x0f != 1 {
		return nil
	}
	return b
}

func (c *rawConn) full(b []byte) {
	c.t.Helper()
	if _, err := io.ReadFull(c.br, b); err != nil {
		c.t.Fatalf("receive: %v", err)
	}
}
