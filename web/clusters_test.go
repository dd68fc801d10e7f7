package web

import (
	"strings"
	"testing"
)

func TestWithoutStacks_LeavesWhatIsWritten(t *testing.T) {
	tall := "Z" + strings.Repeat("\u0310\u0489", 100) + "algo"
	low := "Z" + strings.Repeat("\u0310\u0489", (maxCluster-1)/2) + "\u0310algo"
	for _, tc := range []struct{ html, want string }{
		{"", ""},
		{"plain", "plain"},
		{"<b>" + tall + "</b>" + tall, "<b>" + low + "</b>" + low},
		{"<p>" + tall + "<pre>" + tall + "</pre>" + tall, "<p>" + low + "<pre>" + tall + "</pre>" + low},
		{`<pre id="raw"><code>` + tall + "</code></pre>", `<pre id="raw"><code>` + tall + "</code></pre>"},
		{`<textarea name="x">` + tall + "</textarea>", `<textarea name="x">` + tall + "</textarea>"},
		{`<input value="` + tall + `">` + tall, `<input value="` + tall + `">` + low},
		{"<present>" + tall, "<present>" + low},
		{"<pre>" + tall, "<pre>" + tall},
		{"a <", "a <"},
		{"\xff\u0310<p", "\xff\u0310<p"},
		{strings.Repeat("\U0001f469\u200d", 400) + "x y", strings.Repeat("\U0001f469\u200d", maxCluster/2) + " y"},
		{strings.Repeat("\u1100", 400) + "\u1161\u11a8 y", strings.Repeat("\u1100", maxCluster) + " y"},
		{strings.Repeat("क्", 400) + " y", strings.Repeat("क्", maxCluster/2) + " y"},
		{strings.Repeat("\u1112\u1161\u11ab", 20), strings.Repeat("\u1112\u1161\u11ab", 20)},
		{"Việt ภาษาไทยที่นี่ हिन्दी שָׁלוֹם \U0001f469\u200d\U0001f467", "Việt ภาษาไทยที่นี่ हिन्दी שָׁלוֹם \U0001f469\u200d\U0001f467"},
	} {
		if got := string(withoutStacks([]byte(tc.html))); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.html, got, tc.want)
		}
	}
}
