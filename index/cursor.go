package index

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// ErrCursor is a cursor that no page gave out.
var ErrCursor = errors.New("cursor is not one of ours")

// ErrQuery is a query that asks for something that there is not.
var ErrQuery = errors.New("not one of the values that can be asked for")

// cursor is where a page ended, and the clock of the first page.
type cursor struct {
	now   int64
	phase byte
	key   []byte // the last key examined, without its table's byte
}

func (c cursor) String() string {
	b := binary.AppendVarint([]byte{1, c.phase}, c.now)
	return base64.RawURLEncoding.EncodeToString(append(b, c.key...))
}

func parseCursor(s string) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 3 || b[0] != 1 || len(b) > 256 {
		return cursor{}, ErrCursor
	}
	now, n := binary.Varint(b[2:])
	if n <= 0 {
		return cursor{}, ErrCursor
	}
	return cursor{now: now, phase: b[1], key: b[2+n:]}, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, MaxLimit)
}
