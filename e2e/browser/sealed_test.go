package browser

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
	"github.com/nbd-wtf/go-nostr/nip04"
	"github.com/nbd-wtf/go-nostr/nip44"
)

// between gives how p encrypts for the owner of a key, and reads what that one has encrypted for p, in one of the ways that
// there are: nip04 or nip44.
func (p person) between(way, key string) (seal, unseal func(string) (string, error), err error) {
	if way == "nip04" {
		shared, err := nip04.ComputeSharedSecret(key, p.secret)
		return func(words string) (string, error) { return nip04.Encrypt(words, shared) },
			func(sealed string) (string, error) { return nip04.Decrypt(sealed, shared) }, err
	}
	shared, err := nip44.GenerateConversationKey(key, p.secret)
	return func(words string) (string, error) { return nip44.Encrypt(words, shared) },
		func(sealed string) (string, error) { return nip44.Decrypt(sealed, shared) }, err
}

// seal encrypts words for a key.
func (p person) seal(way, key, words string) (string, error) {
	seal, _, err := p.between(way, key)
	if err != nil {
		return "", err
	}
	return seal(words)
}

// unseal reads what the owner of a key has encrypted for p.
func (p person) unseal(way, key, sealed string) (string, error) {
	_, unseal, err := p.between(way, key)
	if err != nil {
		return "", err
	}
	return unseal(sealed)
}

// sealedRequest is a request that only a provider can read.
func (m *market) sealedRequest(by, provider person, way, input string) nostr.Event {
	m.t.Helper()
	sealed, err := by.seal(way, provider.key, text(m.t, [][]string{{"i", input, "text"}}))
	if err != nil {
		m.t.Fatal(err)
	}
	return m.put(by, 5050, sealed, tag("encrypted"), tag("p", provider.key))
}

// kept are the events of a kind that a person has published about another.
func (m *market) kept(by person, kind int, about nostr.Event) ([]*nostr.Event, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	return m.relay.QuerySync(ctx, nostr.Filter{Kinds: []int{kind}, Authors: []string{by.key}, Tags: nostr.TagMap{"e": {about.ID}}})
}

// TestNIP07_AnswerToASealedJobIsSealed: what answers an encrypted job is encrypted to the customer in the way of the request, and the
// customer can read it.
func TestNIP07_AnswerToASealedJobIsSealed(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, carol := newPerson("alice"), newPerson("carol")
	for _, way := range []string{"nip04", "nip44"} {
		t.Run(way, func(t *testing.T) {
			job := m.now().sealedRequest(alice, carol, way, "what nobody shall know")
			b := newTab(t, h, device{width: 1440})
			b.signsAs(carol, "nip04", "nip44")
			b.visit(jobPath(job.ID), http.StatusOK)
			b.sees("the form", fmt.Sprintf("!%s.hidden", has(selAnswer)))
			for _, step := range []struct {
				status, content string
				kind            int
			}{
				{"partial", "Half of the secret.", 7000},
				{"result", "The whole secret: ß ∑ 🗝", 6050},
			} {
				b.answer(step.status, step.content)
				var got *nostr.Event
				until(t, "the answer at the relay", func() error {
					all, err := m.kept(carol, step.kind, job)
					if err == nil && len(all) != 1 {
						err = fmt.Errorf("%d events; the page says %q", len(all), eval[string](b, has(selAnswer)+".innerText"))
					}
					if err != nil {
						return err
					}
					got = all[0]
					return nil
				})
				opened, err := alice.unseal(way, carol.key, got.Content)
				if err != nil || opened != step.content {
					t.Errorf("%s: alice reads %q, %v; want %q", step.status, opened, err, step.content)
				}
				if strings.Contains(got.String(), step.content) {
					t.Errorf("%s: it is in the open: %s", step.status, got)
				}
				if !hasTag(got, "encrypted") || hasTag(got, "i") || !slices.Contains(got.Tags.Find("p"), alice.key) {
					t.Errorf("%s: tags %v, want encrypted, alice and no input", step.status, got.Tags)
				}
				if request := got.Tags.Find("request"); step.kind == 6050 && (len(request) < 2 || !sameEvent(request[1], job)) {
					t.Errorf("%s: the request in it is %q, want %s", step.status, request, job)
				}
			}
			b.sees("a success", fmt.Sprintf(`document.querySelectorAll("%s [id^='event-']").length === 3`, selEvents))
		})
	}
}

func hasTag(evt *nostr.Event, name string) bool {
	return slices.ContainsFunc(evt.Tags, func(t nostr.Tag) bool { return t[0] == name })
}

func sameEvent(text string, want nostr.Event) bool {
	var evt nostr.Event
	return evt.UnmarshalJSON([]byte(text)) == nil && evt.String() == want.String()
}

// TestNIP07_SealedJobIsNotAnsweredInTheOpen: who cannot encrypt as the job does, or is not meant by it, publishes no content.
func TestNIP07_SealedJobIsNotAnsweredInTheOpen(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, carol, dave := newPerson("alice"), newPerson("carol"), newPerson("dave")
	job := m.sealedRequest(alice, carol, "nip44", "what nobody shall know")
	for _, tc := range []struct {
		name string
		by   person
		ways []string
		says string
	}{
		{"no encryption", carol, nil, "Your signer cannot encrypt as this job does (nip44)"},
		{"another encryption", carol, []string{"nip04"}, "Your signer cannot encrypt as this job does (nip44)"},
		{"for others", dave, []string{"nip04", "nip44"}, "This job is encrypted for others"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newTab(t, h, device{width: 1440})
			b.signsAs(tc.by, tc.ways...)
			b.visit(jobPath(job.ID), http.StatusOK)
			b.sees("the form", fmt.Sprintf("!%s.hidden", has(selAnswer)))
			b.answer("result", "It is told to everybody.")
			b.sees("why not", fmt.Sprintf("%s.innerText.includes(%q)", has(selAnswer), tc.says))
			if all, err := m.kept(tc.by, 6050, job); err != nil || len(all) != 0 {
				t.Errorf("the relay has %v, %v", all, err)
			}
		})
	}
}
