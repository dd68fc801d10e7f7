package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A trace line is "PID syscall(...) = result", or two lines of one call that others interrupted.
var (
	traceLine = regexp.MustCompile(`^(\d+)\s+(.*)$`)
	syncCall  = regexp.MustCompile(`^(msync|fsync|fdatasync)\(`)
	resumed   = regexp.MustCompile(`^<\.\.\. (\w+) resumed>`)
	okFrame   = regexp.MustCompile(`\[\\"OK\\",\\"([0-9a-f]{64})\\",true`)
	eventID   = regexp.MustCompile(`\[\\"EVENT\\",.*?\\"id\\":\\"([0-9a-f]{64})\\"`)
)

// order is what the trace says about one event.
type order struct {
	read   bool // the EVENT was read from the socket
	synced bool // after that, a sync began and ended well
	oks    int
}

// readTrace goes through a trace of strace -f and fails at an OK that no sync preceded; it returns the count of OKs and of early ones.
func readTrace(t *testing.T, path string) (oks, early int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events := map[string]*order{}
	begun := map[string][]string{} // by process: the events that were read before its sync began
	ended := func(pid, rest string) {
		if strings.Contains(rest, ") = 0") || strings.HasSuffix(rest, "= 0") {
			for _, id := range begun[pid] {
				events[id].synced = true
			}
		}
		delete(begun, pid)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		m := traceLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		pid, call := m[1], m[2]
		switch {
		case syncCall.MatchString(call):
			begun[pid] = nil
			for id, o := range events {
				if o.read {
					begun[pid] = append(begun[pid], id)
				}
			}
			if !strings.Contains(call, "<unfinished") {
				ended(pid, call)
			}
		case resumed.MatchString(call) && strings.Contains(resumed.FindString(call), "sync"):
			ended(pid, call)
		default:
			for _, m := range eventID.FindAllStringSubmatch(call, -1) {
				if events[m[1]] == nil {
					events[m[1]] = &order{read: true}
				}
			}
			for _, m := range okFrame.FindAllStringSubmatch(call, -1) {
				oks++
				if o := events[m[1]]; o == nil || !o.synced {
					early++
				} else {
					o.oks++
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return oks, early
}

// traced runs a hub under strace, publishes the events one after the other, each after the OK of the one before, and returns the trace.
func traced(t *testing.T, events []string, env ...string) string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("strace is missing: %v", err)
	}
	path := filepath.Join(t.TempDir(), "trace")
	h := newHub(t, env...)
	h.wrap = []string{
		strace, "-f", "-s", "8192", "-o", path,
		"-e", "trace=msync,fsync,fdatasync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg",
	}
	h.start()
	c := dialRaw(t, h.addr)
	for _, e := range events {
		c.send(`["EVENT",` + e + `]`)
		var ok []any
		if err := json.Unmarshal(c.next(), &ok); err != nil || len(ok) != 4 || ok[0] != "OK" || ok[2] != true {
			t.Fatalf("answer %v (%v), want OK true", ok, err)
		}
	}
	h.stop()
	return path
}

// Under strace, each OK is written after a sync that began when its event was already read.
// The events come one by one, so no sync of an earlier group can stand in.
func TestSync_BeforeEachOK(t *testing.T) {
	var made struct{ Events []json.RawMessage }
	ask(t, &made, "events.mjs", "25")
	var events []string
	for _, e := range made.Events {
		events = append(events, string(e))
	}
	for name, tc := range map[string]struct {
		sync  string
		early int
	}{
		"batch syncs":            {"batch", 0},
		"none shows the test up": {"none", len(events)}, // without a sync this very test must see every OK as early
	} {
		t.Run(name, func(t *testing.T) {
			oks, early := readTrace(t, traced(t, events, "DVMRELAY_STORE_SYNC="+tc.sync))
			if oks != len(events) || early != tc.early {
				t.Errorf("%d OKs in the trace, %d before their sync; want %d, %d", oks, early, len(events), tc.early)
			}
		})
	}
}
