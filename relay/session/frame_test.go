package session

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestEndFrame_WritesEveryLengthAsItMustBe(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 300_000} {
		payload := bytes.Repeat([]byte("x"), n)
		b, at := beginFrame([]byte("before"))
		b = endFrame(append(b, payload...), at)
		want, err := ws.CompileFrame(ws.NewTextFrame(payload))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, append([]byte("before"), want...)) {
			t.Errorf("%d bytes: got header %x, want %x", n, b[6:min(len(b), 20)], want[:min(len(want), 14)])
		}
		if got := append(appendHeader(nil, ws.OpText, n), payload...); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: appendHeader got %x, want %x", n, got[:min(len(got), 10)], want[:min(len(want), 10)])
		}
	}
}

func TestAppendEventFrame_IsOneWholeFrame(t *testing.T) {
	for _, n := range []int{10, 200, 70_000} {
		raw := []byte(`"` + strings.Repeat("x", n) + `"`)
		b := appendEventFrame(nil, []byte(`["EVENT","a",`), raw)
		f, err := ws.ReadFrame(bytes.NewReader(b))
		if err != nil || string(f.Payload) != `["EVENT","a",`+string(raw)+`]` {
			t.Errorf("%d: got %.60q, %v", n, f.Payload, err)
		}
	}
}

func TestRoom_KeepsWhatIsThere(t *testing.T) {
	var b []byte
	var want []byte
	for i := range 3000 {
		b = room(b, 100)
		if cap(b)-len(b) < 100 {
			t.Fatalf("room for %d bytes, want 100", cap(b)-len(b))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(i))
		want = binary.BigEndian.AppendUint32(want, uint32(i))
		b, want = append(b, make([]byte, 60)...), append(want, make([]byte, 60)...)
	}
	if !bytes.Equal(b, want) {
		t.Error("bytes were lost")
	}
	recycle(b)
}

func TestSameRelay(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"wss://relay.example.com", "wss://relay.example.com/", true},
		{"wss://Relay.Example.com:443/", "wss://relay.example.com", true},
		{"WSS://relay.example.com", "wss://relay.example.com", true},
		{"ws://relay.example.com:80", "ws://relay.example.com", true},
		{"ws://relay.example.com", "wss://relay.example.com", false},
		{"wss://relay.example.com:8443", "wss://relay.example.com", false},
		{"wss://relay.example.com/a", "wss://relay.example.com/b", false},
		{"wss://relay.example.com.evil.org", "wss://relay.example.com", false},
		{"wss://evil.org/?relay.example.com", "wss://relay.example.com", false},
		{"wss://user@relay.example.com", "wss://relay.example.com", true},
		{"relay.example.com", "wss://relay.example.com", false},
		{"%zz", "wss://relay.example.com", false},
		{"", "wss://relay.example.com", false},
	} {
		if got := sameRelay(c.a, c.b); got != c.same {
			t.Errorf("sameRelay(%q, %q) = %v, want %v", c.a, c.b, got, c.same)
		}
	}
}

// FuzzReadHeader holds the header reader against the library's.
func FuzzReadHeader(f *testing.F) {
	for _, n := range []int{0, 125, 126, 65536} {
		frame, err := ws.CompileFrame(ws.MaskFrameWith(ws.NewTextFrame(make([]byte, n)), [4]byte{1, 2, 3, 4}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame[:min(len(frame), 20)])
	}
	f.Add([]byte{0x89, 0xfe, 0, 1})
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		h, done, bad := readHeader(b, limit)
		if done && bad != nil {
			t.Fatal("done and bad")
		}
		r := bytes.NewReader(b)
		want, err := ws.ReadHeader(r)
		if !done {
			return
		}
		if err != nil {
			t.Fatalf("read a header where the library says %v", err)
		}
		if h.fin != want.Fin || h.op != want.OpCode || int64(h.size) != want.Length || h.mask != want.Mask || !want.Masked || h.written != len(b)-r.Len() {
			t.Fatalf("got %+v, want %+v", h, want)
		}
		if h.size > limit {
			t.Fatalf("a frame of %d bytes passed", h.size)
		}
	})
}
