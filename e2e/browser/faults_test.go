package browser

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// faults hears what happens in a tab and keeps what must not: errors on the console, exceptions, violations of the
// Content-Security-Policy, dialogs, failed requests, requests to another host. It is safe for concurrent use.
type faults struct {
	host    string
	dismiss func() // closes a dialog

	mu       sync.Mutex // guards below
	found    []string
	document string // the page that is expected, and its status
	status   int
	loads    int // documents of the main frame that were shown
	requests map[network.RequestID]*request
}

// request is what a page asked for.
type request struct {
	url   string
	kind  network.ResourceType
	bytes int64 // of the decoded body
}

func newFaults(host string) *faults {
	return &faults{host: host, requests: make(map[network.RequestID]*request)}
}

// expect forgets the requests so far; the next document may have that status.
func (f *faults) expect(document string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.document, f.status = document, status
	clear(f.requests)
}

// hear takes an event of the tab. It must not call the tab.
func (f *faults) hear(event any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		f.requests[e.RequestID] = &request{url: e.Request.URL, kind: e.Type}
		f.foreign(e.Request.URL)
	case *network.EventWebSocketCreated:
		f.foreign(e.URL)
	case *network.EventDataReceived:
		if r := f.requests[e.RequestID]; r != nil {
			r.bytes += e.DataLength
		}
	case *network.EventResponseReceived:
		if s := int(e.Response.Status); s >= 400 && !f.expected(e.Response.URL, s) {
			f.add("status %d of %s", s, e.Response.URL)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" { // what the next visit ended
			f.add("request failed: %s %s %s", e.ErrorText, e.BlockedReason, f.urlOf(e.RequestID))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !(e.Entry.Source == log.EntrySourceNetwork && f.expected(e.Entry.URL, f.status)) {
			f.add("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if t := e.Type; t == runtime.ConsoleAPICalledTypeError || t == runtime.ConsoleAPICalledTypeWarning || t == runtime.ConsoleAPICalledTypeAssert {
			f.add("console %s: %s", t, words(e.Args))
		}
	case *runtime.EventExceptionThrown:
		thrown := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			thrown += " " + x.Description
		}
		f.add("exception: %s %s:%d", thrown, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber)
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue {
			d := e.Issue.Details.ContentSecurityPolicyIssueDetails
			f.add("violation of %s: %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *page.EventJavascriptDialogOpening:
		f.add("%s dialog: %s", e.Type, e.Message)
		go f.dismiss() // its answer comes by the goroutine that is here now; it ends with the tab at the latest
	case *page.EventFrameNavigated:
		if e.Frame.ParentID == "" {
			f.loads++
		}
	}
}

func (f *faults) expected(address string, status int) bool {
	return address == f.document && status == f.status
}

func (f *faults) urlOf(id network.RequestID) string {
	if r := f.requests[id]; r != nil {
		return r.url
	}
	return string(id)
}

func (f *faults) add(format string, args ...any) {
	f.found = append(f.found, fmt.Sprintf(format, args...))
}

// foreign notes an address that is not the hub's. What is inside the page itself asks nobody.
func (f *faults) foreign(address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		f.add("request to an unreadable address: %.200s", address)
	case u.Scheme == "data" || u.Scheme == "blob" || u.Scheme == "about":
	case u.Host != f.host:
		f.add("request to another host: %.200s", address)
	}
}

func words(args []*runtime.RemoteObject) string {
	var texts []string
	for _, a := range args {
		texts = append(texts, orElse(string(a.Value), a.Description))
	}
	return strings.Join(texts, " ")
}

// take returns the faults so far and forgets them.
func (f *faults) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.found
	f.found = nil
	return found
}

// check fails the test for each fault so far. The tab is asked something first, so that what happened before has been told.
func (b *tab) check(when string) {
	b.t.Helper()
	if b.ctx.Err() == nil {
		eval[bool](b, "true")
	}
	for _, fault := range b.take() {
		b.t.Errorf("%s: %s", when, fault)
	}
}

// weights are the bytes of the document, and of its scripts and styles without the library for charts.
func (f *faults) weights() (html, rest int64, what []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range slices.SortedFunc(maps.Values(f.requests), func(a, b *request) int { return strings.Compare(a.url, b.url) }) {
		switch {
		case r.kind == network.ResourceTypeDocument:
			html += r.bytes
		case (r.kind == network.ResourceTypeScript || r.kind == network.ResourceTypeStylesheet) && !strings.Contains(strings.ToLower(r.url), chartLibrary):
			rest += r.bytes
			what = append(what, fmt.Sprintf("%s %d", r.url, r.bytes))
		}
	}
	return html, rest, what
}

// documentRequest is the request of the page that was visited last.
func (f *faults) documentRequest() (network.RequestID, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, r := range f.requests {
		if r.kind == network.ResourceTypeDocument && r.url == f.document {
			return id, true
		}
	}
	return "", false
}

// shown counts the documents that the tab has shown.
func (f *faults) shown() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loads
}
