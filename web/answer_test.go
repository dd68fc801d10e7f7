package web

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// TestAnswer_CommandsSayWhatTheyMean lets a real shell read the commands, and a relay's linter the events that they make.
func TestAnswer_CommandsSayWhatTheyMean(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell")
	}
	job, key := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	for _, relay := range []string{"wss://hub.example", `ws://$(touch CANARY)'"` + "`touch CANARY`"} {
		a := answerable{ID: job, Kind: 5050, ResultKind: 6050, Customer: key, RelayURL: relay}
		for _, c := range []struct {
			name, command string
			status        nip90.Status
			content       string
		}{
			{"processing", a.Feedback(), nip90.Processing, ""},
			{"payment-required", a.Bill(), nip90.PaymentRequired, ""},
			{"partial", a.Part(), nip90.Partial, "what there is so far"},
			{"error", a.Failure(), nip90.Error, ""},
			{"success", a.Done(), nip90.Success, ""},
		} {
			words := inShell(t, t.TempDir(), c.command)
			if words[len(words)-1] != relay || words[0] != "event" {
				t.Fatalf("%s: nak is called with %q", c.name, words)
			}
			evt := nostr.Event{Kind: 7000, CreatedAt: 1_700_000_000, PubKey: key, ID: job}
			for i := 1; i+1 < len(words); i += 2 {
				switch words[i] {
				case "-t":
					name, values, _ := strings.Cut(words[i+1], "=")
					evt.Tags = append(evt.Tags, append(nostr.Tag{name}, strings.Split(values, ";")...))
				case "-c":
					evt.Content = words[i+1]
				}
			}
			msg, err := nip90.Parse(&evt)
			f, ok := msg.(*nip90.Feedback)
			if err != nil || !ok || f.Status != c.status || evt.Content != c.content {
				t.Errorf("%s: becomes %+v, %v", c.name, msg, err)
			}
			if want := (nostr.Tag{"p", key}); !slices.ContainsFunc(evt.Tags, func(tag nostr.Tag) bool { return slices.Equal(tag, want) }) {
				t.Errorf("%s: tags %v, want the customer among them", c.name, evt.Tags)
			}
		}
	}
}

func TestAnswer_PartIsWholeWithoutScriptsAndEscaped(t *testing.T) {
	r := newRig(t, DefaultOptions())
	page := r.site.template("event.html")
	for _, sealed := range []bool{false, true} {
		var out strings.Builder
		a := answerable{ID: strings.Repeat("a1", 32), Kind: 5050, ResultKind: 6050, RelayURL: `wss://x"><script>alert(1)</script>`, Encrypted: sealed}
		if sealed {
			a.Addressed = []string{strings.Repeat(provider, 32)}
		}
		if err := page.ExecuteTemplate(&out, "answer", a); err != nil {
			t.Fatal(err)
		}
		html := out.String()
		if strings.Contains(html, "<script>") || strings.Contains(html, "style=") {
			t.Error("the part is not escaped")
		}
		for _, want := range []string{"data-answer ", "data-answer-sign", "data-answer-said role=\"status\"", "/jobs?state=unanswered", `id="answer-result"`} {
			if !strings.Contains(html, want) {
				t.Errorf("the part lacks %s", want)
			}
		}
		form := html[strings.Index(html, "<form"):]
		if form = form[:strings.Index(form, ">")]; !strings.HasSuffix(form, " hidden") || strings.Contains(form, "data-encrypted") != sealed {
			t.Errorf("the form is %s, want it hidden until there is a signer", form)
		}
		if strings.Contains(html, "Only whom it addresses can read") != sealed || strings.Contains(html, `id="answer-part"`) == sealed {
			t.Errorf("encrypted %v: the part says something else", sealed)
		}
	}
}
