package nip90

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nbd-wtf/go-nostr"
)

// ErrBuild is wrapped by every error of the builders.
var ErrBuild = errors.New("build event")

// RequestOptions is what a job request can say. The zero value asks for a job without input.
type RequestOptions struct {
	Inputs    []Input
	Output    string // MIME type
	Params    []Param
	Bid       Msat     // the most that will be paid, in msat; 0 leaves it out
	Relays    []string // where answers are looked for
	Providers []PubKey // who is preferred
	Topics    []string
	Content   string // open text; must be empty when Sealed is set
	// Sealed is the outcome of SealedTags encrypted to the provider. With it Inputs and Params stay out of the tags.
	Sealed    string
	CreatedAt int64      // unix seconds; 0 leaves it to whoever signs
	Expires   int64      // unix seconds; 0 means never. NIP-40
	Extra     nostr.Tags // appended as they are
}

// NewRequest makes an unsigned job request of a kind in 5000-5999. It fails with ErrBuild when the outcome would break
// the protocol. NIP-90 "Job request".
func NewRequest(kind int, o RequestOptions) (*nostr.Event, error) {
	if !IsRequest(kind) {
		return nil, fmt.Errorf("%w: kind %d is no job request", ErrBuild, kind)
	}
	evt := &nostr.Event{Kind: kind, CreatedAt: nostr.Timestamp(o.CreatedAt), Content: o.Content, Tags: nostr.Tags{}}
	if o.Sealed == "" {
		evt.Tags = append(evt.Tags, privateTags(o)...)
	}
	if o.Output != "" {
		evt.Tags = append(evt.Tags, nostr.Tag{"output", o.Output})
	}
	if o.Bid > 0 {
		evt.Tags = append(evt.Tags, nostr.Tag{"bid", formatMsat(o.Bid)})
	}
	if len(o.Relays) > 0 {
		evt.Tags = append(evt.Tags, append(nostr.Tag{"relays"}, o.Relays...))
	}
	for _, pk := range o.Providers {
		evt.Tags = append(evt.Tags, nostr.Tag{"p", pk.String()})
	}
	for _, t := range o.Topics {
		evt.Tags = append(evt.Tags, nostr.Tag{"t", t})
	}
	if o.Sealed != "" {
		if o.Content != "" {
			return nil, fmt.Errorf("%w: open content beside a sealed one", ErrBuild)
		}
		evt.Content = o.Sealed
		evt.Tags = append(evt.Tags, nostr.Tag{"encrypted"})
	}
	return finish(evt, o.Expires, o.Extra)
}

// SealedTags is the JSON of the inputs and params, to be encrypted to the provider and given to NewRequest as Sealed.
// NIP-90 "Encrypted Params".
func SealedTags(o RequestOptions) (string, error) {
	b, err := json.Marshal(privateTags(o))
	if err != nil {
		return "", fmt.Errorf("%w: write private tags: %w", ErrBuild, err)
	}
	return string(b), nil
}

func privateTags(o RequestOptions) nostr.Tags {
	tags := make(nostr.Tags, 0, len(o.Inputs)+len(o.Params))
	for _, in := range o.Inputs {
		tag := nostr.Tag{"i", in.Data, in.Type, in.Relay, in.Marker}
		tags = append(tags, trimTag(tag, 3))
	}
	for _, p := range o.Params {
		tags = append(tags, append(nostr.Tag{"param", p.Name}, p.Values...))
	}
	return tags
}

// trimTag drops empty elements from the end, down to keep elements.
func trimTag(tag nostr.Tag, keep int) nostr.Tag {
	for len(tag) > keep && tag[len(tag)-1] == "" {
		tag = tag[:len(tag)-1]
	}
	return tag
}

// ResultOptions is what a job result can say beside its content.
type ResultOptions struct {
	Content   string
	Msat      Msat   // what is asked for it; 0 leaves it out
	Bolt11    string // an invoice over Msat
	Relay     string // where the request was seen
	Kind      int    // 0 means ResultKind of the request
	Encrypted bool   // Content is encrypted to the customer: the inputs stay out of the tags
	CreatedAt int64  // unix seconds; 0 leaves it to whoever signs
	Expires   int64  // unix seconds; 0 means never. NIP-40
	Extra     nostr.Tags
}

