package mirror

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// shortKey stands for a key where many are remembered.
type shortKey [8]byte

// short is the beginning of a key in hex; false for what is no key.
func short(key string) (s shortKey, ok bool) {
	if len(key) < 2*len(s) {
		return s, false
	}
	_, err := hex.Decode(s[:], []byte(key[:2*len(s)]))
	return s, err == nil
}

// memo is whose past was read, and when, over all connections. It is not safe for concurrent use.
type memo struct {
	loaded bool
	read   map[shortKey]uint32 // minutes since 1970
	dirty  bool
	urgent bool // something was forgotten, which must not be remembered after a restart
	saved  time.Time
}

// memoNote is a memo on disk. What it says counts for the kinds, and for as far back, as it was read.
type memoNote struct {
	Kinds []span `json:"kinds"`
	Back  int64  `json:"back"` // seconds, 0 = everything
	Read  string `json:"read"` // base64: eight bytes of a key, then the minute, again and again
}

const memoRow = len(shortKey{}) + 4

func (r *reach) memoKey() string { return "mirror/read/" + r.part.name + "/" + r.u.url }

// recall reads the memo from disk, once.
func (r *reach) recall() error {
	m := &r.memo
	if m.loaded {
		return nil
	}
	raw, err := r.u.m.state.Meta(r.memoKey())
	if err != nil {
		return fmt.Errorf("%w: read whose past of %s was read: %w", errProgress, r.u.url, err)
	}
	m.loaded, m.read = true, map[shortKey]uint32{}
	if raw == nil {
		return nil
	}
	var n memoNote
	rows, err := []byte(nil), json.Unmarshal(raw, &n)
	if err == nil {
		rows, err = base64.StdEncoding.DecodeString(n.Read)
	}
	if err != nil {
		r.u.m.log.Error("whose past was read is damaged, all of it is read again", "upstream", r.u.url, "part", r.part.name, "err", err)
		return nil
	}
	old := mark{Heard: 1, Kinds: n.Kinds}
	old.cover(r.part.kinds)
	shorter := n.Back != 0 && (r.part.back == 0 || n.Back < int64(r.part.back/time.Second))
	if len(old.Windows) > 0 || shorter {
		return nil // it is to be read for more kinds, or farther back
	}
	for row := range slices.Chunk(rows, memoRow) {
		if len(row) == memoRow {
			m.read[shortKey(row)] = binary.BigEndian.Uint32(row[memoRow-4:])
		}
	}
	return nil
}

// remember writes the memo to disk, if it must be or was not for a while.
func (r *reach) remember(ctx context.Context, now bool) error {
	m := &r.memo
	if !m.dirty || !now && !m.urgent && time.Since(m.saved) < r.u.m.o.pace.remember {
		return nil
	}
	keys := make([]shortKey, 0, len(m.read))
	for k := range m.read {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b shortKey) int { return slices.Compare(a[:], b[:]) })
	rows := make([]byte, 0, memoRow*len(keys))
	for _, k := range keys {
		rows = binary.BigEndian.AppendUint32(append(rows, k[:]...), m.read[k])
	}
	raw, err := json.Marshal(memoNote{r.part.kinds, int64(r.part.back / time.Second), base64.StdEncoding.EncodeToString(rows)})
	if err != nil {
		return fmt.Errorf("%w: %w", errProgress, err)
	}
	if err := r.u.m.state.SetMeta(ctx, r.memoKey(), raw); err != nil {
		return fmt.Errorf("%w: write whose past of %s was read: %w", errProgress, r.u.url, err)
	}
	m.dirty, m.urgent, m.saved = false, false, time.Now()
	return nil
}

// due are those whose past is to be read now. Who is not asked about any more is forgotten.
func (r *reach) due(keys []string, now int64) (pending []string) {
	m := &r.memo
	wanted := make(map[shortKey]bool, len(keys))
	for _, key := range keys {
		s, ok := short(key)
		if !ok || wanted[s] {
			continue
		}
		wanted[s] = true
		at, read := m.read[s]
		if !read || r.part.again > 0 && now-60*int64(at) >= int64(r.part.again/time.Second) {
			pending = append(pending, key)
		}
	}
	for s := range m.read {
		if !wanted[s] {
			delete(m.read, s)
			m.dirty, m.urgent = true, m.urgent || r.part.whose == providers
		}
	}
	return pending
}

