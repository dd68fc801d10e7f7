package browser

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
)

// figures are what a page and its relay hold at a time, after both have collected their garbage.
type figures struct {
	at               time.Duration
	heap             int64 // bytes of the tab's scripts
	nodes, listeners int64
	server           int64 // bytes
	goroutines       int64
	jobs             int
}

func (f figures) String() string {
	return fmt.Sprintf("| %5.1f | %6d | %7.2f | %6d | %6d | %7.2f | %5d |",
		f.at.Minutes(), f.jobs, float64(f.heap)/1e6, f.nodes, f.listeners, float64(f.server)/1e6, f.goroutines)
}

const figuresHead = `| minute | jobs | tab heap, MB | nodes | listeners | server heap, MB | goroutines |
|---:|---:|---:|---:|---:|---:|---:|`

func (b *tab) figures(began time.Time, jobs int) figures {
	b.t.Helper()
	call(b, heapprofiler.CollectGarbage, cdp.Empty{})
	f := figures{at: time.Since(began), jobs: jobs}
	for _, m := range call(b, performance.GetMetrics, cdp.Empty{}).Metrics {
		switch m.Name {
		case "JSHeapUsedSize":
			f.heap = int64(m.Value)
		case "Nodes":
			f.nodes = int64(m.Value)
		case "JSEventListeners":
			f.listeners = int64(m.Value)
		}
	}
	f.server = b.hub.profiled("heap?gc=1&debug=1", "# HeapAlloc = ")
	f.goroutines = b.hub.profiled("goroutine?debug=1", "goroutine profile: total ")
	return f
}

// profiled is the number behind a prefix in one of the relay's own profiles.
func (h *hub) profiled(profile, prefix string) int64 {
	h.t.Helper()
	return h.measured("/debug/pprof/"+profile, prefix)
}

// measured is the number behind a prefix in what the relay tells its operator.
func (h *hub) measured(path, prefix string) int64 {
	h.t.Helper()
	resp, err := http.Get("http://" + h.ops + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			if err != nil {
				h.t.Fatalf("%s: %v", path, err)
			}
			return n
		}
		if err == io.EOF {
			h.t.Fatalf("%s has no line %q", path, prefix)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestLeak_PageLeftOpen leaves the overview open while jobs are published in a fast rhythm, for half a minute or as long
// as DVMRELAY_HOUR says; then it prints a row for each minute.
func TestLeak_PageLeftOpen(t *testing.T) {
	t.Parallel()
	long, every := 30*time.Second, 100*time.Millisecond
	if given := os.Getenv("DVMRELAY_HOUR"); given != "" {
		var err error
		if long, err = time.ParseDuration(given); err != nil {
			t.Fatalf("DVMRELAY_HOUR: %v", err)
		}
		every = time.Second
	}
	row := min(time.Minute, long/6)
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, writer := newPerson("alice"), newPerson("Summarizer")
	m.handler(writer, "Writes.", 50_000, 5050)
	b := newTab(t, h, device{width: 1440})
	call(b, performance.Enable, performance.EnableParams{})
	b.visit("/", http.StatusOK)

	began, rows := time.Now(), []figures{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	fmt.Println(figuresHead)
	for jobs := 0; time.Since(began) < long; jobs++ {
		job := m.now().request(alice, 5050+jobs%3, fmt.Sprintf("say it shorter, %d", jobs))
		m.feedback(writer, job, "processing", "reading")
		if jobs%4 != 0 {
			m.result(writer, job, "short")
		}
		if jobs%50 == 0 { // what is published is what is shown
			b.sees("the newest job", has(linkTo(selLive, jobPath(job.ID))))
		}
		<-tick.C
		if time.Since(began) >= row*time.Duration(len(rows)+1) {
			rows = append(rows, b.figures(began, jobs+1))
			fmt.Println(rows[len(rows)-1])
		}
	}
	for _, what := range grown(rows[len(rows)/3], rows[len(rows)-1]) {
		t.Error(what)
	}
	b.check("left open")
}

// grown is what there is clearly more of than there was.
func grown(then, now figures) []string {
	var out []string
	for _, f := range []struct {
		name             string
		then, now, slack int64
	}{
		{"bytes of the tab's heap", then.heap, now.heap, 2 << 20},
		{"nodes", then.nodes, now.nodes, 1000},
		{"listeners", then.listeners, now.listeners, 100},
		{"goroutines", then.goroutines, now.goroutines, 20},
	} {
		if f.now > f.then+f.then/4+f.slack {
			out = append(out, fmt.Sprintf("%s went from %d to %d in %s", f.name, f.then, f.now, now.at-then.at))
		}
	}
	return out
}

// TestHarness_SeesALeak: nodes that nobody sees any more, and listeners, count when something still holds them.
func TestHarness_SeesALeak(t *testing.T) {
	h := newHub(t, nil) // whose server is looked at
	page := faulty(t, `<script src="/script/window.leak=[]"></script>`)
	page.ops = h.ops
	b := newTab(t, page, device{width: 1440})
	call(b, performance.Enable, performance.EnableParams{})
	b.visit("/", http.StatusOK)
	began := time.Now()
	first := b.figures(began, 0)
	eval[bool](b, `(() => { for (let i = 0; i < 50000; i++) { const e = document.createElement("p"); e.onclick = () => i; e.textContent = "leaked " + i; window.leak.push(e); } return true; })()`)
	if got := grown(first, b.figures(began, 0)); len(got) != 3 {
		t.Errorf("grown: %q, want heap, nodes and listeners", got)
	}
	eval[bool](b, `(window.leak = [], true)`)
	if got := grown(first, b.figures(began, 0)); len(got) != 0 {
		t.Errorf("grown after all was let go: %q", got)
	}
}
