package mirror_test

import (
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// stocked is an event with its JSON.
type stocked struct {
	*nostr.Event
	raw []byte
}

// newestFirst is the order of answers. NIP-01.
func newestFirst(a, b *stocked) int {
	return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), strings.Compare(a.ID, b.ID))
}

// memRelay is an upstream that speaks NIP-01 in full, from memory, over real sockets, with as little work as it can: an
// answer is written in few and large pieces. Its methods are safe for concurrent use.
type memRelay struct {
	*httptest.Server
	maxLimit int
	paging   func() // called before a page of the past is given; nil = nothing is
	serving  sync.WaitGroup

	mu    sync.Mutex // guards below
	stock []*stocked // newest first
	conns map[*memConn]bool
	away  bool
	dials int
	sent  int        // events
	rng   *rand.Rand // not nil: an answer holds the newest, but in any order
}

// memConn is one client. Only its reader changes subs.
type memConn struct {
	r    *memRelay
	conn net.Conn
	subs map[string][]picked // guarded by memRelay.mu

	writing sync.Mutex // guards below
	out     []byte
}

// newMemRelay holds events; maxLimit is the most that one filter is given.
func newMemRelay(t testing.TB, maxLimit int, events []*stocked) *memRelay {
	t.Helper()
	r := &memRelay{maxLimit: maxLimit, stock: slices.Clone(events), conns: map[*memConn]bool{}}
	slices.SortFunc(r.stock, newestFirst)
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() {
		r.leave(true)
		r.Server.Close()
		r.serving.Wait()
	})
	return r
}

func (r *memRelay) addr() string { return "ws" + strings.TrimPrefix(r.URL, "http") }

func (r *memRelay) serve(w http.ResponseWriter, req *http.Request) {
	r.serving.Add(1)
	defer r.serving.Done()
	if req.Header.Get("Upgrade") == "" {
		fmt.Fprintf(w, `{"supported_nips":[1,11],"limitation":{"max_limit":%d}}`, r.maxLimit)
		return
	}
	r.mu.Lock()
	away := r.away
	r.mu.Unlock()
	if away {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	c := &memConn{r: r, conn: conn, subs: map[string][]picked{}}
	hello := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	if _, err := io.WriteString(conn, hello); err != nil {
		return
	}
	r.mu.Lock()
	r.conns[c] = !r.away
	r.dials++
	away = r.away
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.conns, c)
		r.mu.Unlock()
	}()
	for !away {
		op, payload, err := readFrame(buf)
		if err != nil || !c.frame(op, payload) {
			return
		}
	}
}

// readFrame reads one frame of a client. Nothing here is longer than a frame.
func readFrame(r io.Reader) (op byte, payload []byte, err error) {
	head := make([]byte, 2, 14)
	if _, err = io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	op, n := head[0]&0x0f, int(head[1]&0x7f)
	more := map[int]int{126: 2, 127: 8}[n]
	rest := head[2 : 2+more+4]
	if _, err = io.ReadFull(r, rest); err != nil {
		return 0, nil, err
	}
	if more > 0 {
		n = 0
		for _, b := range rest[:more] {
			n = n<<8 | int(b)
		}
	}
	if n > 1<<20 || head[0]&0x80 == 0 {
		return 0, nil, fmt.Errorf("frame of %d bytes, or a part of one", n)
	}
	payload = make([]byte, n)
	if _, err = io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= rest[more+i%4]
	}
	return op, payload, nil
}

// frame answers one frame; false ends the connection.
func (c *memConn) frame(op byte, payload []byte) bool {
	switch op {
	case 1:
	case 9:
		return c.send(10, payload)
	case 10:
		return true
	default:
		return false
	}
	cmd, bad := wire.ParseCommand(payload, wire.Limits{})
	if bad != nil {
		return c.send(1, wire.AppendNotice(nil, bad.Reason))
	}
	switch cmd := cmd.(type) {
	case wire.Req:
		return c.req(cmd.Sub, cmd.Filters)
	case wire.Close:
		c.r.mu.Lock()
		delete(c.subs, cmd.Sub)
		c.r.mu.Unlock()
		return true
	}
	return c.send(1, wire.AppendNotice(nil, "unknown command"))
}

// req registers before it reads, under one lock: nothing that is published falls between.
func (c *memConn) req(sub string, filters []nostr.Filter) bool {
	r := c.r
	if r.paging != nil && filters[0].Until != nil {
		r.paging()
	}
	var answers [][]*stocked
	r.mu.Lock()
	var all []picked
	for _, f := range filters {
		p := pick(f)
		all = append(all, p)
		answers = append(answers, r.query(p))
	}
	c.subs[sub] = all
	r.mu.Unlock()
	for _, answer := range answers {
		if !c.events(sub, answer) {
			return false
		}
	}
	return c.send(1, wire.AppendEOSE(nil, sub, ""))
}

