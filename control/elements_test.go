package control

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	if _, err := zw.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// taken is what reading gives: the events' ids or what cannot be parsed, faults in brackets.
func taken(t testing.TB, in io.Reader) (list []string, e *elements, err error) {
	t.Helper()
	e, err = openElements(in, "", 0)
	if err != nil {
		return nil, nil, err
	}
	for {
		text, fault, err := e.next()
		switch {
		case err != nil:
			return list, e, err
		case fault != "":
			list = append(list, "["+fault+"]")
		default:
			evt, _, err := parseEvent(text)
			if err != nil {
				list = append(list, "["+reasonLine+"]")
				continue
			}
			list = append(list, evt.ID)
		}
	}
}

func TestImport_DumpsOfADatabase(t *testing.T) {
	want, _, err := taken(t, bytes.NewReader(testdata(t, "dump-array.json")))
	if !errors.Is(err, io.EOF) || len(want) != 12 {
		t.Fatalf("array: %d events, %v, want 12", len(want), err)
	}
	var events []map[string]any
	if err := json.Unmarshal(testdata(t, "dump-array.json"), &events); err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e["id"] != want[i] {
			t.Fatalf("event %d is %s, want %v", i, want[i], e["id"])
		}
	}
	forms := map[string][]byte{}
	for _, name := range []string{"dump-array.json", "dump-canonical.json", "dump-pretty.json"} {
		b := testdata(t, name)
		forms[name], forms[name+", no newline at the end"] = b, bytes.TrimSpace(b)
		forms[name+", Windows"] = append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))...)
	}
	lines := bytes.Trim(testdata(t, "dump-array.json"), "[]\n")
	forms["lines with commas, no brackets"] = lines
	forms["brackets on lines of their own"] = slices.Concat([]byte("[\n"), lines, []byte("\n]\n"))
	forms["one line"] = bytes.ReplaceAll(testdata(t, "dump-array.json"), []byte(",\n"), []byte(" , "))
	for name, b := range forms {
		for kind, in := range map[string]io.Reader{"plain": bytes.NewReader(b), "gzip": bytes.NewReader(zipped(t, b)), "byte by byte": iotest.OneByteReader(bytes.NewReader(b))} {
			got, e, err := taken(t, in)
			if d := cmp.Diff(want, got); d != "" || !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: %v, -want +got\n%s", name, kind, err, d)
			}
			if at := int64(len(bytes.TrimRight(b, "\r\n]"))); e.read < at {
				t.Errorf("%s, %s: read %d bytes, want at least %d", name, kind, e.read, at)
			}
		}
	}
	local, s := open(t)
	for _, name := range []string{"dump-canonical.json", "dump-array.json"} {
		report, err := running(t, t.TempDir(), local).Import(context.Background(), bytes.NewReader(testdata(t, name)), nil)
		if err != nil || report.Read != 12 || report.RejectedTotal() != 0 {
			t.Errorf("%s: %+v, %v, want 12 read and none refused", name, report, err)
		}
	}
	if got := s.Stats().Facts; got != 12 {
		t.Errorf("%d facts, want 12", got)
	}
}

