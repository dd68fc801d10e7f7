package demo

import (
	"encoding/json"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// provider is a service on the stage.
type provider struct {
	key
	name    string
	d       string
	about   string
	picture string
	kinds   []int
	price   int64 // msat; 0 = free, flexible = whatever the job is worth
	asks    int64 // msat asked for a job when the price is flexible
	sealed  bool  // reads encrypted jobs
	nutzaps bool
	params  string
	pace    int64   // milliseconds to a first answer, about
	trouble float64 // share of jobs that end in an error
	silent  bool    // never answers
	beats   bool    // is heard every few minutes
	age     int64   // days since it was announced
	relays  []int   // of the staged upstreams, which it names and is seen on
}

// flexible is the price of a service that says that it depends.
const flexible = -1

// customer is a person who asks for jobs.
type customer struct {
	key
	name  string
	about string
}

// world is the cast.
type world struct {
	seed      uint64
	providers []*provider
	customers []*customer
	byName    map[string]*provider
	serving   map[int][]*provider // who answers jobs of a kind
	cashier   key                 // signs zap receipts
	node      key                 // signs invoices
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed, byName: make(map[string]*provider), serving: make(map[int][]*provider), cashier: newKey(seed, "cashier"), node: newKey(seed, "node")}
	for i := range services {
		p := services[i]
		p.key = newKey(seed, "provider "+p.name)
		w.providers = append(w.providers, &p)
		w.byName[p.name] = &p
		if p.silent {
			continue
		}
		for _, k := range p.kinds {
			w.serving[k] = append(w.serving[k], &p)
		}
	}
	for _, c := range people {
		c.key = newKey(seed, "customer "+c.name)
		w.customers = append(w.customers, &c)
	}
	return w
}

func (p *provider) pubkey() nip90.PubKey {
	pk, _ := nip90.ParsePubKey(p.public) // the key is hex of our own making
	return pk
}

// msat is what it asks for a job; 0 when it asks for nothing.
func (p *provider) msat() int64 {
	if p.price == flexible {
		return p.asks
	}
	return p.price
}

func (p *provider) address() nip90.Address {
	return nip90.Address{Kind: nip90.KindHandler, PubKey: p.pubkey(), D: p.d}
}

func (p *provider) quoted() nip90.Price {
	switch p.price {
	case 0:
		return nip90.Price{Kind: nip90.PriceFree}
	case flexible:
		return nip90.Price{Kind: nip90.PriceFlexible}
	}
	return nip90.Price{Kind: nip90.PriceFixed, Msat: nip90.Msat(p.price)}
}

// handler is its announcement at a time.
func (p *provider) handler(at int64) (*nostr.Event, error) {
	var params json.RawMessage
	if p.params != "" {
		params = json.RawMessage(p.params)
	}
	return nip90.NewHandler(nip90.HandlerOptions{
		D: p.d, Kinds: p.kinds, Name: p.name, About: p.about, Picture: p.picture, Lud16: p.lud16(),
		Price: p.quoted(), Encryption: p.sealed, Nutzaps: p.nutzaps, Params: params, CreatedAt: at,
		Extra: nostr.Tags{{"t", "demo"}},
	})
}

// lud16 is where it is paid; a lightning address of a host that does not exist.
func (p *provider) lud16() string {
	if p.price == 0 {
		return ""
	}
	return p.d + "@pay.demo.example"
}

// people are the customers.
var people = []customer{
	{name: "alice", about: "Cooks, photographs, asks machines too many questions."},
	{name: "bruno", about: "Cycling commuter. Translates for a small publisher."},
	{name: "chiara", about: "Illustrator, mostly foxes."},
	{name: "dmitri", about: "Maintains a podcast archive in his spare time."},
	{name: "esther", about: "Librarian. Reads the footnotes."},
	{name: "farid", about: "Builds a client for slow connections."},
	{name: "greta", about: "Gardener on a windy balcony."},
	{name: "hiro", about: "Field recordings and train timetables."},
	{name: "imani", about: "Teaches maths, writes about rivers."},
	{name: "jonas", about: "Woodworker. Prefers long reads."},
	{name: "kaya", about: "Runs a village newsletter."},
	{name: "lucia", about: "Sailor between two harbours."},
	{name: "mateo", about: "Street food, street photography."},
	{name: "nadia", about: "Weather, maps and old atlases."},
	{name: "oskar", about: "Plays the accordion badly and often."},
}

const (
	feedParams  = `{"max_results":{"required":false,"values":["20","50","100"]}}`
	textParams  = `{"model":{"required":false,"values":["small","large"]},"temperature":{"required":false,"values":[]}}`
	imageParams = `{"size":{"required":false,"values":["1024x1024","1024x768"]},"style":{"required":false,"values":["ink","watercolour","photo"]}}`
	langParams  = `{"language":{"required":true,"values":["de","en","es","fr","it","pt"]}}`
	voiceParams = `{"voice":{"required":false,"values":["warm","clear","old radio"]}}`
)

func face(name string) string { return "https://pictures.demo.example/" + name + ".png" }

