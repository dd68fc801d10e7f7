package store

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// smallVolumeShare is the part of a small volume that the floor shrinks to.
const smallVolumeShare = 10

// disk watches the free space under the data directory. Badger ends the process when it runs out.
type disk struct {
	log   *slog.Logger
	floor atomic.Uint64
	free  atomic.Uint64
	full  atomic.Bool
	blind atomic.Bool // the system did not say
}

func (d *disk) begin(o Options) {
	d.log = o.Log
	d.floor.Store(uint64(o.FreeFloor))
	if _, total, err := o.Disk(o.Dir); err == nil && total/smallVolumeShare < uint64(o.FreeFloor) {
		d.floor.Store(total / smallVolumeShare)
		d.log.Warn("small volume: the free-space floor is a tenth of it", "floor_bytes", total/smallVolumeShare, "volume_bytes", total, "configured_bytes", o.FreeFloor)
	}
	d.check(o)
}

func (d *disk) check(o Options) {
	free, _, err := o.Disk(o.Dir)
	if err != nil {
		if !d.blind.Swap(true) {
			d.log.Warn("free space is unknown", "err", fmt.Errorf("inspect volume of %s: %w", o.Dir, err))
		}
		return
	}
	d.blind.Store(false)
	d.free.Store(free)
	full := free < d.floor.Load()
	if was := d.full.Swap(full); was == full {
		return
	}
	if full {
		d.log.Warn("disk is full: events are refused, reads go on", "free_bytes", free, "floor_bytes", d.floor.Load())
		return
	}
	d.log.Info("disk has room again: events are accepted", "free_bytes", free)
}
