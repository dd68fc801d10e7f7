package store_test

import (
	"strings"
	"testing"

	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// rowsOf are the keys and values of one table.
func rowsOf(t *testing.T, s *storetest.Running, table byte) (keys []string, values [][]byte) {
	t.Helper()
	err := s.View(func(r store.Reader) error {
		return r.Scan([]byte{table}, nil, func(key, value []byte) bool {
			keys, values = append(keys, string(key)), append(values, append([]byte{}, value...))
			return true
		})
	})
	if err != nil || len(keys) == 0 {
		t.Fatalf("table %c: %d rows, %v", table, len(keys), err)
	}
	return keys, values
}

// Every row that is taken away or put where none belongs is found, and told by name.
func TestVerify_NamesWhatIsWrong(t *testing.T) {
	type wrong struct {
		table  byte
		change func(key string, value []byte) map[string][]byte
		want   string
	}
	remove := func(key string, _ []byte) map[string][]byte { return map[string][]byte{key: nil} }
	double := func(key string, value []byte) map[string][]byte {
		other := []byte(key)
		other[len(other)-3] ^= 0xff
		return map[string][]byte{string(other): value}
	}
	cases := map[string]wrong{
		"event missing":      {'e', remove, "body there false"},
		"event damaged":      {'e', func(k string, v []byte) map[string][]byte { return map[string][]byte{k: v[:20]} }, "damaged"},
		"fact missing":       {'f', remove, "do not agree"},
		"fact damaged":       {'f', func(k string, v []byte) map[string][]byte { return map[string][]byte{k: v[:9]} }, "damaged"},
		"fact without body":  {'f', double, "body there false"},
		"address missing":    {'r', remove, "its address names"},
		"address dangles":    {'r', double, "no event has it"},
		"grave missing":      {'g', remove, "grave there false"},
		"grave dangles":      {'g', double, "grave "},
		"author key dangles": {'a', double, "no event has it"},
	}
	for _, table := range []byte("akptx") {
		cases[string(table)+" missing"] = wrong{table, remove, "missing"}
		cases[string(table)+" dangles"] = wrong{table, double, "no event has it"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := storetest.Open(t)
			gone := storetest.Parsed(t, event(1, 5300, 1_700_000_000))
			s.Put(t, gone)
			s.Put(t, storetest.Parsed(t, event(1, 5, 1_700_000_001, nostr.Tag{"e", gone.Event.ID})))
			s.Put(t, storetest.Parsed(t, event(2, 31990, 1_700_000_000, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"}, nostr.Tag{"k", "5300"})))
			s.Put(t, storetest.Parsed(t, event(3, 6300, 1_700_000_000, nostr.Tag{"p", key(1)}, nostr.Tag{"expiration", "9999999999"})))
			if seen, err := store.Inspect(snapshotOf(t, s)); err != nil || seen.Events != 3 || seen.Facts != 4 {
				t.Fatalf("before: %+v, %v; want 3 events, 4 facts and no fault", seen, err)
			}
			keys, values := rowsOf(t, s, c.table)
			i := 0
			if c.table == 'f' { // the one with a body
				for values[i][4]&byte(store.FactBody) == 0 {
					i++
				}
			}
			rows := c.change(keys[i], values[i])
			damage(t, s, rows)
			err := s.View(store.Verify)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a fault with %q", err, c.want)
			}
			undo := make(map[string][]byte)
			for key := range rows {
				undo[key] = nil
			}
			for j, key := range keys {
				if _, changed := rows[key]; changed {
					undo[key] = values[j]
				}
			}
			damage(t, s, undo)
		})
	}
}

func snapshotOf(t *testing.T, s *storetest.Running) store.Snapshot {
	t.Helper()
	snap := s.Snapshot()
	t.Cleanup(snap.Close)
	return snap
}
