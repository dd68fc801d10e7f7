package nip90

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

var update = flag.Bool("update", false, "rewrite the golden files, keeping their comments")

// readEvents reads a file of one event per line; foreign fields are ignored.
func readEvents(t testing.TB, path string) []*nostr.Event {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	defer file.Close()
	var events []*nostr.Event
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var raw struct {
			ID        string          `json:"id"`
			PubKey    string          `json:"pubkey"`
			CreatedAt nostr.Timestamp `json:"created_at"`
			Kind      int             `json:"kind"`
			Tags      nostr.Tags      `json:"tags"`
			Content   string          `json:"content"`
			Sig       string          `json:"sig"`
		}
		if err := json.Unmarshal(lines.Bytes(), &raw); err != nil {
			t.Fatalf("read event of %s: %v", path, err)
		}
		events = append(events, &nostr.Event{
			ID: raw.ID, PubKey: raw.PubKey, CreatedAt: raw.CreatedAt, Kind: raw.Kind, Tags: raw.Tags, Content: raw.Content, Sig: raw.Sig,
		})
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return events
}

// mustParse parses an event that a test made.
func mustParse(t testing.TB, evt *nostr.Event) Message {
	t.Helper()
	msg, err := Parse(evt)
	if err != nil {
		t.Fatalf("parse %s: %v", evt.ID, err)
	}
	return msg
}

func codes(findings []Finding) string {
	if len(findings) == 0 {
		return "-"
	}
	words := make([]string, len(findings))
	for i, f := range findings {
		words[i] = f.Code
	}
	return strings.Join(words, ",")
}

// describe is an event's classification on one line.
func describe(evt *nostr.Event, msg Message) string {
	var b strings.Builder
	name := strings.TrimPrefix(fmt.Sprintf("%T", msg), "*nip90.")
	fmt.Fprintf(&b, "%.8s %d %s/%s", evt.ID, evt.Kind, name, msg.Role())
	switch m := msg.(type) {
	case *Request:
		fmt.Fprintf(&b, " in=%s params=%s out=%s bid=%s to=%d relays=%d chained=%d enc=%s", describeInputs(m.Inputs), describeParams(m.Params),
			dash(m.Output), describeBid(m), len(m.Providers), len(m.Relays), len(m.Chained), describeSeal(m.Encrypted))
	case *Result:
		fmt.Fprintf(&b, " links=%s customer=%s status=%s ask=%s in=%s enc=%s", describeLinks(evt, m.Links), short(m.Customer),
			m.Status, describeAsk(m.Ask), describeInputs(m.Inputs), describeSeal(m.Encrypted))
	case *Feedback:
		fmt.Fprintf(&b, " links=%s customer=%s status=%s ask=%s enc=%s", describeLinks(evt, m.Links), short(m.Customer),
			m.Status, describeAsk(m.Ask), describeSeal(m.Encrypted))
	case *Handler:
		fmt.Fprintf(&b, " d=%s kinds=%v name=%q price=%d:%d params=%t", m.D, m.Kinds, m.Name, m.Price.Kind, m.Price.Msat, m.Params != nil)
	case *Recommendation:
		fmt.Fprintf(&b, " for=%d handlers=%d", m.Kind, len(m.Handlers))
	case *Zap:
		fmt.Fprintf(&b, " links=%s to=%s from=%s msat=%d", describeLinks(evt, m.Links), short(m.Recipient), short(m.Sender), m.Msat)
	case *Nutzap:
		fmt.Fprintf(&b, " links=%s to=%s msat=%d proofs=%d", describeLinks(evt, m.Links), short(m.Recipient), m.Msat, len(m.Proofs))
	}
	if at := Expiration(evt); at != 0 {
		fmt.Fprintf(&b, " life=%d", at-int64(evt.CreatedAt))
	}
	fmt.Fprintf(&b, " odd=%s", codes(msg.Findings()))
	if more := Lint(evt)[len(msg.Findings()):]; len(more) > 0 {
		fmt.Fprintf(&b, " lint=%s", codes(more))
	}
	return b.String()
}

