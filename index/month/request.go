package month

import (
	"math/rand/v2"

	"github.com/nbd-wtf/go-nostr"
)

// job is one request while what answers it is made.
type job struct {
	w       *world
	rng     *rand.Rand
	about   *profile
	at      int64
	request nostr.Event
	unseen  bool // the request never comes
	chained []nostr.Event
	to      []int // providers that it names
}

const (
	crowdedJob  = 17 // this one gets thousands of feedbacks
	bulkJobs    = 40
	recentJobs  = 64
	someAnswers = 256
)

func (w *world) profile(rng *rand.Rand) *profile {
	x := rng.Float64()
	for i := range w.profiles {
		if x -= w.profiles[i].share; x < 0 {
			return &w.profiles[i]
		}
	}
	return &w.profiles[0]
}

// skewed draws below n, the front more often.
func skewed(rng *rand.Rand, n int) int {
	x := rng.Float64()
	return int(x * x * x * float64(n))
}

func (w *world) job(n int, at int64) {
	rng := rand.New(rand.NewPCG(w.o.Seed, uint64(n)+1))
	j := &job{w: w, rng: rng, about: w.profile(rng), at: at}
	j.unseen = j.often(shareUnseen)
	j.ask(n)
	switch {
	case n == crowdedJob:
		j.crowd()
	case j.often(shareSilent):
	default:
		j.work()
	}
	j.ends()
	if int64(j.request.CreatedAt) != at {
		return // see leaves
	}
	if w.recent = append(w.recent, j.request); len(w.recent) > recentJobs {
		w.recent = w.recent[1:]
	}
}

// ask makes the request.
func (j *job) ask(n int) {
	w, rng, p := j.w, j.rng, j.about
	customer := skewed(rng, w.customers)
	content := ""
	tags := nostr.Tags{tag("relays", "wss://relay.example", "ws://10.0.0.7"), tag("alt", `asks for "things"`), tag("nonce", number(n))}
	if happens(rng, p.encrypted) {
		content = sealed(rng)
		tags = append(tags, tag("encrypted"))
	} else if happens(rng, p.input) {
		tags = append(tags, j.input())
	}
	if happens(rng, p.stray) {
		tags = append(tags, tag("wss://relay.damus.io", "wss://nos.lol"))
	}
	if happens(rng, p.bid) {
		tags = append(tags, tag("bid", number(1000*(1+rng.IntN(100))), "100000"))
	}
	if happens(rng, p.p) {
		j.address()
	}
	for _, to := range j.to {
		tags = append(tags, tag("p", w.providers[to].key))
	}
	if j.often(shareChained) && len(w.recent) > 0 {
		earlier := one(rng, w.recent...)
		j.chained = append(j.chained, earlier)
		tags = append(tags, tag("i", earlier.ID, "job"))
	}
	if j.often(shareExpiring) {
		tags = append(tags, tag("expiration", number(j.at+int64(one(rng, 60, 60, 300, 600, -1)))))
	}
	made := j.at
	if j.often(shareClock) && !w.leaves(w.customer(customer)) {
		made = j.offClock()
	}
	j.request = event(w.customer(customer), p.kind, made, content, tags...)
	if !j.unseen {
		w.emit(j.request)
	}
	if customer == 2 && len(w.bulk) < bulkJobs {
		w.bulk = append(w.bulk, j.request.ID)
	}
}

// offClock is a time that somebody's clock shows who lives years ago or ahead.
func (j *job) offClock() int64 {
	years := one(j.rng, int64(-9), -3, -1, 1, 2)
	return j.at + years*365*day
}

func (j *job) input() nostr.Tag {
	switch j.rng.IntN(8) {
	case 0:
		return tag("i", "what is this")
	case 1:
		return tag("i", "", "text")
	case 2:
		return tag("input", "text", "Hi")
	case 3:
		return tag("i", "https://example.com/a.mp3", "url")
	case 4:
		return tag("i", `{"max":200,"text":"say \"hello\""}`, "text")
	case 5:
		return tag("i", "translate this", "prompt")
	}
	return tag("i", "a fox in the snow", "text")
}

// address chooses the providers that a request names: one that serves the kind, now and then more, now and then one that
// does not.
func (j *job) address() {
	for range 1 + j.rng.IntN(50)/49*2 {
		j.to = append(j.to, j.server())
	}
}

// server is a provider, busy ones more often, that serves the kind if one is found soon.
func (j *job) server() int {
	n := 0
	for range 12 {
		n = skewed(j.rng, len(j.w.providers))
		for _, k := range j.w.providers[n].kinds {
			if k == j.about.kind {
				return n
			}
		}
	}
	return n
}

// sealed looks like a ciphertext of either NIP.
func sealed(rng *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := make([]byte, 132)
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	if rng.IntN(2) == 0 {
		return string(b[:64]) + "?iv=" + string(b[64:86]) + "=="
	}
	return "A" + "g" + string(b[:130])
}
