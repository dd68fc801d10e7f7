package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/nbd-wtf/go-nostr"
)

// The extension of a browser as NIP-07 has it, with the ways of encrypting that it knows; what is behind it runs in the test.
const extension = `Object.defineProperty(window, "nostr", {value: Object.freeze({
	getPublicKey: () => window.testPublicKey(""),
	signEvent: evt => window.testSignEvent(JSON.stringify(evt)).then(JSON.parse),
	...Object.fromEntries(%s.map(way => [way, Object.freeze({encrypt: (...given) => window.testEncrypt(JSON.stringify([way, ...given]))})])),
})});`

// signsAs gives the tab an extension with that person's key, which encrypts in these ways.
func (b *tab) signsAs(p person, ways ...string) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	err := chromedp.Do(ctx,
		chromedp.ExposeFunc("testPublicKey", func(context.Context, string) (string, error) { return p.key, nil }),
		chromedp.ExposeFunc("testEncrypt", func(_ context.Context, given string) (string, error) {
			var words []string
			if err := json.Unmarshal([]byte(given), &words); err != nil {
				return "", err
			}
			if len(words) != 3 || !slices.Contains(ways, words[0]) {
				return "", fmt.Errorf("encrypt was given %q", words)
			}
			return p.seal(words[0], words[1], words[2])
		}),
		chromedp.ExposeFunc("testSignEvent", func(_ context.Context, unsigned string) (string, error) {
			var evt nostr.Event
			if err := json.Unmarshal([]byte(unsigned), &evt); err != nil {
				return "", err
			}
			if evt.CreatedAt == 0 || evt.Tags == nil {
				return "", errors.New("an event to be signed has a time and tags")
			}
			if err := evt.Sign(p.secret); err != nil {
				return "", err
			}
			signed, err := json.Marshal(evt)
			return string(signed), err
		}))
	if err != nil {
		b.t.Fatalf("give the tab a signer: %v", err)
	}
	b.before(fmt.Sprintf(extension, text(b.t, append([]string{}, ways...))))
}

// answers are the kinds of the events that a person has in a job, as the API tells.
func (h *hub) answers(job string, by person) ([]int, error) {
	resp, err := http.Get(h.url("/api/v1/jobs/" + job))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var thread struct {
		Events []struct {
			Kind   int    `json:"kind"`
			Pubkey string `json:"pubkey"`
		} `json:"events"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&thread); err != nil {
		return nil, err
	}
	var kinds []int
	for _, e := range thread.Events {
		if e.Pubkey == by.key {
			kinds = append(kinds, e.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds, nil
}

// TestNIP07_SignInLandsOnOnesOwnPage: the key of the extension leads to /u/<npub>.
func TestNIP07_SignInLandsOnOnesOwnPage(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	alice := newPerson("alice")
	openMarket(t, h).request(alice, 5050, "say it shorter")
	b := newTab(t, h, device{width: 1440})
	b.signsAs(alice)
	b.visit(signInPath, http.StatusOK)
	b.click(selSignIn)
	b.sees("her own page", fmt.Sprintf("location.pathname === %q", "/u/"+alice.npub()))
	b.sees("her job", says("say it shorter"))
}

// TestNIP07_AnswerAJobFromItsPage: a human is a DVM, with feedback first and a result then.
func TestNIP07_AnswerAJobFromItsPage(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	carol := newPerson("carol")
	job := openMarket(t, h).request(newPerson("alice"), 5050, "What is a data vending machine?")
	b := newTab(t, h, device{width: 1440})
	b.signsAs(carol)
	b.visit(jobPath(job.ID), http.StatusOK)
	stayed := b.stay()
	b.sees("the form", fmt.Sprintf("!%s.hidden", has(selAnswer)))
	for _, step := range []struct {
		status, content string
		kinds           []int
	}{
		{"processing", "", []int{7000}},
		{"result", "A shop for computation, answered by hand.", []int{6050, 7000}},
	} {
		b.answer(step.status, step.content)
		until(t, fmt.Sprintf("the relay has %v of carol", step.kinds), func() error {
			kinds, err := h.answers(job.ID, carol)
			if err == nil && !slices.Equal(kinds, step.kinds) {
				err = fmt.Errorf("it has %v; the page says %q", kinds, eval[string](b, has(selAnswer)+".innerText"))
			}
			return err
		})
		b.sees("as many rows", fmt.Sprintf(`document.querySelectorAll("%s [id^='event-']").length === %d`, selEvents, 1+len(step.kinds)))
	}
	b.sees("the answer", says("answered by hand"))
	stayed("the thread")
}

// answer has the form of a job sign and publish an answer.
func (b *tab) answer(status, content string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf(`(s => { s.value = %q; return s.dispatchEvent(new Event("input", {bubbles: true})); })(%s)`, status, has(selAnswer+" "+selStatus)))
	if content != "" {
		eval[bool](b, has(selAnswer+" "+selContent)+`.value = "", true`)
		b.fill(selAnswer+" "+selContent, content)
	}
	b.click(selAnswer + " " + selSign)
}

// fill writes into a field as a person would.
func (b *tab) fill(selector, words string) {
	b.t.Helper()
	ctx, cancel := b.within()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Focus(chromedp.CSS(selector), chromedp.NodeVisible), chromedp.KeyEvent(words)); err != nil {
		b.t.Fatalf("fill %s: %v", selector, err)
	}
}
