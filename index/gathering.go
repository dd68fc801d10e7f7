package index

import "slices"

// gathering merges many sketches: as a list while few keys may have been seen, in registers from then on.
type gathering struct {
	marks     []uint64 // unsorted, some of them twice; nil once there are registers
	registers []byte
}

// maxGathered is how many marks wait. Beyond it they are sorted to see how many there are.
const maxGathered = 4 * sketchExact

func (g *gathering) add(s sketch) {
	if s.registers != nil {
		g.spread()
		(&sketch{registers: g.registers}).absorb(s)
		return
	}
	for _, m := range s.marks {
		g.mark(m)
	}
}

// read adds the sketch that a row goes on with.
func (g *gathering) read(d *decoder) {
	n, at, registers := d.rawSketch()
	if registers {
		g.spread()
		for i, rank := range at {
			g.registers[i] = max(g.registers[i], rank)
		}
		return
	}
	for i := range n {
		g.mark(markAt(at, i))
	}
}

func (g *gathering) mark(m uint64) {
	if g.registers != nil {
		i, rank := register(m)
		g.registers[i] = max(g.registers[i], rank)
		return
	}
	if g.marks = append(g.marks, m); len(g.marks) < maxGathered {
		return
	}
	slices.Sort(g.marks)
	if g.marks = slices.Compact(g.marks); len(g.marks) > sketchExact {
		g.spread()
	}
}

// spread puts what was gathered into registers.
func (g *gathering) spread() {
	if g.registers != nil {
		return
	}
	g.registers = make([]byte, sketchRegisters)
	(&sketch{registers: g.registers}).absorb(sketch{marks: g.marks})
	g.marks = nil
}

// sketch is what was gathered so far.
func (g *gathering) sketch() sketch {
	if g.registers != nil {
		return sketch{registers: g.registers}
	}
	slices.Sort(g.marks)
	g.marks = slices.Compact(g.marks)
	return sketch{marks: g.marks}.settled()
}