// gather reads the past of keys that are new to the part, until the connection ends.
func (st *stand) gather(ctx context.Context) (err error) {
	if err := st.r.recall(); err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
		defer cancel()
		// a failure ends the session as the first one does; what is not remembered is read again
		if fault := st.r.remember(end, true); err == nil {
			err = fault
		}
	}()
	tick := time.NewTicker(max(st.s.u.m.o.pace.watch/4, time.Millisecond))
	defer tick.Stop()
	for {
		for again := true; again; {
			if again, err = st.batch(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-st.more:
		case <-tick.C:
		}
	}
}

// batch reads the past of some keys; false when there are none.
func (st *stand) batch(ctx context.Context) (bool, error) {
	now := st.s.u.m.now().Unix()
	candidates := st.candidates(ctx)
	if len(candidates) == 0 {
		return false, nil // not known yet, or nobody: that is no reason to forget
	}
	pending := st.r.due(candidates, now)
	st.pends(len(pending))
	if len(pending) == 0 {
		return false, st.r.remember(ctx, false)
	}
	keys := st.resume(pending)
	if keys == nil {
		keys = pending[:min(len(pending), st.r.bears())]
		err := st.r.change(ctx, func(m *mark) {
			*m = mark{Heard: now, Floor: st.r.floor(), Keys: shortKeys(keys)}
			m.add(window{m.Floor, now})
		})
		if err != nil {
			return false, err
		}
	}
	st.r.part.keys.put(keys)
	if err := st.drain(ctx); err != nil {
		return false, err
	}
	for _, key := range keys {
		if s, ok := short(key); ok {
			st.r.memo.read[s] = uint32(now / 60)
			st.r.memo.dirty = true
		}
	}
	return true, st.r.remember(ctx, false)
}

// beside is the part that asks live about the same keys; empty when none does.
func (p *part) beside() string {
	name, ok := strings.CutSuffix(p.name, ".past")
	if !ok {
		return ""
	}
	return name
}

// pends says of how many keys the past is still to be read.
func (st *stand) pends(n int) {
	if name := st.r.part.beside(); name != "" {
		st.s.u.tally.part(name, func(p *PartStatus) { p.Pending = n })
	}
}

// candidates are all keys that the part is about. Those that are asked about live as well must be so first, so that
// nothing falls between.
func (st *stand) candidates(ctx context.Context) []string {
	if name := st.r.part.beside(); name != "" {
		for _, o := range st.s.all {
			if o.r.part.name == name {
				return o.whom()
			}
		}
		return nil
	}
	var keys []string
	for _, pk := range st.s.u.m.people.list(ctx, st.r.part.whose, st.s.u.m.o.pace.watch/4) {
		keys = append(keys, pk.String())
	}
	return keys
}

// resume are the keys whose past was being read when the last connection ended; nil when there are none.
func (st *stand) resume(pending []string) (keys []string) {
	st.r.mu.Lock()
	m := st.r.mark.clone()
	st.r.mu.Unlock()
	if _, unread := m.next(); !unread || st.r.part.again > 0 {
		return nil // what is replaced while it is read would be missed
	}
	began := map[shortKey]bool{}
	for s := range slices.Chunk(m.Keys, len(shortKey{})) {
		if len(s) == len(shortKey{}) {
			began[shortKey(s)] = true
		}
	}
	for _, key := range pending {
		if s, ok := short(key); ok && began[s] {
			keys = append(keys, key)
		}
	}
	return keys
}

func shortKeys(keys []string) []byte {
	var out []byte
	for _, key := range keys {
		if s, ok := short(key); ok {
			out = append(out, s[:]...)
		}
	}
	return out
}
