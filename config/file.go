package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dvmrelay/policies"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSyntaxFaults is how many lines that are no TOML are looked past in search of more faults.
const maxSyntaxFaults = 20

// reading is one file on its way into a configuration.
type reading struct {
	path    string
	entries []entry
	places  map[string]place // where each key was set
	faults  []Fault
}

// read lays the file over the configuration.
func (r *reading) read(data []byte) {
	data = r.skipBroken(data)
	var p unstable.Parser
	p.Reset(data)
	var table []string
	skipping := false
	for p.NextExpression() {
		expr := p.Expression()
		switch expr.Kind {
		case unstable.Table:
			parts, at := r.keyOf(&p, expr)
			table, skipping = parts, !r.isSection(parts, at)
		case unstable.ArrayTable:
			parts, at := r.keyOf(&p, expr)
			r.faults = append(r.faults, at.fault("", "[[%s]] is a list of tables, write [%s]", dotted(parts), dotted(parts)))
			skipping = true
		case unstable.KeyValue:
			if skipping {
				continue
			}
			parts, at := r.keyOf(&p, expr)
			r.assign(&p, append(table[:len(table):len(table)], parts...), expr.Value(), at)
		}
	}
}

// skipBroken finds every line that is no TOML and returns the document without them. It stops at the first that cannot
// be left out alone: what follows would only be guessed at.
func (r *reading) skipBroken(data []byte) []byte {
	for range maxSyntaxFaults {
		var all map[string]any
		err := toml.Unmarshal(data, &all)
		var broken *toml.DecodeError
		if !errors.As(err, &broken) {
			if err != nil {
				r.faults = append(r.faults, place{source: r.path}.fault("", "%s", tomlText(err)))
				return nil
			}
			return data
		}
		line, column := broken.Position()
		r.faults = append(r.faults, place{r.path, line, column}.fault("", "%s", tomlText(broken)))
		if data = withoutLine(data, line); data == nil {
			return nil
		}
	}
	return nil
}

func tomlText(err error) string { return strings.TrimPrefix(err.Error(), "toml: ") }

// brokenTable begins the name that a table gets whose header is no TOML: its keys are not judged.
const brokenTable = "header is broken, line "

// withoutLine takes one line out of a document, so that the others keep their numbers; nil when it cannot be left out
// alone, because the value it belongs to may go on.
func withoutLine(data []byte, line int) []byte {
	lines := bytes.Split(data, []byte("\n"))
	if line < 1 || line > len(lines) {
		return nil
	}
	text := string(bytes.TrimSpace(lines[line-1]))
	switch {
	case text == "", strings.HasPrefix(text, "#"), strings.Contains(text, `"""`), strings.Contains(text, "'''"):
		return nil
	case strings.HasPrefix(text, "[") && isSyntax([]byte(text)) && !isSyntax(data):
		return nil // a sound header in the wrong place: a value before it has no end
	case strings.HasPrefix(text, "[") && !strings.ContainsAny(text, "=,"):
		lines[line-1] = fmt.Appendf(nil, "[%q]", brokenTable+strconv.Itoa(line))
	case strings.Count(text, "[") != strings.Count(text, "]"):
		return nil
	default:
		lines[line-1] = nil
	}
	return bytes.Join(lines, []byte("\n"))
}

// isSyntax says whether text is TOML, tables and keys named twice aside.
func isSyntax(text []byte) bool {
	var p unstable.Parser
	p.Reset(text)
	for p.NextExpression() {
	}
	return p.Error() == nil
}

// keyOf is the key of a table or a value, part by part, and where it stands.
func (r *reading) keyOf(p *unstable.Parser, expr *unstable.Node) ([]string, place) {
	var parts []string
	at := place{source: r.path}
	for it := expr.Key(); it.Next(); {
		node := it.Node()
		if at.line == 0 {
			at = r.at(p, node, at)
		}
		parts = append(parts, string(node.Data))
	}
	return parts, at
}

// at is where a node stands; otherwise when that is not told.
func (r *reading) at(p *unstable.Parser, node *unstable.Node, otherwise place) place {
	if node.Raw.Length == 0 {
		return otherwise
	}
	start := p.Shape(node.Raw).Start
	return place{r.path, start.Line, start.Column}
}

// isSection says whether a table is a section, and notes the fault when it is none.
func (r *reading) isSection(parts []string, at place) bool {
	names := sectionNames(r.entries)
	if len(parts) == 1 && strings.HasPrefix(parts[0], brokenTable) {
		return false
	}
	if len(parts) == 1 {
		for _, n := range names {
			if n == parts[0] {
				return true
			}
		}
	}
	r.faults = append(r.faults, at.fault("", "unknown section %q, did you mean %q", dotted(parts), policies.Nearest(dotted(parts), names)))
	return false
}

// assign puts one value of the file into its field.
func (r *reading) assign(p *unstable.Parser, parts []string, node *unstable.Node, at place) {
	if node.Kind == unstable.InlineTable && len(parts) == 1 {
		if !r.isSection(parts, at) {
			return
		}
		for it := node.Children(); it.Next(); {
			inner, place := r.keyOf(p, it.Node())
			r.assign(p, append(parts[:len(parts):len(parts)], inner...), it.Node().Value(), place)
		}
		return
	}
	key := dotted(parts)
	e, ok := lookup(r.entries, key)
	if !ok {
		r.faults = append(r.faults, at.fault("", "unknown key %q, did you mean %q", key, nearestKey(r.entries, key)))
		return
	}
	r.places[key] = at
	r.faults = append(r.faults, setFaults(e, r.literal(p, node, at), at)...)
}

// literal is a node without its parser.
func (r *reading) literal(p *unstable.Parser, node *unstable.Node, at place) literal {
	l := literal{text: string(node.Data), place: r.at(p, node, at)}
	switch node.Kind {
	case unstable.String:
		l.shape = isText
	case unstable.Integer:
		l.shape = isWhole
	case unstable.Bool:
		l.shape = isBool
	case unstable.Array:
		l.shape = isList
		for it := node.Children(); it.Next(); {
			l.list = append(l.list, r.literal(p, it.Node(), at))
		}
	default:
		l.shape = isOther
		l.what = map[unstable.Kind]string{unstable.Float: "a fraction", unstable.InlineTable: "a table"}[node.Kind]
		if l.what == "" {
			l.what = "a date"
		}
	}
	return l
}

func dotted(parts []string) string { return strings.Join(parts, ".") }

// setFaults sets a field; each fault stands where its element stands.
func setFaults(e entry, l literal, at place) []Fault {
	err := set(e.value, l)
	if err == nil {
		return nil
	}
	var faults []Fault
	for _, err := range flatten(err) {
		where := at
		var item itemFault
		if errors.As(err, &item) && item.place.line > 0 {
			where = item.place
		}
		faults = append(faults, where.fault(e.key, "%s", err))
	}
	return faults
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}