// query is what the relay gives for a filter. mu must be held.
func (r *memRelay) query(p picked) (out []*stocked) {
	limit := r.maxLimit
	if p.limit > 0 {
		limit = min(limit, p.limit)
	}
	at, _ := slices.BinarySearchFunc(r.stock, p.until, func(e *stocked, until int64) int { return cmp.Compare(until, int64(e.CreatedAt)) })
	for _, e := range r.stock[at:] {
		if len(out) == limit || int64(e.CreatedAt) < p.since {
			break
		}
		if p.matches(e) {
			out = append(out, e)
		}
	}
	if r.rng != nil {
		r.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	r.sent += len(out)
	return out
}

// publish stores an event, and tells who listens.
func (r *memRelay) publish(e *stocked) {
	r.mu.Lock()
	at, found := slices.BinarySearchFunc(r.stock, e, newestFirst)
	if found {
		r.mu.Unlock()
		return
	}
	r.stock = slices.Insert(r.stock, at, e)
	told := map[*memConn][]string{}
	for c := range r.conns {
		for sub, all := range c.subs {
			if slices.ContainsFunc(all, func(p picked) bool { return p.matches(e) }) {
				told[c] = append(told[c], sub)
				r.sent++
			}
		}
	}
	r.mu.Unlock()
	for c, subs := range told {
		for _, sub := range subs {
			c.events(sub, []*stocked{e})
		}
	}
}

// cut ends every connection without a word.
func (r *memRelay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.conn.Close() // its reader sees it
	}
}

// leave makes it unreachable, or reachable again.
func (r *memRelay) leave(away bool) {
	r.mu.Lock()
	r.away = away
	r.mu.Unlock()
	if away {
		r.cut()
	}
}

func (c *memConn) send(op byte, payload []byte) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = appendFrame(c.out[:0], op, payload)
	return c.flush()
}

// events writes EVENT frames, many in one write.
func (c *memConn) events(sub string, events []*stocked) bool {
	const piece = 64 << 10
	head := []byte(`["EVENT","` + sub + `",`)
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = c.out[:0]
	for _, e := range events {
		c.out = appendHead(c.out, 1, len(head)+len(e.raw)+1)
		c.out = append(append(append(c.out, head...), e.raw...), ']')
		if len(c.out) > piece && !c.flush() {
			return false
		}
	}
	return c.flush()
}

// flush writes what is collected. writing must be held.
func (c *memConn) flush() bool {
	_ = c.conn.SetWriteDeadline(time.Now().Add(30 * time.Second)) // of a closed connection: the write says so
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err == nil
}

func appendFrame(out []byte, op byte, payload []byte) []byte {
	return append(appendHead(out, op, len(payload)), payload...)
}

func appendHead(out []byte, op byte, n int) []byte {
	out = append(out, 0x80|op)
	switch {
	case n < 126:
		return append(out, byte(n))
	case n < 1<<16:
		return append(out, 126, byte(n>>8), byte(n))
	}
	return append(out, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// picked is a filter that is quick with long lists.
type picked struct {
	ids, authors map[string]bool
	kinds        map[int]bool
	tags         map[string]map[string]bool
	since, until int64
	limit        int
}

func pick(f nostr.Filter) picked {
	p := picked{ids: set(f.IDs), authors: set(f.Authors), kinds: set(f.Kinds), until: 1 << 40, limit: f.Limit}
	for name, values := range f.Tags {
		if p.tags == nil {
			p.tags = map[string]map[string]bool{}
		}
		p.tags[name] = set(values)
	}
	if f.Since != nil {
		p.since = int64(*f.Since)
	}
	if f.Until != nil {
		p.until = int64(*f.Until)
	}
	return p
}

// set is nil for an absent list, which matches all.
func set[T comparable](values []T) map[T]bool {
	if values == nil {
		return nil
	}
	out := make(map[T]bool, len(values))
	for _, v := range values {
		out[v] = true
	}
	return out
}

func (p *picked) matches(e *stocked) bool {
	at := int64(e.CreatedAt)
	if at < p.since || at > p.until || p.kinds != nil && !p.kinds[e.Kind] ||
		p.authors != nil && !p.authors[e.PubKey] || p.ids != nil && !p.ids[e.ID] {
		return false
	}
	for name, values := range p.tags {
		if !slices.ContainsFunc(e.Tags, func(t nostr.Tag) bool { return len(t) > 1 && t[0] == name && values[t[1]] }) {
			return false
		}
	}
	return true
}
