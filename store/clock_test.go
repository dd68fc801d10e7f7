package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestClock_RefusesForWorkNotForAStalledMachine(t *testing.T) {
	for _, c := range []struct {
		name  string
		spent time.Duration
		keys  int
		want  error
	}{
		{"within the budget", time.Second, 1_000_000, nil},
		{"a stall over few keys", time.Minute, 500, nil},
		{"much work", 3 * time.Second, 200_000, ErrBudget},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newClock(context.Background(), 2*time.Second)
			k.since, k.ticks = k.since.Add(-c.spent), c.keys
			if err := k.look(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
