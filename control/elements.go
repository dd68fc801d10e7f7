package control

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// The forms of what is imported.
const (
	formLines = "lines" // one event a line
	formArray = "array" // one JSON array of events
	formLoose = "loose" // events one after the other, each over several lines
)

// elements reads one event after the other, in memory that does not grow with the input.
type elements struct {
	in   *bufio.Reader
	form string
	read int64 // bytes of the plain text up to the end of the last element
	walk walk  // of the forms that are no lines
	over int64 // bytes of the next element that the walk has taken already
}

// openElements looks what the input is: plain or gzip, lines or an array. form is known when a reading is taken up.
func openElements(in io.Reader, form string, from int64) (*elements, error) {
	br := bufio.NewReaderSize(in, 64<<10)
	head, err := br.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read import: %w", err)
	}
	if len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		br = bufio.NewReaderSize(zr, 64<<10)
	}
	e := &elements{in: br, form: form, read: from}
	if form == "" {
		if err := e.look(); err != nil {
			return nil, err
		}
	}
	if e.walk.opened = e.form == formArray; from > 0 {
		e.walk.last = ',' // its [ was read before
	}
	return e, nil
}

// look tells the form by what comes first: an array begins with [, an event over several lines with { and the line's end.
func (e *elements) look() error {
	if mark, err := e.in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		n, err := e.in.Discard(3)
		e.read += int64(n)
		if err != nil {
			return fmt.Errorf("read import: %w", err)
		}
	}
	e.form = formLines
	for n, begun := 1, false; n <= e.in.Size(); n++ {
		head, err := e.in.Peek(n) // no more than is needed: somebody may be typing it
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read import: %w", err)
		}
		switch c := head[n-1]; {
		case c == '\n' && begun:
			e.form = formLoose
			return nil
		case blank(c):
		case c == '{' && !begun:
			begun = true
		case c == '[' && !begun:
			e.form = formArray
			return nil
		default:
			return nil
		}
	}
	return nil
}

// next is the next event as JSON, valid until the call after; a word instead for what is none: it was skipped. io.EOF at
// the end, io.ErrUnexpectedEOF when that is in the middle of an array.
func (e *elements) next() (element []byte, fault string, err error) {
	if e.form != formLines {
		return e.nextOfArray()
	}
	for {
		line, n, tooLong, err := readLine(e.in)
		e.read += n
		if err != nil {
			return nil, "", err
		}
		if tooLong {
			return nil, reasonTooLong, nil
		}
		if line = bytes.TrimSuffix(bytes.TrimSpace(line), []byte(",")); len(line) > 0 {
			return line, "", nil
		}
	}
}

// readLine reads a line of at most maxLineBytes; a longer one is skipped. n is how many bytes that took. The line is valid
// until the next call.
func readLine(r *bufio.Reader) (line []byte, n int64, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if !tooLong {
			if len(line) == 0 && err == nil && len(part) <= maxLineBytes {
				return part, n, false, nil
			}
			line = append(line, part...)
			if len(line) > maxLineBytes {
				line, tooLong = nil, true
			}
		}
		switch {
		case err == nil:
			return line, n, tooLong, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (len(line) > 0 || tooLong):
			return line, n, tooLong, nil
		default:
			return nil, n, false, err
		}
	}
}

// settled says whether a reading can be taken up at read.
func (e *elements) settled() bool { return !e.walk.lost }

func (e *elements) nextOfArray() (element []byte, fault string, err error) {
	w := &e.walk
	if !w.inside {
		w.begin()
	}
	used := e.over
	e.over = 0
	for {
		c, err := e.in.ReadByte()
		if err != nil {
			return e.endOfArray(err)
		}
		used++
		at := w.step(c)
		if at == stepMore {
			continue
		}
		if w.inside { // c begins the next
			e.over = 1
		}
		e.read += used - e.over
		switch at {
		case stepWhole:
			return w.text, "", nil
		case stepTooLong:
			return nil, reasonTooLong, nil
		default:
			return nil, reasonLine, nil
		}
	}
}

