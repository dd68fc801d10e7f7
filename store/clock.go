package store

import (
	"context"
	"time"
)

// clock holds a query to its budget of work. It stands still while the consumer has the floor. A query that has looked
// at few keys is not refused for the time that a stalled machine took over them.
type clock struct {
	ctx    context.Context
	budget time.Duration
	since  time.Time
	ticks  int
	least  int // keys that the budget allows however long they take
}

// slowestKey is the most that a key costs on a machine that works.
const slowestKey = 20 * time.Microsecond

const ticksPerLook = 64

func newClock(ctx context.Context, budget time.Duration) *clock {
	return &clock{ctx: ctx, budget: budget, since: time.Now(), least: int(budget / slowestKey)}
}

// tick is called for each key; it looks at the time now and then.
func (c *clock) tick() error {
	if c.ticks++; c.ticks%ticksPerLook != 0 {
		return nil
	}
	return c.look()
}

func (c *clock) look() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if c.ticks >= c.least && time.Since(c.since) > c.budget {
		return ErrBudget
	}
	return nil
}

func (c *clock) pause() { c.budget -= time.Since(c.since) }

func (c *clock) resume() { c.since = time.Now() }