// NewResult makes the unsigned result of a signed request: it quotes the request, links to it, repeats its inputs and
// names its customer. It fails with ErrBuild when the outcome would break the protocol. NIP-90 "Job result".
func NewResult(request *nostr.Event, o ResultOptions) (*nostr.Event, error) {
	if err := answerable(request); err != nil {
		return nil, err
	}
	kind := o.Kind
	if kind == 0 {
		kind = ResultKind(request.Kind)
	}
	if !IsResult(kind) {
		return nil, fmt.Errorf("%w: kind %d is no job result", ErrBuild, kind)
	}
	quoted, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("%w: quote request: %w", ErrBuild, err)
	}
	evt := &nostr.Event{Kind: kind, CreatedAt: nostr.Timestamp(o.CreatedAt), Content: o.Content, Tags: nostr.Tags{
		{"request", string(quoted)}, trimTag(nostr.Tag{"e", request.ID, o.Relay}, 2), {"p", request.PubKey},
	}}
	if o.Encrypted {
		evt.Tags = append(evt.Tags, nostr.Tag{"encrypted"})
	} else {
		for _, tag := range request.Tags {
			if len(tag) > 1 && tag[0] == "i" {
				evt.Tags = append(evt.Tags, append(nostr.Tag(nil), tag...))
			}
		}
	}
	if evt.Tags, err = appendAmount(evt.Tags, o.Msat, o.Bolt11); err != nil {
		return nil, err
	}
	return finish(evt, o.Expires, o.Extra)
}

// FeedbackOptions is what job feedback can say beside its status.
type FeedbackOptions struct {
	Text      string // for a person, beside the status
	Msat      Msat   // what is asked; required for PaymentRequired
	Bolt11    string // an invoice over Msat
	Content   string // a partial result or empty
	Relay     string // where the request was seen
	Encrypted bool   // Content is encrypted to the customer
	CreatedAt int64  // unix seconds; 0 leaves it to whoever signs
	Expires   int64  // unix seconds; 0 means never. NIP-40
	Extra     nostr.Tags
}

// NewFeedback makes unsigned feedback to a signed request. It fails with ErrBuild when the outcome would break the
// protocol. NIP-90 "Job feedback".
func NewFeedback(request *nostr.Event, status Status, o FeedbackOptions) (*nostr.Event, error) {
	if err := answerable(request); err != nil {
		return nil, err
	}
	if status < Processing || status > Success {
		return nil, fmt.Errorf("%w: status %s cannot be sent", ErrBuild, status)
	}
	if status == PaymentRequired && o.Msat <= 0 {
		return nil, fmt.Errorf("%w: payment is required but no amount given", ErrBuild)
	}
	evt := &nostr.Event{Kind: KindFeedback, CreatedAt: nostr.Timestamp(o.CreatedAt), Content: o.Content, Tags: nostr.Tags{
		trimTag(nostr.Tag{"status", status.String(), o.Text}, 2), trimTag(nostr.Tag{"e", request.ID, o.Relay}, 2), {"p", request.PubKey},
	}}
	if o.Encrypted {
		evt.Tags = append(evt.Tags, nostr.Tag{"encrypted"})
	}
	var err error
	if evt.Tags, err = appendAmount(evt.Tags, o.Msat, o.Bolt11); err != nil {
		return nil, err
	}
	return finish(evt, o.Expires, o.Extra)
}

// answerable says what hinders an event from being answered.
func answerable(request *nostr.Event) error {
	if request == nil {
		return fmt.Errorf("%w: no request", ErrBuild)
	}
	if !IsRequest(request.Kind) {
		return fmt.Errorf("%w: kind %d is no job request", ErrBuild, request.Kind)
	}
	if _, ok := ParseID(request.ID); !ok {
		return fmt.Errorf("%w: the request has no id", ErrBuild)
	}
	if _, ok := ParsePubKey(request.PubKey); !ok {
		return fmt.Errorf("%w: the request has no author", ErrBuild)
	}
	return nil
}

func appendAmount(tags nostr.Tags, msat Msat, bolt11 string) (nostr.Tags, error) {
	if msat < 0 || msat > MaxMsat {
		return nil, fmt.Errorf("%w: amount %d", ErrBuild, msat)
	}
	if bolt11 != "" {
		inv, err := DecodeInvoice(bolt11)
		if err != nil {
			return nil, fmt.Errorf("%w: read invoice: %w", ErrBuild, err)
		}
		if inv.Msat != 0 && inv.Msat != msat {
			return nil, fmt.Errorf("%w: amount %d msat beside an invoice over %d msat", ErrBuild, msat, inv.Msat)
		}
	}
	if msat == 0 && bolt11 == "" {
		return tags, nil
	}
	return append(tags, trimTag(nostr.Tag{"amount", formatMsat(msat), bolt11}, 2)), nil
}

func formatMsat(m Msat) string { return strconv.FormatInt(int64(m), 10) }

// finish adds what every event can have and holds the outcome against the protocol.
func finish(evt *nostr.Event, expires int64, extra nostr.Tags) (*nostr.Event, error) {
	if expires > 0 {
		evt.Tags = append(evt.Tags, nostr.Tag{"expiration", strconv.FormatInt(expires, 10)})
	}
	evt.Tags = append(evt.Tags, extra...)
	if err := Validate(evt); err != nil && (IsRequest(evt.Kind) || IsResult(evt.Kind) || IsFeedback(evt.Kind)) {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	return evt, nil
}