// services are the providers.
var services = []provider{
	{name: "Trending Notes", d: "trending", kinds: []int{5300}, about: "What the last hours talked about, without the shouting.", picture: face("trending"), params: feedParams, pace: 900, trouble: 0.01, beats: true, age: 210, relays: []int{0, 1, 2, 3}},
	{name: "Quiet Corners", d: "quiet-corners", kinds: []int{5300}, about: "Good notes by people with few followers.", picture: face("quiet"), params: feedParams, pace: 1500, trouble: 0.02, beats: true, age: 140, relays: []int{0, 1}},
	{name: "Photographers' Feed", d: "photo-feed", kinds: []int{5300, 5301}, about: "Pictures that somebody took the time to take.", picture: face("photo"), params: feedParams, pace: 1900, trouble: 0.04, beats: true, age: 96, relays: []int{1, 2}},
	{name: "Garden & Kitchen", d: "garden-kitchen", kinds: []int{5300}, about: "Seeds, stews and what is in season.", picture: face("garden"), params: feedParams, pace: 2600, trouble: 0.03, beats: true, age: 71, relays: []int{0, 4}},
	{name: "Dev Log Discovery", d: "devlog", kinds: []int{5300}, about: "Release notes and bug hunts from people who build.", picture: face("devlog"), params: feedParams, pace: 3400, trouble: 0.06, beats: true, age: 33, relays: []int{2, 5}},
	{name: "Summit Summaries", d: "summit", kinds: []int{5001, 5050}, about: "Long text in, one page out. Names its sources.", picture: face("summit"), price: 10_000, sealed: true, params: textParams, pace: 3100, trouble: 0.03, beats: true, age: 120, relays: []int{0, 1, 2}},
	{name: "Plainspeak", d: "plainspeak", kinds: []int{5050}, about: "Free text generation on a small machine in a cellar. Streams what it has.", picture: face("plain"), params: textParams, pace: 1400, trouble: 0.05, beats: true, age: 64, relays: []int{0, 3}},
	{name: "Longhand Writer", d: "longhand", kinds: []int{5050}, about: "Letters, poems and speeches. Reads encrypted jobs, takes nutzaps.", picture: face("longhand"), price: 50_000, sealed: true, nutzaps: true, params: textParams, pace: 5200, trouble: 0.02, beats: true, age: 180, relays: []int{0, 1, 5}},
	{name: "Painter", d: "painter", kinds: []int{5100}, about: "Images in ink and watercolour. Asks first, paints then.", picture: face("painter"), price: 2_100_000, nutzaps: true, params: imageParams, pace: 4300, trouble: 0.04, beats: true, age: 88, relays: []int{0, 1, 2}},
	{name: "PixelBot", d: "image-dvm", kinds: []int{5100}, about: "Fast images. Sometimes the model is down.", picture: face("pixel"), price: 500_000, params: imageParams, pace: 2100, trouble: 0.3, beats: true, age: 51, relays: []int{1, 3}},
	{name: "ImageX", d: "image-dvm", kinds: []int{5100}, about: "The best images on the network.", picture: face("imagex"), price: flexible, params: imageParams, silent: true, age: 190, relays: []int{2}},
	{name: "Babel Bridge", d: "babel", kinds: []int{5002}, about: "Translation that keeps the tone.", picture: face("babel"), price: 5_000, nutzaps: true, params: langParams, pace: 2300, trouble: 0.02, beats: true, age: 150, relays: []int{0, 1}},
	{name: "Polyglot", d: "polyglot", kinds: []int{5002, 5000}, about: "Free translation and text extraction, one job at a time.", picture: face("polyglot"), params: langParams, pace: 3800, trouble: 0.07, beats: true, age: 45, relays: []int{0, 4}},
	{name: "Reader's Aid", d: "readers-aid", kinds: []int{5000}, about: "Reads scans, slides and talks aloud into text.", picture: face("reader"), price: 20_000, sealed: true, pace: 6100, trouble: 0.04, beats: true, age: 102, relays: []int{0, 2}},
	{name: "Voicebox", d: "voicebox", kinds: []int{5250}, about: "Text to speech with a warm voice.", picture: face("voicebox"), price: 30_000, nutzaps: true, params: voiceParams, pace: 4900, trouble: 0.03, beats: true, age: 77, relays: []int{1, 5}},
	{name: "Narrator", d: "narrator", kinds: []int{5250}, about: "Reads whole chapters. The price depends on the length.", picture: face("narrator"), price: flexible, asks: 12_000, params: voiceParams, pace: 7400, trouble: 0.05, beats: true, age: 29, relays: []int{0}},
	{name: "Timestamper", d: "timestamp-2", kinds: []int{5900}, about: "Anchors notes in the chain, with a proof to keep.", picture: face("timestamper"), price: 100_000, pace: 2700, trouble: 0.01, beats: true, age: 12, relays: []int{0, 1, 4}},
	{name: "People Finder", d: "people-finder", kinds: []int{5301, 5302, 5303}, about: "Finds people and notes by what they care about.", picture: face("people"), params: feedParams, pace: 1700, trouble: 0.03, beats: true, age: 84, relays: []int{0, 3}},
	{name: "Night Owl Media", d: "night-owl", kinds: []int{5250, 5202}, about: "Overnight media jobs from a machine that is sometimes on.", picture: face("owl"), price: 80_000, params: voiceParams, pace: 9000, age: 60, silent: true, relays: []int{5}},
	{name: "Echo Well", d: "echo-well", kinds: []int{5050}, about: "Ask the well.", picture: face("echo"), params: textParams, silent: true, beats: true, age: 39, relays: []int{6}},
	{name: "Count of Notes", d: "counter", kinds: []int{5400}, about: "Counts notes by author, tag and day.", picture: face("count"), pace: 800, trouble: 0.02, beats: true, age: 55, relays: []int{0, 2}},
	{name: "Tinker's Old Bench", d: "tinker", kinds: []int{5302}, about: "An experiment of last spring.", silent: true, age: 168, relays: []int{1}},
	{name: "Gone and Back", d: "gone-and-back", kinds: []int{5000}, about: "Moves house now and then, keeps its name.", picture: face("gone"), pace: 5600, trouble: 0.08, beats: true, age: 5, relays: []int{3}},
}