func short(pk PubKey) string {
	if pk.IsZero() {
		return "-"
	}
	return pk.String()[:8]
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func describeBid(m *Request) string {
	if !m.BidSet {
		return "-"
	}
	return fmt.Sprint(int64(m.Bid))
}

func describeSeal(e Encryption) string {
	return [...]string{"no", "nip04", "nip44", "unknown"}[e]
}

func describeInputs(inputs []Input) string {
	words := make([]string, len(inputs))
	for i, in := range inputs {
		words[i] = dash(in.Type)
		if in.Marker != "" {
			words[i] += ":" + in.Marker
		}
	}
	return "[" + strings.Join(words, ",") + "]"
}

func describeParams(params []Param) string {
	words := make([]string, len(params))
	for i, p := range params {
		words[i] = p.Name
	}
	return "[" + strings.Join(words, ",") + "]"
}

// describeLinks tells each link and how it was found: e for a tag (with its marker), request for a quote, ! for a
// quote that proves itself.
func describeLinks(evt *nostr.Event, links []Link) string {
	words := make([]string, len(links))
	for i, l := range links {
		how := "request"
		for _, tag := range evt.Tags {
			if len(tag) > 1 && tag[0] == "e" && tag[1] == l.ID.String() {
				how = "e"
			}
		}
		if l.Marker != "" {
			how += ":" + l.Marker
		}
		if l.Trusted {
			how += "!"
		}
		words[i] = l.ID.String()[:8] + "(" + how + ")"
	}
	return "[" + strings.Join(words, ",") + "]"
}

func describeAsk(a Ask) string {
	if !a.Set {
		return "-"
	}
	s := fmt.Sprint(int64(a.Msat))
	if a.Method != "" {
		s += ":" + a.Method
	}
	if a.Invoice != nil {
		s += fmt.Sprintf("(%d)", a.Invoice.Msat)
	}
	return s
}

// golden compares lines with a file. When commented, each line must end in a comment that says why it is right.
func golden(t *testing.T, path string, got []string, commented bool) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatalf("read %s: %v", path, err)
	}
	var want []string
	comments := map[string]string{}
	var header []string
	for line := range strings.Lines(string(old)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") || line == "" {
			header = append(header, line)
			continue
		}
		text, comment, _ := strings.Cut(line, " #")
		want = append(want, text)
		comments[strings.Fields(text)[0]] = strings.TrimSpace(comment)
		if commented && strings.TrimSpace(comment) == "" && !*update {
			t.Errorf("%s: no comment says why this is right: %s", path, text)
		}
	}
	if *update {
		writeGolden(t, path, header, got, comments)
		return
	}
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("%s line %d\n got %s\nwant %s", path, i+1, g, w)
		}
	}
}

func writeGolden(t *testing.T, path string, header, got []string, comments map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, line := range header {
		b.WriteString(line + "\n")
	}
	for _, line := range got {
		if comment := comments[strings.Fields(line)[0]]; comment != "" {
			line += " # " + comment
		}
		b.WriteString(line + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

func TestParse_RealEventsClassifyAsReviewed(t *testing.T) {
	events := readEvents(t, "testdata/real-events.jsonl")
	if len(events) != 176 {
		t.Fatalf("got %d events, want 176", len(events))
	}
	lines := make([]string, len(events))
	for i, evt := range events {
		lines[i] = describe(evt, mustParse(t, evt))
	}
	golden(t, "testdata/real-events.golden", lines, true)
}

func TestParse_RealZapsHaveAmounts(t *testing.T) {
	events := readEvents(t, "testdata/real-zaps.jsonl")
	lines := make([]string, len(events))
	zaps, nutzaps := 0, 0
	for i, evt := range events {
		msg := mustParse(t, evt)
		switch m := msg.(type) {
		case *Zap:
			zaps++
			if m.Msat <= 0 || m.Invoice == nil || m.Recipient.IsZero() {
				t.Errorf("zap %s: got msat %d, invoice %v, recipient %s; want all three", evt.ID, m.Msat, m.Invoice, m.Recipient)
			}
		case *Nutzap:
			nutzaps++
		default:
			t.Errorf("event %s of kind %d parsed to %T", evt.ID, evt.Kind, msg)
		}
		lines[i] = describe(evt, msg)
	}
	if zaps != 161 || nutzaps != 12 {
		t.Errorf("got %d zaps and %d nutzaps, want 161 and 12", zaps, nutzaps)
	}
	golden(t, "testdata/real-zaps.golden", lines, false)
}

func TestParse_ForeignFieldsChangeNothing(t *testing.T) {
	plain := map[string]string{}
	for _, evt := range readEvents(t, "testdata/real-events.jsonl") {
		plain[evt.ID] = describe(evt, mustParse(t, evt))
	}
	events := readEvents(t, "testdata/real-events-extra-fields.jsonl")
	if len(events) != 104 {
		t.Fatalf("got %d events, want 104", len(events))
	}
	for _, evt := range events {
		got := describe(evt, mustParse(t, evt))
		if want, ok := plain[evt.ID]; !ok || got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestParse_BadEventsAreReadAllTheSame(t *testing.T) {
	b, err := os.ReadFile("testdata/real-events-bad.jsonl")
	if err != nil {
		t.Fatalf("read bad events: %v", err)
	}
	read := 0
	for line := range strings.Lines(string(b)) {
		var bad struct{ Event *nostr.Event }
		if json.Unmarshal([]byte(line), &bad) != nil || bad.Event == nil {
			continue // one of them is no event at all
		}
		read++
		msg := mustParse(t, bad.Event)
		want := RoleNone
		switch k := bad.Event.Kind; {
		case IsRequest(k):
			want = RoleRequest
		case IsResult(k):
			want = RoleResult
		case IsFeedback(k):
			want = RoleFeedback
		}
		if msg.Role() != want {
			t.Errorf("event %s of kind %d: got role %s, want %s", bad.Event.ID, bad.Event.Kind, msg.Role(), want)
		}
	}
	if read != 10 {
		t.Errorf("read %d of the bad events, want 10 of 11", read)
	}
}
