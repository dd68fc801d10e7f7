package browser

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// planted is an element that only a stranger can have brought into a page.
const planted = `<b data-planted>planted</b>`

// hostile are texts that try to be more than text. Each sets window.pwned, opens a dialog, plants an element or asks another host
// if it gets its way, or is wider than any screen.
func hostile() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"script", `<script>window.pwned="script"</script>` + planted},
		{"end of a script", `</script><script>window.pwned="end"</script>` + planted},
		{"end of a title", `</title></textarea></style></template></noscript>` + planted + `<script>window.pwned="title"</script>`},
		{"end of a comment", `--> <!-- ]]> ` + planted},
		{"handler", `<img src=x onerror="window.pwned='handler';alert(1)">` + planted},
		{"attribute", `" autofocus onfocus="window.pwned='attribute'" data-planted="`},
		{"single quote", `' autofocus onfocus='window.pwned=1' data-planted='`},
		{"no quote", ` onmouseover=window.pwned=1 data-planted`},
		{"picture", `<svg/onload="window.pwned='svg'"><image href="http://127.0.0.2:9/p.svg" data-planted></svg>`},
		{"style", `</style><style data-planted>body{display:none}@import "http://127.0.0.2:9/p.css";</style>`},
		{"frame", `<iframe data-planted srcdoc="<script>parent.pwned=1</script>"></iframe><object data-planted data="http://127.0.0.2:9/"></object>`},
		{"base", `<base href="http://127.0.0.2:9/" data-planted><meta http-equiv="refresh" content="0;url=http://127.0.0.2:9/" data-planted>`},
		{"form", `<form action="http://127.0.0.2:9/" data-planted><button>Pay</button></form>`},
		{"link", `<a href="javascript:window.pwned='link'" data-planted>you won</a> javascript:window.pwned=1`},
		{"htmx", `<div hx-get="http://127.0.0.2:9/" hx-trigger="load" data-planted hx-on:load="window.pwned=1"></div>`},
		{"template", `{{.}}{{define "x"}}{{template "x"}} ${window.pwned=1} <%= 1 %> #{1}`},
		{"JSON", `","pwned":true,"x":"\u003c/script\u003e` + "\u2028\u2029"},
		{"stream", "data\n\nevent: live\ndata: " + planted + "\n\n"},
		{"right to left", "\u202e\u2066gpj.lufmrah\u2069 \u200f\u061c npub1\u202dfake\u202c"},
		{"zalgo", "Z" + strings.Repeat("\u0310\u0335\u0356", 200) + "algo" + strings.Repeat("\u0489", 300)},
		{"signs that join", strings.Repeat("\U0001f469\u200d", 400) + strings.Repeat("क्", 400)},
		{"half syllables", strings.Repeat("\u1100", 400) + "\u1161\u11a8" + strings.Repeat("\U000e0061", 300)},
		{"without a space", strings.Repeat("W", 100_000)},
		{"wide signs", strings.Repeat("﷽", 400)},
		{"lines", strings.Repeat("\n", 500) + "below" + strings.Repeat("\t", 200)},
		{"terminal", "\x1b[2J\x1b]0;pwned\x07\x1b[31mred\x00\x08\x7f"},
		{"formula", `=HYPERLINK("http://127.0.0.2:9/","x")`},
		{"formula by a command", `@SUM(1+1)*cmd|' /C calc'!A0`},
		{"formula by a sign", `+1-1;-2+3`},
		{"nothing", ""},
		{"white space", "\u00a0\u200b\u2003\u3164"},
		{"noncharacters", "\ufffe\uffff\ufeff\U0001f469\u200d\U0001f469\u200d\U0001f467"},
		{"an npub that is not its own", newPerson("alice").npub()},
	}
}

// links are addresses that try to be more than a picture or a page.
func hostileLinks() []string {
	return []string{
		"javascript:window.pwned=1", "JaVaScRiPt:window.pwned=1", "\x01javascript:window.pwned=1", "java\nscript:window.pwned=1", "vbscript:x",
		"data:text/html,<script>parent.pwned=1</script>", "data:image/svg+xml,<svg onload='window.pwned=1' xmlns='http://www.w3.org/2000/svg'/>",
		"http://127.0.0.2:9/track.png", "//127.0.0.2:9/track.png", `https://x.example/"onerror="window.pwned=1`, "file:///etc/passwd", "/theme?to=dark&back=//127.0.0.2:9/", "\\\\127.0.0.2\\x",
	}
}

