package nip90

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nbd-wtf/go-nostr"
)

// HandlerOptions is what a service can announce of itself.
type HandlerOptions struct {
	D          string // names the service among those of its key; required
	Kinds      []int  // the request kinds that it serves; at least one
	Name       string
	About      string
	Picture    string
	Lud16      string
	Price      Price
	Encryption bool            // it can read encrypted jobs
	Nutzaps    bool            // it takes nutzaps
	Params     json.RawMessage // nip90Params, a JSON object; nil leaves it out
	CreatedAt  int64           // unix seconds; 0 leaves it to whoever signs
	Expires    int64           // unix seconds; 0 means never. NIP-40
	Extra      nostr.Tags
}

// handlerContent is the content in the spelling that most services use.
type handlerContent struct {
	Name       string          `json:"name"`
	Picture    string          `json:"picture,omitempty"`
	About      string          `json:"about,omitempty"`
	Lud16      string          `json:"lud16,omitempty"`
	Encryption bool            `json:"encryptionSupported"`
	Nutzaps    bool            `json:"acceptsNutZaps"`
	Amount     string          `json:"amount,omitempty"`
	Params     json.RawMessage `json:"nip90Params,omitempty"`
}

// NewHandler makes an unsigned announcement. It fails with ErrBuild when d, name or kinds are missing or the params
// are no JSON object. NIP-89 "Handler information".
func NewHandler(o HandlerOptions) (*nostr.Event, error) {
	switch {
	case o.D == "":
		return nil, fmt.Errorf("%w: a handler needs a d", ErrBuild)
	case o.Name == "":
		return nil, fmt.Errorf("%w: a handler needs a name", ErrBuild)
	case len(o.Kinds) == 0:
		return nil, fmt.Errorf("%w: a handler needs a kind", ErrBuild)
	case o.Params != nil && (!json.Valid(o.Params) || o.Params[0] != '{'):
		return nil, fmt.Errorf("%w: params are no JSON object", ErrBuild)
	}
	content := handlerContent{
		Name: o.Name, Picture: o.Picture, About: o.About, Lud16: o.Lud16,
		Encryption: o.Encryption, Nutzaps: o.Nutzaps, Params: o.Params,
	}
	switch o.Price.Kind {
	case PriceFree:
		content.Amount = "free"
	case PriceFlexible:
		content.Amount = "flexible"
	case PriceFixed:
		content.Amount = formatMsat(o.Price.Msat)
	}
	body, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("%w: write content: %w", ErrBuild, err)
	}
	tags := nostr.Tags{{"d", o.D}}
	for _, k := range o.Kinds {
		if !IsRequest(k) {
			return nil, fmt.Errorf("%w: kind %d is no job request", ErrBuild, k)
		}
		tags = append(tags, nostr.Tag{"k", strconv.Itoa(k)})
	}
	evt := &nostr.Event{Kind: KindHandler, CreatedAt: nostr.Timestamp(o.CreatedAt), Content: string(body), Tags: tags}
	return finish(evt, o.Expires, o.Extra)
}

// RecommendationOptions is what a key can recommend.
type RecommendationOptions struct {
	Kind      int           // the kind that the handlers serve
	Handlers  []Address     // at least one
	Hints     []HandlerHint // of the handler at the same place in Handlers; may be shorter, and should not be
	CreatedAt int64         // unix seconds; 0 leaves it to whoever signs
	Extra     nostr.Tags
}

// NewRecommendation makes an unsigned recommendation of handlers for a kind. It fails with ErrBuild when the kind is none,
// an address is no handler's, or a hint is no relay's or belongs to no handler. NIP-89 "Recommendation event".
func NewRecommendation(o RecommendationOptions) (*nostr.Event, error) {
	switch {
	case o.Kind < 0 || o.Kind > 65535 || len(o.Handlers) == 0:
		return nil, fmt.Errorf("%w: a recommendation needs a kind and a handler", ErrBuild)
	case len(o.Hints) > len(o.Handlers):
		return nil, fmt.Errorf("%w: %d hints for %d handlers", ErrBuild, len(o.Hints), len(o.Handlers))
	}
	tags := nostr.Tags{{"d", strconv.Itoa(o.Kind)}}
	for i, a := range o.Handlers {
		if a.Kind != KindHandler {
			return nil, fmt.Errorf("%w: %s is no handler", ErrBuild, a)
		}
		tag := nostr.Tag{"a", a.String()}
		if i < len(o.Hints) {
			h := o.Hints[i]
			if h.Relay != "" && !isRelay(h.Relay) {
				return nil, fmt.Errorf("%w: hint %q is no relay", ErrBuild, h.Relay)
			}
			switch {
			case h.Platform != "":
				tag = append(tag, h.Relay, h.Platform)
			case h.Relay != "":
				tag = append(tag, h.Relay)
			}
		}
		tags = append(tags, tag)
	}
	evt := &nostr.Event{Kind: KindRecommendation, CreatedAt: nostr.Timestamp(o.CreatedAt), Tags: tags}
	return finish(evt, 0, o.Extra)
}

// NewHeartbeat makes an unsigned sign of life of the service that d names, good until expires in unix seconds.
func NewHeartbeat(d string, createdAt, expires int64) (*nostr.Event, error) {
	if d == "" {
		return nil, fmt.Errorf("%w: a heartbeat needs a d", ErrBuild)
	}
	evt := &nostr.Event{Kind: KindHeartbeat, CreatedAt: nostr.Timestamp(createdAt), Tags: nostr.Tags{{"d", d}}}
	return finish(evt, expires, nil)
}

// NewCancel makes the unsigned deletion of one's own jobs. It fails with ErrBuild when one has another author or no
// id. NIP-09; NIP-90 "Cancellation".
func NewCancel(reason string, createdAt int64, jobs ...*nostr.Event) (*nostr.Event, error) {
	if len(jobs) == 0 {
		return nil, fmt.Errorf("%w: nothing to cancel", ErrBuild)
	}
	tags := make(nostr.Tags, 0, 2*len(jobs))
	kinds := nostr.Tags{}
	seen := map[int]bool{}
	for _, job := range jobs {
		if err := answerable(job); err != nil {
			return nil, err
		}
		if job.PubKey != jobs[0].PubKey {
			return nil, fmt.Errorf("%w: the jobs have different authors", ErrBuild)
		}
		tags = append(tags, nostr.Tag{"e", job.ID})
		if !seen[job.Kind] {
			seen[job.Kind] = true
			kinds = append(kinds, nostr.Tag{"k", strconv.Itoa(job.Kind)})
		}
	}
	return &nostr.Event{Kind: KindDeletion, CreatedAt: nostr.Timestamp(createdAt), Content: reason, Tags: append(tags, kinds...)}, nil
}

// NewPing makes the unsigned question whether a provider is there. It answers with feedback whose status is pong.
func NewPing(provider PubKey, createdAt int64) *nostr.Event {
	return &nostr.Event{Kind: KindPing, CreatedAt: nostr.Timestamp(createdAt), Tags: nostr.Tags{{"p", provider.String()}}}
}

// String is "kind:pubkey:d". NIP-01.
func (a Address) String() string {
	return strconv.Itoa(a.Kind) + ":" + a.PubKey.String() + ":" + a.D
}
