package negentropy

import "fmt"

// Client is the side of a reconciliation that asks, and learns what differs. It is not safe for concurrent use.
type Client struct {
	set    *Set
	room   int
	rounds int
	found  int                       // differences so far
	have   []uint64                  // bits: our items that were found to be ours alone
	need   map[[idSize]byte]struct{} // theirs alone
	ended  bool
}

// The rounds that may go by: patience, and patiencePer for each difference found. An honest server needs a few rounds until
// the first, and in small frames about one for each.
const (
	patience    = 64
	patiencePer = 4
)

// NewClient prepares to compare set with that of a server. frameLimit is how long a message that we send may be, in bytes; 0
// is no bound, and less than MinFrame counts as MinFrame.
func NewClient(set *Set, frameLimit int) *Client {
	return &Client{set: set, room: frameRoom(frameLimit), need: make(map[[idSize]byte]struct{})}
}

// Open is the first message.
func (c *Client) Open() []byte {
	x := exchange{set: c.set, out: newWriter()}
	x.split(0, c.set.Len(), bound{time: infinity})
	return x.out.b
}

// Reconcile reads an answer of the server. next is what to send now; nil when the sets are reconciled. have are the ids that
// only we hold, need those that only they hold, as far as this answer tells; each id comes once in each,
// over all answers. What a
// server says is not to be trusted: it can name ids that do not exist. After an error the reconciliation is over; what was
// found before holds. The error is ErrMalformed, ErrVersion or ErrEndless.
func (c *Client) Reconcile(msg []byte) (next []byte, have, need [][32]byte, err error) {
	if c.ended {
		return nil, nil, nil, fmt.Errorf("answer after the end: %w", ErrMalformed)
	}
	c.ended = true
	c.rounds++
	if c.rounds > patience+patiencePer*c.found {
		return nil, nil, nil, fmt.Errorf("%d differences in %d rounds: %w", c.found, c.rounds-1, ErrEndless)
	}
	in, spoken, err := open(msg)
	if err != nil {
		return nil, nil, nil, err
	}
	if spoken != version {
		return nil, nil, nil, fmt.Errorf("version %d: %w", spoken-firstVersion, ErrVersion)
	}
	x := exchange{set: c.set, in: in, out: newWriter(), room: c.room}
	x.list = func(upper int, _ bound, ids []byte) (bool, error) {
		x.settled = true
		h, n, err := c.differ(x.from, upper, ids)
		have, need = append(have, h...), append(need, n...)
		return false, err
	}
	if err := x.run(); err != nil {
		return nil, have, need, err
	}
	c.found += len(have) + len(need)
	if len(x.out.b) == 1 {
		return nil, have, need, nil
	}
	c.ended = false
	return x.out.b, have, need, nil
}

// differ compares our items of a range with the list of theirs.
func (c *Client) differ(lower, upper int, ids []byte) (have, need [][idSize]byte, err error) {
	theirs := make(map[[idSize]byte]bool, len(ids)/idSize) // whether it is ours as well
	for rest := ids; len(rest) >= idSize; rest = rest[idSize:] {
		theirs[[idSize]byte(rest)] = false
	}
	for i := lower; i < upper; i++ {
		id := c.set.items[i].ID
		if _, ok := theirs[id]; ok {
			theirs[id] = true
		} else if c.alone(i) {
			have = append(have, id)
		}
	}
	for rest := ids; len(rest) >= idSize; rest = rest[idSize:] {
		id := [idSize]byte(rest)
		if _, told := c.need[id]; told || theirs[id] {
			continue
		}
		if len(c.need) >= MaxNeed {
			return have, need, fmt.Errorf("more than %d ids: %w", MaxNeed, ErrEndless)
		}
		c.need[id] = struct{}{}
		need = append(need, id)
	}
	return have, need, nil
}

// alone marks an item as ours alone; false when it was marked before.
func (c *Client) alone(i int) bool {
	if c.have == nil {
		c.have = make([]uint64, c.set.Len()/64+1)
	}
	bit := uint64(1) << (i % 64)
	if c.have[i/64]&bit != 0 {
		return false
	}
	c.have[i/64] |= bit
	return true
}
