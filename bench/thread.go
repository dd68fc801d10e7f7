package bench

import (
	"encoding/json"
	"strconv"

	"github.com/nbd-wtf/go-nostr"
)

// job is what the events of one thread have in common.
type job struct {
	kind      int
	msat      int
	customer  identity
	provider  identity
	directed  bool // the request names its provider
	encrypted bool
}

func (w *world) job() job {
	j := job{kind: w.kind(), msat: (1 + w.rng.IntN(200)) * 1000}
	j.customer = w.customers[w.byCust.Uint64()]
	p := w.byProv.Uint64()
	j.provider = w.providers[p]
	if w.chance(0.8) {
		j.kind = w.serves[p][w.rng.IntN(len(w.serves[p]))]
	}
	j.directed = w.chance(0.45)
	j.encrypted = j.directed && w.chance(0.1)
	return j
}

// thread draws a request, none to three feedbacks, none to two results, perhaps a zap, perhaps a cancellation.
// A cancellation is only drawn when it fits before end.
func (w *world) thread(at, end int64) []*draft {
	j := w.job()
	req := w.request(j, at)
	out := []*draft{req}
	t, asked := at, false
	for range w.rng.IntN(4) {
		t += 1 + w.rng.Int64N(20)
		f, invoiced := w.feedback(j, t, req)
		out, asked = append(out, f), asked || invoiced
	}
	for i := range w.rng.IntN(3) {
		t += 2 + w.rng.Int64N(60)
		by := j.provider
		if !j.directed && i > 0 { // an open job may be answered by somebody else as well
			by = w.providers[w.byProv.Uint64()]
		}
		out = append(out, w.result(j, t, by, req))
	}
	if asked && w.chance(0.4) {
		out = append(out, w.zap(j, t+1+w.rng.Int64N(30), req))
	}
	if w.chance(cancelShare) && at+2*86_400 < end {
		d := w.draft(5, at+86_400, j.customer, "cancelled")
		d.parent, d.link = req, func(d *draft, r *nostr.Event) {
			d.Tags = nostr.Tags{{"e", r.ID}, {"k", strconv.Itoa(r.Kind)}}
		}
		out = append(out, d)
	}
	return out
}

func (w *world) request(j job, at int64) *draft {
	var tags nostr.Tags
	content := ""
	if j.encrypted {
		content = w.cipher(200 + w.rng.IntN(600))
		tags = append(tags, nostr.Tag{"encrypted"})
	} else {
		switch w.rng.IntN(4) {
		case 0:
			tags = append(tags, nostr.Tag{"i", "https://example.com/media/" + w.hex(8) + ".mp4", "url"})
		case 1:
			tags = append(tags, nostr.Tag{"i", w.hex(32), "event", w.hints[w.rng.IntN(len(w.hints))]})
		default:
			tags = append(tags, nostr.Tag{"i", w.text(5 + w.rng.IntN(60)), "text"})
		}
		for range w.rng.IntN(4) {
			tags = append(tags, nostr.Tag{"param", w.word(), strconv.Itoa(w.rng.IntN(1000))})
		}
	}
	if w.chance(0.6) {
		tags = append(tags, nostr.Tag{"output", "text/plain"})
	}
	tags = append(tags, nostr.Tag{"relays", w.hints[0], w.hints[1+w.rng.IntN(len(w.hints)-1)]})
	if w.chance(0.7) {
		tags = append(tags, nostr.Tag{"bid", strconv.Itoa(j.msat)})
	}
	if w.chance(0.3) {
		tags = append(tags, nostr.Tag{"t", "bitcoin"})
	}
	if j.directed {
		tags = append(tags, nostr.Tag{"p", j.provider.public})
	}
	return w.draft(j.kind, at, j.customer, content, tags...)
}

// answers puts the links to the request before the tags an answer has of its own.
func answers(d *draft, r *nostr.Event, head ...nostr.Tag) {
	head = append(head, nostr.Tag{"e", r.ID, relayHints()[0]}, nostr.Tag{"p", r.PubKey})
	d.Tags = append(head, d.Tags...)
}

func (w *world) feedback(j job, at int64, req *draft) (d *draft, invoiced bool) {
	status := []string{"processing", "payment-required", "success", "error", "partial"}[w.rng.IntN(5)]
	d = w.draft(7000, at, j.provider, "", nostr.Tag{"status", status})
	d.parent, d.link = req, func(d *draft, r *nostr.Event) { answers(d, r) }
	switch status {
	case "payment-required":
		d.Tags = append(d.Tags, nostr.Tag{"amount", strconv.Itoa(j.msat), w.invoice(j.msat)})
		return d, true
	case "error":
		d.Tags = nostr.Tags{{"status", status, w.text(6)}}
	case "partial":
		d.Content = w.text(20 + w.rng.IntN(60))
	}
	return d, false
}

func (w *world) result(j job, at int64, by identity, req *draft) *draft {
	amount := nostr.Tag{"amount", strconv.Itoa(j.msat)}
	if w.chance(0.7) {
		amount = append(amount, w.invoice(j.msat))
	}
	d := w.draft(j.kind+1000, at, by, w.output(j), amount)
	if j.encrypted {
		d.Tags = append(d.Tags, nostr.Tag{"encrypted"})
	}
	d.parent, d.link = req, func(d *draft, r *nostr.Event) {
		head := nostr.Tags{{"request", r.String()}}
		for _, t := range r.Tags {
			if len(t) > 0 && t[0] == "i" {
				head = append(head, t)
			}
		}
		answers(d, r, head...)
	}
	return d
}

func (w *world) output(j job) string {
	switch {
	case j.encrypted:
		return w.cipher(300 + w.rng.IntN(1200))
	case j.kind >= 5300 && j.kind < 5304:
		var list nostr.Tags
		for range 5 + w.rng.IntN(20) {
			list = append(list, nostr.Tag{"e", w.hex(32)})
		}
		b, _ := json.Marshal(list) // strings only: cannot fail
		return string(b)
	case j.kind >= 5100 && j.kind < 5300:
		return "https://cdn.example.com/" + w.hex(16) + ".png"
	default:
		return w.text(30 + w.rng.IntN(200))
	}
}

func (w *world) zap(j job, at int64, req *draft) *draft {
	d := w.draft(9735, at, w.providers[len(w.providers)-1], "",
		nostr.Tag{"p", j.provider.public}, nostr.Tag{"P", j.customer.public},
		nostr.Tag{"bolt11", w.invoice(j.msat)}, nostr.Tag{"preimage", w.hex(32)})
	d.parent, d.link = req, func(d *draft, r *nostr.Event) {
		d.Tags = append(d.Tags, nostr.Tag{"e", r.ID},
			nostr.Tag{"description", `{"kind":9734,"pubkey":"` + r.PubKey + `","content":"","tags":[["e","` + r.ID + `"]]}`})
	}
	return d
}
