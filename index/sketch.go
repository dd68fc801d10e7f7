package index

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"dvmrelay/nip90"
)

const (
	// sketchExact is up to how many keys a sketch is a list and counts exactly.
	sketchExact = 512
	// sketchBits make 4,096 registers beyond: a standard error of 1.6 %.
	sketchBits      = 12
	sketchRegisters = 1 << sketchBits
	// markBits is how much of a key's hash a list keeps: two of 512 keys are taken for one in 1 of 8 million cases.
	markBits  = 40
	markBytes = markBits / 8
)

// sketch counts distinct keys without keeping them: a list of short hashes while there are few, a HyperLogLog beyond. It
// only grows, and is the same for the same keys in any order. It is immutable: a change gives another one.
type sketch struct {
	marks     []uint64 // sorted; while registers is nil
	registers []byte
}

// markOf is the front of a key's hash.
func markOf(k nip90.PubKey) uint64 {
	sum := sha256.Sum256(k[:])
	return binary.BigEndian.Uint64(sum[:]) >> (64 - markBits)
}

// register says which register a mark belongs to, and what it wants there.
func register(mark uint64) (int, byte) {
	rest := mark << (64 - markBits + sketchBits)
	return int(mark >> (markBits - sketchBits)), byte(min(bits.LeadingZeros64(rest), markBits-sketchBits) + 1)
}

// has says whether adding a mark would change nothing.
func (s *sketch) has(mark uint64) bool {
	if s.registers != nil {
		i, rank := register(mark)
		return s.registers[i] >= rank
	}
	_, here := slices.BinarySearch(s.marks, mark)
	return here
}

// plus is the sketch with some marks more.
func (s sketch) plus(marks []uint64) sketch {
	if len(marks) == 0 {
		return s
	}
	slices.Sort(marks)
	out := sketch{marks: slices.Clone(s.marks), registers: slices.Clone(s.registers)}
	out.merge(sketch{marks: marks})
	return out
}

// settled is a sketch in the form that its size asks for.
func (s sketch) settled() sketch {
	if s.registers != nil || len(s.marks) <= sketchExact {
		return s
	}
	out := sketch{registers: make([]byte, sketchRegisters)}
	out.absorb(s)
	return out
}

// absorb puts the keys of another sketch into the registers, in place.
func (s *sketch) absorb(o sketch) {
	for _, m := range o.marks {
		i, rank := register(m)
		s.registers[i] = max(s.registers[i], rank)
	}
	for i, rank := range o.registers {
		s.registers[i] = max(s.registers[i], rank)
	}
}

// merge adds what another sketch has seen. s must be the caller's own.
func (s *sketch) merge(o sketch) {
	if s.registers == nil && o.registers == nil {
		all := append(slices.Clone(s.marks), o.marks...)
		slices.Sort(all)
		*s = sketch{marks: slices.Compact(all)}.settled()
		return
	}
	if s.registers == nil {
		was := *s
		*s = sketch{registers: make([]byte, sketchRegisters)}
		s.absorb(was)
	}
	s.absorb(o)
}

// covers says whether s has seen everything that o has.
func (s sketch) covers(o sketch) bool {
	both := sketch{marks: s.marks, registers: slices.Clone(s.registers)}
	both.merge(o)
	return slices.Equal(both.marks, s.marks) && slices.Equal(both.registers, s.registers)
}

// halvings are 1, 1/2, 1/4 and so on. A rank is at most markBits-sketchBits+1.
var halvings = func() (list [64]float64) {
	for i := range list {
		list[i] = math.Ldexp(1, -i)
	}
	return list
}()

// count is how many distinct keys were seen: exact for a list, an estimate for registers.
func (s sketch) count() int64 {
	if s.registers == nil {
		return int64(len(s.marks))
	}
	const m = sketchRegisters
	sum, empty := 0.0, 0
	for _, rank := range s.registers {
		sum += halvings[rank&63]
		if rank == 0 {
			empty++
		}
	}
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && empty > 0 {
		estimate = m * math.Log(m/float64(empty))
	}
	return int64(math.Round(estimate))
}

func (s sketch) appendTo(b []byte) []byte {
	if s.registers != nil {
		return append(append(b, 1), s.registers...)
	}
	b = binary.AppendUvarint(append(b, 0), uint64(len(s.marks)))
	for _, m := range s.marks {
		b = append(b, byte(m>>32), byte(m>>24), byte(m>>16), byte(m>>8), byte(m))
	}
	return b
}

func (d *decoder) sketch() (s sketch) {
	n, at, registers := d.rawSketch()
	if registers {
		s.registers = slices.Clone(at)
		return s
	}
	s.marks = make([]uint64, n)
	for i := range s.marks {
		s.marks[i] = markAt(at, i)
	}
	return s
}

// rawSketch is a sketch as it stands in a row: n marks, or registers. A damaged one is without marks.
func (d *decoder) rawSketch() (n int, at []byte, registers bool) {
	size := sketchRegisters
	if registers = d.byte() == 1; !registers {
		marks := d.uint()
		if marks > uint64(len(d.b)/markBytes) {
			d.bad, d.b = true, nil
			return 0, nil, false
		}
		n, size = int(marks), int(marks)*markBytes
	} else if len(d.b) < size {
		d.bad, d.b = true, nil
		return 0, nil, false
	}
	at, d.b = d.b[:size], d.b[size:]
	return n, at, registers
}

func markAt(marks []byte, i int) uint64 {
	b := marks[i*markBytes:][:markBytes]
	return uint64(b[0])<<32 | uint64(b[1])<<24 | uint64(b[2])<<16 | uint64(b[3])<<8 | uint64(b[4])
}
