package index

import (
	"fmt"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// stillborn: the request had expired when it was made, so nobody's silence means anything.
func (w *reasons) stillborn() bool { return w.o.ExpiresAt != 0 && w.o.ExpiresAt <= w.o.CreatedAt }

func (w *reasons) bornExpired() error {
	o := w.o
	if !w.unserved() || !w.stillborn() {
		return nil
	}
	w.say(whyBornExpired, nip90.PubKey{},
		fmt.Sprintf("%sthe request says that it was made at %s and expires at %s, no later: relays drop it at once, so few can have seen it.", observed, utc(o.CreatedAt), utc(o.ExpiresAt)),
		w.requestEvidence(), Evidence{What: "expiration", At: o.ExpiresAt})
	return nil
}

func (w *reasons) expiredUnanswered() error {
	o := w.o
	if !w.unanswered() || o.State != StateExpired || w.stillborn() {
		return nil
	}
	w.say(whyExpiredUnanswered, nip90.PubKey{},
		fmt.Sprintf("%sthe request of %s expired at %s, after %d s, and nothing that answers it came to this relay until %s.", observed, utc(o.CreatedAt), utc(o.ExpiresAt), o.ExpiresAt-o.CreatedAt, utc(w.now)),
		w.requestEvidence(), Evidence{What: "expiration", At: o.ExpiresAt})
	return nil
}

func (w *reasons) encryptedWithoutProvider() error {
	if !w.unserved() || !w.o.Encrypted || len(w.o.people) > 0 {
		return nil
	}
	w.say(whyEncrypted, nip90.PubKey{},
		fmt.Sprintf("%sthe request of %s is encrypted and names no provider in a p tag, so no provider can tell that it is meant.", observed, utc(w.o.CreatedAt)),
		w.requestEvidence())
	return nil
}

// eachSilent calls fn for the providers that the job addresses and that have said nothing about it.
func (w *reasons) eachSilent(fn func(pk nip90.PubKey) error) error {
	for _, pk := range w.o.people {
		if s := w.o.side(pk); s != nil && s.answers > 0 {
			continue
		}
		if err := fn(pk); err != nil {
			return err
		}
	}
	return nil
}

func (w *reasons) addressedSilent() error {
	if !w.undelivered() || !w.waited() || w.stillborn() {
		return nil
	}
	return w.eachSilent(func(pk nip90.PubKey) error {
		if w.full(whyAddressedSilent) {
			w.over[whyAddressedSilent]++
			return nil
		}
		name, err := w.called(pk)
		if err != nil {
			return err
		}
		life, err := w.life(pk)
		if err != nil {
			return err
		}
		evidence := []Evidence{w.requestEvidence()}
		if life.what != "" {
			evidence = append(evidence, life.evidence(pk))
		}
		w.say(whyAddressedSilent, pk,
			fmt.Sprintf("%sthe job addresses %s, and nothing by it about the job came to this relay between %s and %s.", observed, name, utc(w.o.CreatedAt), utc(w.now)), evidence...)
		return nil
	})
}

func (w *reasons) addressedOffline() error {
	if !w.undelivered() {
		return nil
	}
	left := whyAddressed
	return w.eachSilent(func(pk nip90.PubKey) error {
		if left--; left < 0 || w.full(whyAddressedOffline) {
			return nil
		}
		life, err := w.life(pk)
		if err != nil {
			return err
		}
		if !w.offline(&life) {
			return nil
		}
		name, err := w.called(pk)
		if err != nil {
			return err
		}
		if life.what == "" {
			w.say(whyAddressedOffline, pk, fmt.Sprintf("%s%s, which the job addresses, is not running or not heard: this relay has no announcement, answer or heartbeat by it.", likely, name),
				Evidence{What: "never-heard", PubKey: pk.String()})
			return nil
		}
		w.say(whyAddressedOffline, pk, fmt.Sprintf("%s%s, which the job addresses, is offline: the last of it that came to this relay is its %s of %s.", likely, name, life.what, utc(life.at)), life.evidence(pk))
		return nil
	})
}

// offline says whether the last sign of life of a key is too long before the end.
func (w *reasons) offline(life *pulse) bool {
	grace := daySeconds
	if life.beats() {
		grace = aliveSeconds
	}
	return life.what == "" || w.end()-life.at > grace
}

func (w *reasons) noProvider() error {
	if !w.unanswered() {
		return nil
	}
	served, looked, err := w.everServed(w.o.Kind) // first: it costs less
	if err != nil || served {
		return err
	}
	supply, whole, err := w.supply(w.o.Kind, 1)
	if err != nil || len(supply) > 0 || !whole {
		return err
	}
	evidence := []Evidence{{What: "announcements", Kind: w.o.Kind}}
	text := fmt.Sprintf("%snobody serves kind %d", likely, w.o.Kind)
	if w.o.KindName != "" {
		text += " (" + w.o.KindName + ")"
	}
	text += ": no announcement for it is held here"
	if looked > 0 {
		evidence = append(evidence, Evidence{What: "unanswered-jobs", Kind: w.o.Kind, Count: looked})
		text += fmt.Sprintf(", and of the %d other jobs of this kind that were looked at none was answered", looked)
	}
	w.say(whyNoProvider, nip90.PubKey{}, text+".", evidence...)
	return nil
}

// unreadable says in words what keeps providers from reading a request, by the codes of the linter.
var unreadable = [...]struct{ code, words string }{
	{"no-input", "there is no input"},
	{"prompt-in-content", "the input stands in the content"},
	{"input-tag-name", "the input stands in an input tag"},
	{"input-empty", "an input is empty"},
	{"input-no-type", "an input does not say its type"},
	{"input-unknown-type", "an input has a type that the protocol does not know"},
	{"input-not-hex", "an input names no event"},
	{"input-job-unreadable", "an input names no job"},
	{"encrypted-unknown", "the encryption is of no known sort"},
}

func (w *reasons) malformedInput() error {
	if !w.unserved() || len(w.o.Events) == 0 || w.o.Events[0].ID != w.o.ID {
		return nil
	}
	request := &w.o.Events[0]
	evidence := []Evidence{w.requestEvidence()}
	var words []string
	for _, u := range unreadable {
		if noted(request, u.code) {
			evidence = append(evidence, Evidence{What: u.code, ID: request.ID.String()})
			words = append(words, u.words)
		}
	}
	if len(words) == 0 {
		return nil
	}
	w.say(whyMalformed, nip90.PubKey{}, fmt.Sprintf("%sproviders cannot read the request: %s.", likely, strings.Join(words, ", ")), evidence...)
	return nil
}

func (w *reasons) answeredElsewhere() error {
	if !w.undelivered() {
		return nil
	}
	var evidence []Evidence
	var words []string
	later, err := w.builtUpon()
	if err != nil {
		return err
	}
	if len(later) > 0 {
		evidence = append(evidence, later...)
		words = append(words, "a job that builds on this one has a result")
	}
	for i := range w.o.sides {
		if s := &w.o.sides[i]; s.claims > 0 && s.answers == 0 {
			evidence = append(evidence, w.paid[s.pk]...)
			words = append(words, "a payment went to a provider that said nothing here")
			break
		}
	}
	if w.o.request.Has(store.FactBornDead) && !w.stillborn() {
		evidence = append(evidence, Evidence{What: "came-after-expiration", ID: w.o.ID.String(), At: w.o.request.Received})
		words = append(words, "the request came here only after it had expired, when answers may have been gone")
	}
	alive, err := w.aliveElsewhere()
	if err != nil {
		return err
	}
	if len(alive) > 0 {
		evidence = append(evidence, alive...)
		words = append(words, "a provider that it addresses was active after it was asked")
	}
	away, err := w.unheardProviders()
	if err != nil {
		return err
	}
	if len(away) > 0 {
		evidence = append(evidence, away...)
		words = append(words, "a silent provider that it addresses says that it is on relays which this one does not watch")
	}
	if len(words) == 0 {
		return nil
	}
	w.say(whyElsewhere, nip90.PubKey{}, fmt.Sprintf("%sit was answered where this relay does not hear it: %s.", likely, strings.Join(words, "; ")), evidence...)
	return nil
}

// laterJobs is how many jobs that build on this one are looked at.
const laterJobs = 8

// builtUpon are answered jobs that take this one's outcome as their input. That such a job was asked tells nothing: a
// chain may be asked at once. NIP-90 "Job chaining".
func (w *reasons) builtUpon() (list []Evidence, err error) {
	for _, id := range w.o.ChainedTo[:min(len(w.o.ChainedTo), laterJobs)] {
		row, ok, err := readThread(w, id)
		if err != nil {
			return nil, err
		}
		if ok && row.results > 0 && len(list) < 2 {
			list = append(list, Evidence{What: "later-job", ID: id.String(), At: row.created})
		}
	}
	return list, nil
}

// unheardProviders are the relays of silent providers that the job addresses, where none of those in a provider's relay
// list (kind 10002) is watched.
func (w *reasons) unheardProviders() (list []Evidence, err error) {
	if w.x.o.Listening == nil || !w.waited() || w.stillborn() {
		return nil, nil
	}
	watched := w.watched()
	left := whyAddressed
	err = w.eachSilent(func(pk nip90.PubKey) error {
		if left--; left < 0 || len(list) == 2 {
			return nil
		}
		named, err := w.relays(nip90.KindRelayList, pk)
		if err != nil || named == nil {
			return err
		}
		first := ""
		for _, s := range *named {
			u, ok := normalRelay(s)
			if ok && watched[u] {
				return nil
			}
			if ok && first == "" {
				first = u
			}
		}
		if first != "" {
			list = append(list, Evidence{What: "relay", PubKey: pk.String(), URL: first})
		}
		return nil
	})
	return slices.Clip(list), err
}

// aliveElsewhere are the signs of life of silent providers that the job addresses, from the time when it could be answered.
func (w *reasons) aliveElsewhere() (list []Evidence, err error) {
	if !w.waited() || w.stillborn() {
		return nil, nil
	}
	left := whyAddressed
	err = w.eachSilent(func(pk nip90.PubKey) error {
		if left--; left < 0 {
			return nil
		}
		life, err := w.life(pk)
		if err != nil {
			return err
		}
		// A sign from much later tells nothing of then.
		if life.what != "" && life.at > w.o.CreatedAt && life.at <= w.o.CreatedAt+daySeconds && len(list) < 2 {
			list = append(list, life.evidence(pk))
		}
		return nil
	})
	return slices.Clip(list), err
}
