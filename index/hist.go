package index

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// hist is a histogram over numbers from 0 up, as sorted buckets. Numbers below 64 have a bucket each; above, each power of
// two is cut into 32, so a bucket is never wider than 1/32 of what it holds. It is immutable: a change gives another one.
type hist []histBucket

type histBucket struct {
	bucket int
	n      int64
}

// noBucket stands for a number that is not counted.
const noBucket = -1

// bucketOf finds the bucket of a number; noBucket for one below zero.
func bucketOf(v int64) int {
	switch {
	case v < 0:
		return noBucket
	case v < 32:
		return int(v)
	}
	e := bits.Len64(uint64(v)) - 6
	return 32 + e*32 + int(v>>e) - 32
}

// bucketValue is the number that stands for a bucket: its middle.
func bucketValue(bucket int) int64 {
	if bucket < 32 {
		return int64(bucket)
	}
	e := (bucket - 32) / 32
	low := int64((bucket-32)%32+32) << e
	return low + (int64(1)<<e-1)/2
}

// with adds n to a bucket and leaves h as it is.
func (h hist) with(bucket int, n int64) hist {
	if bucket == noBucket || n == 0 {
		return h
	}
	i, ok := slices.BinarySearchFunc(h, bucket, func(b histBucket, want int) int { return b.bucket - want })
	if !ok {
		out := make(hist, 0, len(h)+1)
		out = append(append(out, h[:i]...), histBucket{bucket, n})
		return append(out, h[i:]...)
	}
	out := slices.Clone(h)
	if out[i].n += n; out[i].n == 0 {
		return slices.Delete(out, i, i+1)
	}
	return out
}

// plus adds another histogram, sign times.
func (h hist) plus(o hist, sign int64) hist {
	if len(o) == 0 {
		return h
	}
	out := make(hist, 0, len(h)+len(o))
	for len(h) > 0 || len(o) > 0 {
		var b histBucket
		switch {
		case len(o) == 0 || len(h) > 0 && h[0].bucket < o[0].bucket:
			b, h = h[0], h[1:]
		case len(h) == 0 || o[0].bucket < h[0].bucket:
			b, o = histBucket{o[0].bucket, sign * o[0].n}, o[1:]
		default:
			b, h, o = histBucket{h[0].bucket, h[0].n + sign*o[0].n}, h[1:], o[1:]
		}
		if b.n != 0 {
			out = append(out, b)
		}
	}
	return out
}

// quantiles are nearest ranks, each number times scale; nil for an empty histogram.
func (h hist) quantiles(scale int64) *Quantiles {
	var total int64
	for _, b := range h {
		total += b.n
	}
	if total <= 0 {
		return nil
	}
	q := Quantiles{Count: total}
	for _, want := range [...]struct {
		percent int64
		to      *int64
	}{{50, &q.P50}, {95, &q.P95}, {99, &q.P99}} {
		rank, seen := (total*want.percent+99)/100, int64(0)
		for _, b := range h {
			if seen += b.n; seen >= rank {
				*want.to = bucketValue(b.bucket) * scale
				break
			}
		}
	}
	return &q
}

func (h hist) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(h)))
	last := 0
	for _, c := range h {
		b = binary.AppendUvarint(b, uint64(c.bucket-last))
		b = binary.AppendVarint(b, c.n)
		last = c.bucket
	}
	return b
}

func (d *decoder) hist() hist {
	n := d.uint()
	if n == 0 || n > uint64(len(d.b)) {
		d.bad = d.bad || n != 0
		return nil
	}
	h := make(hist, 0, n)
	last := 0
	for ; n > 0 && !d.bad; n-- {
		last += int(d.uint() & 0xffff)
		h = append(h, histBucket{last, d.int()})
	}
	return h
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}