// besieged publishes all of that wherever a stranger may write; it returns the jobs and who answered them.
func besieged(t *testing.T, h *hub) (jobs []nostr.Event, who []person) {
	t.Helper()
	m := openMarket(t, h)
	links := hostileLinks()
	for i, evil := range hostile() {
		m.now()
		provider, customer := newPerson("evil provider "+evil.name), newPerson("evil customer "+evil.name)
		link, kind := links[i%len(links)], 5000+i%2*100
		short := strings.ToValidUTF8(evil.text[:min(len(evil.text), 2000)], "") // the long one stands in few places: pages are bounded, sockets too
		card := map[string]any{
			"name": evil.text, "display_name": short, "about": evil.text, "picture": link, "image": link, "banner": link, "website": link, "lud16": short, "nip05": short, "amount": short,
			"encryptionSupported": short, "nip90Params": map[string]any{short: map[string]any{"required": true, "values": []string{short}}},
		}
		m.put(provider, 31990, text(t, card), tag("d", short), tag("k", strconv.Itoa(kind)), tag("t", short), tag("web", link, short), tag("r", link))
		job := m.put(customer, kind, short, tag("i", evil.text, "text", link, short), tag("i", link, "url"), tag("param", short, short), tag("output", short), tag("bid", "1000"),
			tag("relays", link, "wss://"+short), tag("t", short), tag("subject", short))
		for _, p := range []person{provider, customer} {
			m.put(p, 0, text(t, card))
		}
		m.put(provider, 7000, short, tag("status", "processing", evil.text), tag("e", job.ID, link), tag("p", job.PubKey))
		m.put(provider, 7000, "", tag("status", short, short), tag("e", job.ID), tag("p", job.PubKey), tag("amount", short, short))
		m.put(provider, 7000, "", tag("status", "payment-required", short), tag("e", job.ID), tag("p", job.PubKey), tag("amount", "1000", m.invoice(1000, short)))
		m.put(provider, kind+1000, evil.text, tag("request", text(t, job)), tag("e", job.ID), tag("p", job.PubKey), tag("i", short, "text"), tag("amount", "1000"), tag("alt", short), tag("content-type", short))
		jobs, who = append(jobs, job), append(who, provider)
	}
	return jobs, who
}

// gains are what a stranger got of a page.
type gains struct {
	Pwned                            string
	Planted, Links, Handlers, Turned []string
}

// tamed says what a stranger got of the page that is shown.
const tamed = `({
	Pwned: window.pwned === undefined ? "" : String(window.pwned),
	Planted: [...document.querySelectorAll("[data-planted], iframe, object, embed, base, meta[http-equiv]")].map(e => e.outerHTML.slice(0, 80)),
	Links: [...document.querySelectorAll("[href], [src], [action], [formaction]")].flatMap(e => ["href", "src", "action", "formaction"].map(a => e.getAttribute(a))).filter(a => a !== null && /^[\s\x00-\x20]*(javascript|data|vbscript|file):/i.test(a)),
	Handlers: [...document.querySelectorAll("main *")].flatMap(e => [...e.attributes]).filter(a => /^on/i.test(a.name)).map(a => a.name),
	Turned: (() => {
		const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n = walk.nextNode(); n; n = walk.nextNode()) {
			if (!/[\u202a-\u202e\u2066-\u2069]/.test(n.data)) continue;
			let e = n.parentElement;
			while (e && !/isolate|plaintext/.test(getComputedStyle(e).unicodeBidi) && !/^(pre|textarea)$/i.test(e.tagName)) e = e.parentElement;
			if (!e || e === document.body || e === document.documentElement) out.push(n.parentElement.outerHTML.slice(0, 120));
		}
		return out;
	})(),
})`

// TestHostile_NothingRunsNothingBreaks shows what strangers wrote on every page that has it.
func TestHostile_NothingRunsNothingBreaks(t *testing.T) {
	t.Parallel()
	h := newHub(t, []string{"DVMRELAY_WEB_INPUTS=show"})
	jobs, who := besieged(t, h)
	var paths []string
	for _, s := range screens(cast{customer: jobs[0].PubKey, painter: who[1].key, writer: who[2].key, paid: jobs[0].ID, answered: jobs[1].ID, open: jobs[2].ID, sealed: jobs[3].ID, kind: 5000}) {
		if s.status == http.StatusOK {
			paths = append(paths, s.path)
		}
	}
	for i, job := range jobs {
		paths = append(paths, jobPath(job.ID), "/dvms/"+who[i].npub(), "/u/"+npub(job.PubKey), "/events/"+job.ID)
	}
	b := newTab(t, h, device{width: 360})
	for _, path := range paths {
		b.visit(path, http.StatusOK)
		b.harmless(path + " at 360")
	}
	b.visit("/explore?kinds=0,5000,5100,31990", http.StatusOK)
	b.click(selRun)
	b.sees("the end of what is stored", has(selSaid)+`.textContent.includes("EOSE")`)
	eval[bool](b, fmt.Sprintf("document.querySelectorAll(%q).forEach(d => { d.open = true; }) || true", selFound+" details"))
	b.drawn()
	b.harmless("the explorer at 360")
	b.as(device{width: 1440})
	for i, job := range jobs {
		b.visit(jobPath(job.ID), http.StatusOK)
		b.harmless(jobPath(job.ID) + " at 1440")
		if name := hostile()[i].name; name == "lines" || name == "without a space" { // longer than their boxes
			b.accessible("thread with "+name, axeSource(t), everyRule)
			b.visit("/events/"+job.ID, http.StatusOK)
			b.accessible("event with "+name, axeSource(t), everyRule)
		}
	}
}

// harmless wants a page on which nothing of a stranger is more than text.
func (b *tab) harmless(where string) {
	b.t.Helper()
	got := eval[gains](b, tamed)
	if got.Pwned != "" || len(got.Planted)+len(got.Links)+len(got.Handlers) > 0 {
		b.t.Errorf("%s: ran %q, planted %q, links %q, handlers %q", where, got.Pwned, got.Planted, got.Links, got.Handlers)
	}
	if len(got.Turned) > 0 {
		b.t.Errorf("%s: text that turns the direction is not held in an element of its own (bdi): %q", where, got.Turned)
	}
	b.fits(where, b.layout(nil))
	if html, _, _ := b.weights(); html > maxHTML {
		b.t.Errorf("%s: %d bytes of HTML, want at most %d", where, html, maxHTML)
	}
	b.check(where)
}