func TestImport_BrokenElementsOfAnArrayAreSkipped(t *testing.T) {
	all, _, _ := taken(t, bytes.NewReader(testdata(t, "dump-array.json")))
	texts := strings.Split(strings.Trim(string(testdata(t, "dump-array.json")), "[]\n"), ",\n")
	bad, long := "["+reasonLine+"]", "["+reasonTooLong+"]"
	a, b, c := texts[0], texts[1], texts[2]
	huge := `{"id":"` + strings.Repeat("x", maxLineBytes) + `"}`
	for name, tc := range map[string]struct {
		in   string
		want []string
		end  error
	}{
		"not an event":             {"[" + a + `,{"id":5},` + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"not an object":            {"[" + a + `,5,"x",null,` + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"no closing brace":         {"[" + a + ",\n" + strings.TrimSuffix(b, "}") + ",\n" + c + "]", []string{all[0], bad, all[2]}, io.EOF},
		"cut in a string":          {"[" + a + ",\n" + b[:80] + "\n," + c + "]", []string{all[0], bad, all[2]}, io.EOF},
		"cut, on one line":         {"[" + a + "," + b[:strings.Index(b, `"tags"`)] + c + "," + a + "]", []string{all[0], bad, all[2], all[0]}, io.EOF},
		"too long":                 {"[" + a + "," + huge + "," + b + "]", []string{all[0], long, all[1]}, io.EOF},
		"too deep":                 {"[" + a + `,{"tags":` + strings.Repeat("[", 240_000) + strings.Repeat("]", 240_000) + "}," + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"too deep, never closed":   {"[" + a + `,{"tags":` + strings.Repeat("[", 240_000) + "\n," + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"objects to the bottom":    {"[" + a + "," + strings.Repeat(`{"a":`, 240_000) + "\n," + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"a string that never ends": {"[" + a + `,{"id":"` + strings.Repeat("x", 3*maxLineBytes), []string{all[0], long}, io.ErrUnexpectedEOF},
		"garbage between":          {"[" + a + ",\x00\xff;;" + "," + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"wrong closer":             {"[" + a + `,{"tags":[}],` + b + "]", []string{all[0], bad, all[1]}, io.EOF},
		"cut off in an event":      {"[" + a + "," + b[:100], []string{all[0]}, io.ErrUnexpectedEOF},
		"cut off between events":   {"[" + a + "," + b + ",", []string{all[0], all[1]}, io.ErrUnexpectedEOF},
		"cut off before the end":   {"[" + a + "," + b, []string{all[0], all[1]}, io.ErrUnexpectedEOF},
		"empty":                    {"[]", nil, io.EOF},
		"nothing":                  {"", nil, io.EOF},
		"blanks":                   {" \n\t\n", nil, io.EOF},
		"comma at the end":         {"[" + a + "," + b + ",]", []string{all[0], all[1]}, io.EOF},
		"two arrays":               {"[" + a + "]\n[" + b + "]", nil, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := taken(t, strings.NewReader(tc.in))
			if tc.want == nil && name == "two arrays" {
				if !slices.Contains(got, all[0]) || !slices.Contains(got, all[1]) {
					t.Errorf("got %v, want both events", got)
				}
				return
			}
			if d := cmp.Diff(tc.want, got); d != "" || !errors.Is(err, tc.end) {
				t.Errorf("ends with %v, want %v; -want +got\n%s", err, tc.end, d)
			}
		})
	}
}

// endless gives an array that never ends.
type endless struct {
	element []byte
	at      int
	left    int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.element[e.at:])
	if e.at += n; e.at == len(e.element) {
		e.at = 0
		e.left--
	}
	return n, nil
}

func TestImport_MemoryDoesNotGrowWithAnArray(t *testing.T) {
	var events []json.RawMessage
	if err := json.Unmarshal(testdata(t, "dump-array.json"), &events); err != nil {
		t.Fatal(err)
	}
	in := &endless{element: append(slices.Clone(events[0]), ',', '\n'), left: 20_000} // about 8 MB
	e, err := openElements(io.MultiReader(strings.NewReader("["), in), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for ; ; n++ {
		if _, _, err := e.next(); err != nil {
			break
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; n != 20_000 || took > 1<<20 {
		t.Errorf("%d events took %d bytes, want 20000 and no more than 1 MiB", n, took)
	}
}

func FuzzElements(f *testing.F) {
	for _, name := range []string{"dump-array.json", "dump-canonical.json", "dump-pretty.json"} {
		f.Add(testdata(f, name)[:2000])
	}
	f.Add([]byte(`[{"a":[{`))
	f.Add([]byte("{\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := openElements(bytes.NewReader(b), "", 0)
		if err != nil {
			return
		}
		for n := 0; ; n++ {
			text, fault, err := e.next()
			if err != nil {
				break
			}
			if n > len(b) || (fault == "") != (len(text) > 0) || len(text) > maxLineBytes {
				t.Fatalf("element %d of %d bytes: %q, fault %q", n, len(b), text, fault)
			}
			if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) && e.read > int64(len(b)) {
				t.Fatalf("read %d of %d bytes", e.read, len(b))
			}
			if e.form != formLines && fault == "" && (text[0] != '{' || text[len(text)-1] != '}') {
				t.Fatalf("element %q", text)
			}
		}
	})
}
