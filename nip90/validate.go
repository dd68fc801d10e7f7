package nip90

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// ErrInvalid is wrapped by every fault that Validate finds.
var ErrInvalid = errors.New("not valid NIP-90")

// maxFaults bounds what Validate says about one event.
const maxFaults = 32

// faults collects what Validate finds.
type faults struct{ list []error }

func (f *faults) addf(format string, args ...any) {
	if len(f.list) < maxFaults {
		f.list = append(f.list, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...)))
	}
}

// Validate holds a job request, result or feedback strictly against NIP-90 and returns all its faults, joined, each
// wrapping ErrInvalid; nil when there is none. It looks at neither id nor signature, so that builders can use it, and
// it is much stricter than Parse: real software sends a lot that is not valid.
func Validate(evt *nostr.Event) error {
	var f faults
	if evt == nil {
		return fmt.Errorf("%w: no event", ErrInvalid)
	}
	for _, tag := range evt.Tags {
		if len(tag) == 0 || tag[0] == "" {
			f.addf("a tag has no name")
		}
	}
	switch {
	case IsRequest(evt.Kind):
		f.request(evt)
	case IsResult(evt.Kind):
		f.result(evt)
	case IsFeedback(evt.Kind):
		f.feedback(evt)
	default:
		f.addf("kind %d is neither request nor result nor feedback", evt.Kind)
	}
	return errors.Join(f.list...)
}

func (f *faults) request(evt *nostr.Event) {
	sealed := count(evt, "encrypted") > 0
	for _, tag := range evt.Tags {
		switch value(tag, 0) {
		case "i":
			f.input(tag)
		case "output", "t":
			if value(tag, 1) == "" {
				f.addf("%s is empty", tag[0])
			}
		case "param":
			if len(tag) < 3 || tag[1] == "" {
				f.addf("param needs a name and a value")
			}
		case "bid":
			f.msat("bid", value(tag, 1))
		case "relays":
			f.relays(tag[1:])
		case "p":
			f.key(tag)
		}
	}
	if !sealed {
		return
	}
	if count(evt, "p") == 0 {
		f.addf("an encrypted job needs a p tag for its provider")
	}
	if count(evt, "i") > 0 || count(evt, "param") > 0 {
		f.addf("an encrypted job has i and param tags in the open")
	}
	if sealedContent(evt.Content) == Plain {
		f.addf("the content is neither NIP-04 nor NIP-44")
	}
}

func (f *faults) input(tag nostr.Tag) {
	data, kind, relay := value(tag, 1), value(tag, 2), value(tag, 3)
	if data == "" {
		f.addf("i has no data")
	}
	switch kind {
	case "text":
	case "url":
		if u, err := url.Parse(data); err != nil || u.Scheme == "" {
			f.addf("i of type url holds %q", clip(data, 60))
		}
	case "event", "job":
		if _, ok := ParseID(data); !ok {
			f.addf("i of type %s holds %q", kind, clip(data, 60))
		}
	default:
		f.addf("i has the type %q", clip(kind, 60))
	}
	if relay != "" {
		f.relays([]string{relay})
	}
}

func (f *faults) result(evt *nostr.Event) {
	f.once(evt, "request", "e", "p")
	links := map[string]bool{}
	for _, tag := range evt.Tags {
		switch value(tag, 0) {
		case "e":
			links[value(tag, 1)] = true
		case "i":
			if count(evt, "encrypted") > 0 {
				f.addf("an encrypted result has an i tag in the open")
			}
		}
	}
	f.answer(evt)
	for _, tag := range evt.Tags {
		if value(tag, 0) != "request" {
			continue
		}
		q, ok := readQuoted(strings.TrimSpace(value(tag, 1)))
		switch {
		case !ok:
			f.addf("request holds no JSON object")
		case !q.trusted:
			f.addf("request quotes an event whose id is not its hash")
		case !links[q.id.String()]:
			f.addf("request quotes another event than e names")
		case q.kind+1000 != evt.Kind:
			f.addf("kind %d does not answer kind %d", evt.Kind, q.kind)
		}
		return
	}
}

func (f *faults) feedback(evt *nostr.Event) {
	f.once(evt, "status", "e", "p")
	asked := false
	for _, tag := range evt.Tags {
		asked = asked || value(tag, 0) == "amount"
	}
	for _, tag := range evt.Tags {
		if value(tag, 0) != "status" {
			continue
		}
		status, ok := exactStatus(value(tag, 1))
		if !ok {
			f.addf("status is %q", clip(value(tag, 1), 60))
		}
		if status == PaymentRequired && !asked {
			f.addf("payment is required but no amount told")
		}
		break
	}
	f.answer(evt)
}

// answer holds what results and feedback share against the protocol.
func (f *faults) answer(evt *nostr.Event) {
	for _, tag := range evt.Tags {
		switch value(tag, 0) {
		case "e":
			if _, ok := ParseID(value(tag, 1)); !ok {
				f.addf("e holds %q", clip(value(tag, 1), 60))
			}
			if relay := value(tag, 2); relay != "" {
				f.relays([]string{relay})
			}
		case "p":
			f.key(tag)
		case "amount":
			f.amount(tag)
		}
	}
	if count(evt, "amount") > 1 {
		f.addf("amount appears more than once")
	}
}

func (f *faults) amount(tag nostr.Tag) {
	msat, ok := f.msat("amount", value(tag, 1))
	bolt11 := value(tag, 2)
	if bolt11 == "" || !ok {
		return
	}
	inv, err := DecodeInvoice(bolt11)
	switch {
	case err != nil:
		f.addf("amount holds an invoice that cannot be read: %v", err)
	case strings.HasPrefix(strings.ToLower(bolt11), "lightning:"):
		f.addf("the invoice has a lightning: prefix")
	case inv.Msat != 0 && inv.Msat != msat:
		f.addf("amount is %d msat, its invoice %d msat", msat, inv.Msat)
	}
}

// msat demands plain digits.
func (f *faults) msat(name, s string) (Msat, bool) {
	fig := parseFigure(s)
	if !fig.ok || fig.odd != oddNone {
		f.addf("%s is %q, not a number of millisatoshi", name, clip(s, 60))
		return 0, false
	}
	return fig.msat, true
}

func (f *faults) key(tag nostr.Tag) {
	if _, ok := ParsePubKey(value(tag, 1)); !ok {
		f.addf("p holds %q", clip(value(tag, 1), 60))
	}
}

func (f *faults) relays(urls []string) {
	if len(urls) == 0 {
		f.addf("relays is empty")
	}
	for _, s := range urls {
		if u, err := url.Parse(s); err != nil || (u.Scheme != "wss" && u.Scheme != "ws") || u.Host == "" {
			f.addf("%q is no relay", clip(s, 60))
		}
	}
}

// once demands that each of the tags is there.
func (f *faults) once(evt *nostr.Event, names ...string) {
	for _, name := range names {
		if count(evt, name) == 0 {
			f.addf("there is no %s tag", name)
		}
	}
}

func count(evt *nostr.Event, name string) int {
	n := 0
	for _, tag := range evt.Tags {
		if value(tag, 0) == name {
			n++
		}
	}
	return n
}
