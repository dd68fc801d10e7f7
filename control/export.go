package control

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// exportPage is how many events one query of an export reads; each has the store's budget to itself.
const exportPage = 1000

// export writes what matches and may be served, oldest first, all from one snapshot. It holds 32 bytes per event in
// memory while it turns the store's order round.
func export(ctx context.Context, snap store.Snapshot, f nostr.Filter, out io.Writer, page int) error {
	if f.Search != "" {
		return fmt.Errorf("%w: export: search is not served here", ErrUsage)
	}
	ids, err := matching(ctx, snap, f, page)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	w := bufio.NewWriterSize(out, 64<<10)
	for i := len(ids) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		raw, ok, err := snap.Event(ids[i])
		if err != nil {
			return fmt.Errorf("export event %s: %w", ids[i], err)
		}
		if !ok {
			continue
		}
		if _, err := w.Write(raw.JSON); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		if err := w.WriteByte('\n'); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// matching lists what matches, newest first.
func matching(ctx context.Context, snap store.Snapshot, f nostr.Filter, page int) ([]nip90.ID, error) {
	if f.LimitZero {
		return nil, nil
	}
	var ids []nip90.ID
	most, size := f.Limit, page
	edge := map[nip90.ID]bool{} // ids of the last second of the page before
	for {
		f.Limit = size
		var n int
		var oldest int64
		next := map[nip90.ID]bool{}
		for raw, err := range snap.Query(ctx, f) {
			if err != nil {
				return nil, err
			}
			n++
			if n == 1 || raw.CreatedAt != oldest {
				oldest = raw.CreatedAt
				clear(next)
			}
			next[raw.ID] = true
			if edge[raw.ID] {
				continue
			}
			ids = append(ids, raw.ID)
			if most > 0 && len(ids) == most {
				return ids, nil
			}
		}
		if n < size {
			return ids, nil
		}
		until := nostr.Timestamp(oldest)
		if f.Until != nil && *f.Until == until {
			size *= 2 // the whole page was one second: see past it
		} else {
			size = page
		}
		f.Until, edge = &until, next
	}
}
