package index

import (
	"bytes"
	"testing"

	"dvmrelay/nip90"
)

// FuzzRows: whatever lies on disk is a row that is written back as it was, or an error.
func FuzzRows(f *testing.F) {
	f.Add((&threadRow{flags: rowSeen, kind: 5100, created: epoch, members: 3, sums: sums{answers: 2, asked: 1 << 40}}).encode())
	f.Add((&sideRow{answers: 1, said: said{status: nip90.Error, at: epoch}, ask: ask{set: true, msat: 5}}).encode())
	f.Add((&paymentRow{msat: 7}).encode())
	f.Add((&signRow{created: epoch, kinds: []int{5100, 5300}}).encode())
	f.Add([]byte(cursor{now: epoch, key: make([]byte, timeLen+idLen)}.String()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if row, err := decodeThread(b); err == nil {
			again, err := decodeThread(row.encode())
			if err != nil || again != row {
				t.Errorf("thread %x: got %+v, %v; want %+v", b, again, err, row)
			}
		}
		if row, err := decodeSide(b); err == nil {
			again, err := decodeSide(row.encode())
			if err != nil || again != row {
				t.Errorf("side %x: got %+v, %v; want %+v", b, again, err, row)
			}
		}
		if row, err := decodePayment(b); err == nil {
			again, err := decodePayment(row.encode())
			if err != nil || again != row {
				t.Errorf("payment %x: got %+v, %v; want %+v", b, again, err, row)
			}
		}
		if row, err := decodeSign(b); err == nil {
			again, err := decodeSign(row.encode())
			if err != nil || !bytes.Equal(again.encode(), row.encode()) {
				t.Errorf("handler %x: got %+v, %v; want %+v", b, again, err, row)
			}
		}
		if c, err := parseCursor(string(b)); err == nil {
			again, err := parseCursor(c.String())
			if err != nil || again.now != c.now || again.phase != c.phase || !bytes.Equal(again.key, c.key) {
				t.Errorf("cursor %q: got %+v, %v; want %+v", b, again, err, c)
			}
		}
	})
}

func TestKeys_SortNewestFirst(t *testing.T) {
	times := []int64{-5, 0, 1, epoch, 1 << 40}
	for i := range times {
		if got := descendingTime(descending(times[i])); got != times[i] {
			t.Errorf("time: got %d, want %d", got, times[i])
		}
		if i == 0 {
			continue
		}
		if bytes.Compare(descending(times[i]), descending(times[i-1])) >= 0 {
			t.Errorf("%d does not come before %d", times[i], times[i-1])
		}
		if bytes.Compare(ascending(times[i]), ascending(times[i-1])) <= 0 {
			t.Errorf("%d does not come after %d", times[i], times[i-1])
		}
	}
}
