package month

import (
	"encoding/json"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// links are the tags that tie an answer to its job, in the forms seen in use.
func (s *side) links(result bool) nostr.Tags {
	var tags nostr.Tags
	if happens(s.rng, s.about.feedbackP) || result {
		tags = append(tags, tag("p", s.request.PubKey))
	}
	if s.often(shareUnlinked) {
		return tags
	}
	quoted := result && happens(s.rng, s.about.quote)
	if !result || happens(s.rng, s.about.linked) {
		tags = append(tags, s.named()...)
	}
	if quoted {
		tags = append(tags, tag("request", s.quote()))
	}
	return tags
}

// named are the e tags.
func (s *side) named() nostr.Tags {
	id := s.request.ID
	switch {
	case len(s.chained) > 0 && s.rng.IntN(2) == 0:
		marker := one(s.rng, tag("e", id, "", "job"), tag("e", id, "job"), tag("e", id, "wss://relay.example", "request"))
		return nostr.Tags{tag("e", s.chained[0].ID, "wss://relay.example"), marker}
	case s.often(shareMarked):
		return nostr.Tags{one(s.rng,
			tag("e", id, "", "job"), tag("e", id, "wss://relay.example", "job"), tag("e", id, "job"), tag("e", id, "root"),
			tag("e", id, "", "reply"), tag("e", id, "wss://relay.example", "request"), tag("e", strings.ToUpper(id)))}
	case s.at > s.job.at-300*day && s.often(shareSeveral): // see leaves
		return s.several()
	}
	return nostr.Tags{tag("e", id, "wss://relay.example")}
}

// several names the job among other things: earlier jobs, answers, events that nobody has.
func (s *side) several() nostr.Tags {
	tags := nostr.Tags{tag("e", s.request.ID)}
	for range 1 + s.rng.IntN(4) {
		other := s.w.key("nothing", s.rng.IntN(50))
		switch {
		case s.rng.IntN(3) == 0 && len(s.w.recent) > 0:
			other = one(s.rng, s.w.recent...).ID
		case s.rng.IntN(2) == 0 && len(s.w.answers) > 0:
			other = one(s.rng, s.w.answers...)
		}
		if s.rng.IntN(3) == 0 {
			tags = append(nostr.Tags{tag("e", other)}, tags...)
		} else {
			tags = append(tags, tag("e", other, "", one(s.rng, "", "reply", "mention", "root")))
		}
	}
	return tags
}

// quote is the value of a request tag.
func (s *side) quote() string {
	whole, err := json.Marshal(&s.request)
	if err != nil {
		return s.request.ID // an event of ours always has a JSON
	}
	switch {
	case s.about.python:
		return python(&s.request)
	case !s.often(shareBrokenQuote):
		return string(whole)
	}
	switch s.rng.IntN(6) {
	case 0:
		return s.request.ID
	case 1:
		return python(&s.request)
	case 2:
		return strings.ReplaceAll(string(whole), `\`, "")
	case 3: // a template that was not signed yet
		return strings.Replace(string(whole), `"id":"`+s.request.ID+`",`, "", 1)
	case 4: // somebody else's words under the job's id
		return strings.Replace(string(whole), `"kind":`, `"kind":1`, 1)
	}
	if len(s.w.recent) > 0 && s.rng.IntN(2) == 0 {
		other := one(s.rng, s.w.recent...) // another job, and it proves itself
		if b, err := json.Marshal(&other); err == nil {
			return string(b)
		}
	}
	return "{}"
}

// python is an event as print shows a dict.
func python(e *nostr.Event) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }
	var b strings.Builder
	b.WriteString("{'id': " + quote(e.ID) + ", 'pubkey': " + quote(e.PubKey) + ", 'created_at': " + number(int64(e.CreatedAt)) +
		", 'kind': " + number(e.Kind) + ", 'tags': [")
	for i, t := range e.Tags {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('[')
		for k, v := range t {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quote(v))
		}
		b.WriteByte(']')
	}
	b.WriteString("], 'content': " + quote(e.Content) + ", 'sig': " + quote(e.Sig) + "}")
	return b.String()
}