// endOfArray says whether the input may end here.
func (e *elements) endOfArray(err error) ([]byte, string, error) {
	if !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	if w := &e.walk; w.inside || w.opened && !w.closed {
		return nil, "", io.ErrUnexpectedEOF
	}
	return nil, "", io.EOF
}

// maxNesting is how deep an element may be nested. An event needs three levels.
const maxNesting = 64

// What a byte does to a walk.
type pace uint8

const (
	stepMore    pace = iota
	stepWhole        // the element is whole
	stepBroken       // what was read cannot be an event; go on to the next
	stepTooLong      // the same, for its length
)

// walk finds where elements begin and end without reading what they say. It is no parser: it checks just enough of the
// grammar to notice that it has lost its way, and then looks for where the next element may begin.
type walk struct {
	opened, closed bool // the [ and the ] of the whole were seen
	lost           bool // after something broken: only what looks like a beginning counts
	last           byte // the byte before that is no blank, outside elements; a line's end counts while lost

	inside  bool
	stack   [maxNesting]byte // open { and [
	depth   int
	text    []byte
	quoted  bool // inside a string
	escaped bool
	before  byte // the byte before that is no blank, outside strings
}

// begin forgets the element before.
func (w *walk) begin() {
	if cap(w.text) > 64<<10 {
		w.text = nil // one large element leaves nothing behind
	}
	w.text, w.inside, w.depth, w.quoted, w.escaped, w.before = w.text[:0], false, 0, false, false, 0
}

func (w *walk) step(c byte) pace {
	if !w.inside {
		return w.outside(c)
	}
	if len(w.text) == maxLineBytes {
		return w.gaveUp(c, stepTooLong)
	}
	w.text = append(w.text, c)
	if w.quoted {
		switch {
		case c < ' ':
			return w.broken(c)
		case w.escaped:
			w.escaped = false
		case c == '\\':
			w.escaped = true
		case c == '"':
			w.quoted = false
		}
		return stepMore
	}
	return w.structure(c)
}

// structure is a byte of an element outside its strings.
func (w *walk) structure(c byte) pace {
	if blank(c) {
		return stepMore
	}
	object := w.stack[w.depth-1] == '{'
	if object && (w.before == '{' && c != '"' && c != '}' || w.before == ',' && c != '"') {
		return w.broken(c) // a member begins with its name
	}
	switch c {
	case '"':
		w.quoted = true
	case '{', '[':
		if w.depth == maxNesting || w.before != ':' && w.before != ',' && w.before != '[' {
			return w.broken(c)
		}
		w.stack[w.depth] = c
		w.depth++
	case '}', ']':
		if object != (c == '}') {
			return w.broken(c)
		}
		if w.depth--; w.depth == 0 {
			w.inside, w.lost, w.last = false, false, c
			return stepWhole
		}
	case ',', ':':
	default:
		if !literal(c) {
			return w.broken(c)
		}
	}
	w.before = c
	return stepMore
}

// outside is a byte between elements.
func (w *walk) outside(c byte) pace {
	begins := !w.lost || w.last == ',' || w.last == '[' || w.last == '\n'
	switch {
	case c == '{' && begins:
		w.enter()
		return stepMore
	case blank(c):
		if c == '\n' && w.lost {
			w.last = c
		}
		return stepMore
	case c == '[' && w.last == 0:
		w.opened = true
	case c == ']':
		w.closed = true
	case c == ',':
	case !w.lost:
		return w.broken(c)
	}
	w.last = c
	return stepMore
}

func (w *walk) broken(c byte) pace { return w.gaveUp(c, stepBroken) }

// gaveUp lets an element go. A stretch that is broken again and again is told once.
func (w *walk) gaveUp(c byte, why pace) pace {
	again := w.lost
	begins := c == '{' && (w.before == ',' || w.before == '[' || w.before == ']' || w.before == '}') && !w.quoted
	w.begin()
	w.lost, w.last = true, c
	if begins {
		w.enter()
	}
	if again {
		return stepMore
	}
	return why
}

// enter begins an element.
func (w *walk) enter() {
	w.inside, w.stack[0], w.depth, w.before = true, '{', 1, '{'
	w.text = append(w.text[:0], '{')
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// literal says whether a byte can be part of a number, or of true, false or null.
func literal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}
