package browser

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// device is how a tab looks at the pages.
type device struct {
	width    int64
	dark     bool
	noScript bool
}

func (d device) height() int64 {
	switch {
	case d.width < 640:
		return 740
	case d.width < 1024:
		return 1024
	}
	return 900
}

func (d device) String() string {
	scheme, script := "light", "script"
	if d.dark {
		scheme = "dark"
	}
	if d.noScript {
		script = "noscript"
	}
	return fmt.Sprintf("%d-%s-%s", d.width, scheme, script)
}

// tab is a page of the browser with cookies and storage of its own. One goroutine uses it.
type tab struct {
	t   *testing.T
	hub *hub
	ctx context.Context
	see device
	*faults
	forgiven bool // faults that nobody took are no failure
}

// newTab opens a tab that ends with the test, in a window of its own, so that somebody always sees it. Whatever goes wrong in it
// that no test asked for fails the test.
func newTab(t *testing.T, h *hub, d device) *tab {
	t.Helper()
	b := openTab(browserCtx, t, h, d, chromedp.WithNewBrowserContext())
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return b
}

// openTab opens a tab of the browser, or of the profile of another tab.
func openTab(beside context.Context, t *testing.T, h *hub, d device, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(beside, options...)
	b := &tab{t: t, hub: h, ctx: ctx, faults: newFaults(h.addr)}
	t.Cleanup(func() {
		if !b.forgiven {
			b.check("at the end")
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil { // opens it, without a deadline: it would end the tab
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("listen to a tab: %v", err)
	}
	b.faults.dismiss = func() { // an open dialog would stop everything
		_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) // the tab may be gone
	}
	call(b, audits.Enable, cdp.Empty{})
	call(b, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	b.before(canary)
	b.as(d)
	return b
}

// canary makes everything that script of a stranger would do visible as a fault.
const canary = `window.pwned = undefined;
document.addEventListener("securitypolicyviolation", e => console.error("violation: " + e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber + " " + e.sample));`

// within gives a context for one act.
func (b *tab) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

// call sends a command of the protocol.
func call[P, R any](b *tab, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	r, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		b.t.Fatalf("%s: %v", cmd.Method, err)
	}
	return r
}

// before runs source at the beginning of every page to come.
func (b *tab) before(source string) {
	b.t.Helper()
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
}

// as makes the tab another device. Light and width turn at once, scripts from the next visit on.
func (b *tab) as(d device) {
	b.t.Helper()
	scheme := "light"
	if d.dark {
		scheme = "dark"
	}
	if b.see.width != d.width {
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: d.width, Height: d.height(), DeviceScaleFactor: 1, Mobile: d.width < 640,
		})
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: d.noScript})
	b.see = d
}

// visit opens a page of the hub, waits until it is loaded and drawn, and wants that status.
func (b *tab) visit(path string, status int) {
	b.t.Helper()
	b.expect(b.hub.url(path), status)
	ctx, cancel := b.within()
	defer cancel()
	resp, err := chromedp.Run(ctx, chromedp.NavigateResponse(b.hub.url(path)))
	if err != nil {
		b.t.Fatalf("visit %s: %v", path, err)
	}
	if int(resp.Status) != status {
		b.t.Errorf("visit %s: status %d, want %d", path, resp.Status, status)
	}
	b.drawn()
}

// drawn waits until the page has been drawn as it is now.
func (b *tab) drawn() {
	b.t.Helper()
	if b.see.noScript {
		return // no frame callbacks; nothing changes after the load either
	}
	eval[bool](b, `document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true)))))`)
}

// eval is the value of an expression, or of the promise that it gives.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %.200s: %v", expression, err)
	}
	return v
}

// sees waits until an expression is true; the page may be replaced by another meanwhile.
func (b *tab) sees(what, expression string) {
	b.t.Helper()
	b.seesWithin(patience, what, expression)
}

func (b *tab) seesWithin(most time.Duration, what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			where, _ := chromedp.Run(b.ctx, chromedp.Location()) // only for the message
			b.t.Fatalf("%s: not seen within %s at %s (%v): %s", what, most, where, err, expression)
		}
	}
}

// stay remembers the document that is shown; stayed wants it shown still, never loaded anew.
func (b *tab) stay() (stayed func(when string)) {
	b.t.Helper()
	eval[bool](b, "window.stayed = true")
	loads := b.shown()
	return func(when string) {
		b.t.Helper()
		if !eval[bool](b, "window.stayed === true") || b.shown() != loads {
			b.t.Errorf("%s: the page was loaded anew", when)
		}
	}
}

// has says that an element is there.
func has(selector string) string { return fmt.Sprintf("document.querySelector(%q)", selector) }

// press sends keys as from the keyboard.
func (b *tab) press(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys, options...)); err != nil {
		b.t.Fatalf("press %q: %v", keys, err)
	}
}

// click clicks the first element of a selector, which must be visible.
func (b *tab) click(selector string) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)); err != nil {
		b.t.Fatalf("click %s: %v", selector, err)
	}
}

// source is the document as the hub sent it.
func (b *tab) source() string {
	b.t.Helper()
	id, ok := b.documentRequest()
	if !ok {
		b.t.Fatal("no document was requested")
	}
	return string(call(b, network.GetResponseBody, network.GetResponseBodyParams{RequestID: id}).Body)
}

// tallest is how much of a page a picture shows; more takes seconds.
const tallest = 4000

// picture is the page as PNG, from the top.
func (b *tab) picture() []byte {
	b.t.Helper()
	beyond, fast := true, true
	height := min(eval[float64](b, "document.documentElement.scrollHeight"), tallest)
	return call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond,
		OptimizeForSpeed:      &fast,
		Clip:                  &page.Viewport{Width: float64(b.see.width), Height: max(height, float64(b.see.height())), Scale: 1},
	}).Data
}
