package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// box is the text of the box with an id, as its button copies it.
func box(t *testing.T, page, id string) string {
	t.Helper()
	m := regexp.MustCompile(`<pre id="` + regexp.QuoteMeta(id) + `">(?:<code>)?([^<]*)<`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no box %s:\n%s", id, page)
	}
	return html.UnescapeString(m[1])
}

// shell has a real shell run a command that a page shows, and gives what it printed.
func shell(t *testing.T, command, input string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sh := exec.CommandContext(ctx, "sh", "-c", command)
	sh.Dir, sh.Stdin = t.TempDir(), strings.NewReader(input)
	var errs logBuffer
	sh.Stderr = &errs
	out, err := sh.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, &errs)
	}
	return out
}

// publisher connects to the hub until the test ends.
func (h *hub) publisher() func(secret string, evt nostr.Event) nostr.Event {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	relay, err := nostr.RelayConnect(ctx, h.ws())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = relay.Close() }) // the test is over
	return func(secret string, evt nostr.Event) nostr.Event {
		h.t.Helper()
		ctx, cancel := context.WithTimeout(h.t.Context(), patience)
		defer cancel()
		evt.CreatedAt = nostr.Now()
		if err := evt.Sign(secret); err != nil {
			h.t.Fatal(err)
		}
		if err := relay.Publish(ctx, evt); err != nil {
			h.t.Fatalf("publish %s: %v", evt, err)
		}
		return evt
	}
}

// TestAnswer_JqPutsTheResultTogether runs the jq that stands between the two naks of "Send the result", in a shell, on the request as
// the hub has it. What comes out is signed and published here, and answers the job.
func TestAnswer_JqPutsTheResultTogether(t *testing.T) {
	h := newHub(t)
	h.start()
	publish := h.publisher()
	customer, provider := nostr.GeneratePrivateKey(), nostr.GeneratePrivateKey()
	for _, tc := range []struct {
		name    string
		request nostr.Event
		tags    nostr.Tags // behind request, e and p
	}{
		{"in the open", nostr.Event{Kind: 5050, Tags: nostr.Tags{
			{"i", `it's "quoted" \ $HOME <ß> 🗝`, "text"}, {"param", "a", "b"}, {"i", "https://a.example/?x=1&y", "url"},
		}}, nostr.Tags{{"i", `it's "quoted" \ $HOME <ß> 🗝`, "text"}, {"i", "https://a.example/?x=1&y", "url"}}},
		{"encrypted", nostr.Event{Kind: 5300, Content: "AqRz?iv=AqRz", Tags: nostr.Tags{{"encrypted"}, {"p", strings.Repeat("b2", 32)}}}, nostr.Tags{{"encrypted"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			request := publish(customer, tc.request)
			lines := strings.Split(box(t, h.page("/jobs/"+request.ID), "answer-result"), "\n")
			if len(lines) != 3 || !strings.HasPrefix(lines[0], "result=$(nak req -i "+request.ID+" ") ||
				!strings.HasPrefix(lines[2], "  printf '%s\\n' \"$result\" | nak event ") {
				t.Fatalf("the command is %q, want nak, jq and nak", lines)
			}
			middle, ok := strings.CutSuffix(lines[1], `) && [ -n "$result" ] &&`)
			if !ok {
				t.Fatalf("jq is called with %q", lines[1])
			}
			var unsigned nostr.Event
			if err := json.Unmarshal(shell(t, middle, request.String()), &unsigned); err != nil {
				t.Fatal(err)
			}
			// Without a request nothing is sent.
			silent := strings.Join([]string{"result=$(printf '' |", lines[1], "  echo sent"}, "\n")
			if out := shell(t, silent+" || true", ""); len(out) > 0 {
				t.Errorf("without a request the command says %s", out)
			}
			result := publish(provider, unsigned)
			want := slices.Concat(nostr.Tags{{"request", ""}, {"e", request.ID, h.ws()}, {"p", request.PubKey}}, tc.tags)
			var repeated nostr.Event
			if got := result.Tags.Find("request"); len(got) == 2 {
				want[0] = got
				if err := json.Unmarshal([]byte(got[1]), &repeated); err != nil || repeated.String() != request.String() {
					t.Errorf("the request in it is %s, %v; want %s", got[1], err, request)
				}
			}
			if got, want := fmt.Sprintf("%q", result.Tags), fmt.Sprintf("%q", want); result.Kind != request.Kind+1000 || result.Content != "your result" || got != want {
				t.Errorf("it is %s, want kind %d with %s", result, request.Kind+1000, want)
			}
			j, err := h.api(request.ID)
			if err != nil {
				t.Fatal(err)
			}
			if j.State != "success" || !slices.Contains(j.ids(), result.ID) {
				t.Errorf("the hub has\n%s\nwant a success with %s", j.digest(), result.ID)
			}
		})
	}
}

// TestExplore_CurlTellsOfTheSame runs the curl commands of /explore in a shell: each finds in the API what the filter is about.
func TestExplore_CurlTellsOfTheSame(t *testing.T) {
	h := newHub(t)
	h.start()
	publish := h.publisher()
	customer, provider := nostr.GeneratePrivateKey(), nostr.GeneratePrivateKey()
	job := publish(customer, nostr.Event{Kind: 5050, Tags: nostr.Tags{{"i", "What is a relay?", "text"}}})
	result := publish(provider, nostr.Event{Kind: 6050, Content: "It passes on.", Tags: nostr.Tags{{"request", job.String()}, {"e", job.ID}, {"p", job.PubKey}}})
	handler := publish(provider, nostr.Event{Kind: 31990, Content: `{"name":"Q"}`, Tags: nostr.Tags{{"d", "q"}, {"k", "5050"}}})
	for _, tc := range []struct{ query, want string }{
		{"ids=" + result.ID, result.ID},
		{"e=" + job.ID, result.ID},
		{"search=thread:" + result.ID, job.ID},
		{"kinds=5050&limit=20", job.ID},
		{"kinds=5050&since=1h", job.ID},
		{"kinds=5050&authors=" + job.PubKey, job.ID},
		{"kinds=6050&authors=" + result.PubKey, job.ID},
		{"search=state:success+job-kind:5050", job.ID},
		{"kinds=31990&k=5050", handler.PubKey},
	} {
		command := box(t, h.page("/explore?"+tc.query), "as-curl")
		if out := shell(t, command, ""); !json.Valid(out) || !strings.Contains(string(out), tc.want) {
			t.Errorf("%s: %s prints %s, want %s in it", tc.query, command, out, tc.want)
		}
	}
}
