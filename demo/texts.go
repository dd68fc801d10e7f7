package demo

// errand is what somebody asks, and a good answer to it. An empty answer is made up on the spot.
type errand struct {
	kind   int
	in     string
	how    string // type of the input
	param  string // name and value of a param, may be empty
	value  string
	output string
	out    string
}

const (
	plain = "text/plain"
	image = "image/png"
	audio = "audio/mpeg"
)

// errands are told by kind; a kind asked more often has more of them.
var errands = map[int][]errand{
	5300: {
		{in: "quiet photography from the last day", how: "text", param: "max_results", value: "20"},
		{in: "what happened overnight, without the shouting", how: "text", param: "max_results", value: "50"},
		{in: "balcony gardens in a windy place", how: "text", param: "max_results", value: "20"},
		{in: "long reads about rivers", how: "text", param: "max_results", value: "20"},
		{in: "release notes of nostr clients this week", how: "text", param: "max_results", value: "50"},
		{in: "trains, timetables and night journeys", how: "text", param: "max_results", value: "20"},
		{in: "bread: first loaves and honest failures", how: "text", param: "max_results", value: "20"},
		{in: "old maps and the people who redraw them", how: "text", param: "max_results", value: "20"},
		{in: "street food under five euros", how: "text", param: "max_results", value: "100"},
		{in: "accordion music, any country", how: "text", param: "max_results", value: "20"},
		{in: "sailing logs from the Baltic", how: "text", param: "max_results", value: "20"},
		{in: "notes that made people laugh today", how: "text", param: "max_results", value: "50"},
	},
	5301: {
		{in: "people who repair radios", how: "text"},
		{in: "illustrators who draw animals", how: "text"},
		{in: "teachers of mathematics", how: "text"},
	},
	5302: {
		{in: "sourdough hydration table", how: "text"},
		{in: "how to read a tide chart", how: "text"},
	},
	5050: {
		{in: "Explain to a nine-year-old why the moon follows our car.", how: "text", output: plain, out: "The moon is very far away. When you drive past a tree it slides by quickly, because it is near. The moon is so far that it hardly moves at all, so it looks as if it came along."},
		{in: "A polite note to neighbours about a birthday party on Saturday.", how: "text", output: plain, out: "Dear neighbours, on Saturday we celebrate a birthday in the courtyard, from four until ten. There is cake for everybody. If it gets too loud, ring the bell: we will turn it down."},
		{in: "Three titles for a podcast about lighthouses.", how: "text", output: plain, out: "1. Keepers\n2. The Long Beam\n3. Flash, Four Seconds, Dark"},
		{in: "What can I cook from leeks, two potatoes and half a cup of cream?", how: "text", output: plain, out: "A small leek and potato soup: sweat the leeks in butter, add the diced potatoes and a pint of water, simmer for twenty minutes, blend half of it, stir in the cream."},
		{in: "Rewrite friendlier: 'Your parcel was not picked up. It goes back.'", how: "text", output: plain, out: "Your parcel is still waiting for you. We keep it until Friday, and then send it back to where it came from."},
		{in: "Four lines about the first day of autumn, no rhymes.", how: "text", output: plain, out: "The bench is colder than I remembered.\nSomebody has swept the leaves into a small hill.\nA dog inspects it.\nThe hill is gone."},
		{in: "What is the difference between a canal and a river, in two sentences?", how: "text", output: plain, out: "A river finds its own way downhill and changes it over time. A canal is dug where people want water to be, and locks hold it level."},
		{in: "A packing list for three rainy days in the hills.", how: "text", output: plain, out: "Rain jacket, spare socks (two pairs), a warm layer, map, headlamp, bread and cheese, tea, a dry bag for all that must stay dry."},
		{in: "Suggest a name for a village newsletter.", how: "text", output: plain, out: "The Lower Bridge Letter"},
	},
	5001: {
		{in: "https://texts.demo.example/minutes-of-the-harbour-board.txt", how: "url", output: plain, out: "The board agreed to dredge the east basin in spring, to keep the fees, and to ask again about the crane."},
		{in: "https://texts.demo.example/why-bees-dance.txt", how: "url", output: plain, out: "Bees tell direction and distance of a meadow by the angle and the length of their dance. The essay follows how that was found out, and who doubted it."},
	},
	5100: {
		{in: "a red fox asleep under a chestnut tree, ink and watercolour", how: "text", param: "size", value: "1024x1024", output: image},
		{in: "a lighthouse in fog, seen from a small boat", how: "text", param: "size", value: "1024x768", output: image},
		{in: "an accordion made of paper", how: "text", param: "size", value: "1024x1024", output: image},
		{in: "tram depot at night, wet cobblestones", how: "text", param: "size", value: "1024x768", output: image},
		{in: "a balcony with tomatoes, seen from above", how: "text", param: "size", value: "1024x1024", output: image},
		{in: "an atlas page of a country that does not exist", how: "text", param: "size", value: "1024x768", output: image},
	},
	5000: {
		{in: "https://scans.demo.example/recipe-card-1962.jpg", how: "url", output: plain, out: "Plum cake. 500 g flour, 200 g butter, 3 eggs, a pinch of salt. Bake until the kitchen smells right, about fifty minutes."},
		{in: "https://scans.demo.example/timetable-branch-line.png", how: "url", output: plain, out: "Dep. 06:12, 07:42, 09:12, then hourly until 21:12. On Sundays the first train runs at 09:12."},
		{in: "https://talks.demo.example/rivers-lecture-3.mp3", how: "url", output: plain, out: "Good morning. Today we follow the water from where it falls to where it is measured, and we begin with a mistake that I made for ten years."},
		{in: "https://scans.demo.example/harbour-ledger-page-14.png", how: "url", output: plain, out: "14 May: two barrels of tar, one coil of rope. 15 May: nothing came in, fog all day."},
		{in: "https://scans.demo.example/seed-packet-back.jpg", how: "url", output: plain, out: "Sow from April, 2 cm deep, 30 cm apart. Water sparingly until the second leaf."},
		{in: "https://talks.demo.example/radio-repair-evening.mp3", how: "url", output: plain, out: "Before you open anything, pull the plug and wait a minute. Then look, and smell: a burnt part often tells you where it is."},
		{in: "https://slides.demo.example/bridge-inspection.pdf", how: "url", output: plain, out: "Findings: rust at both bearings, cracks in the third span, birds nesting in the drain. Next look in six months."},
	},
	5002: {
		{in: "The ferry does not run when the flag is up.", how: "text", param: "language", value: "de", output: plain, out: "Die Fähre fährt nicht, solange die Flagge gehisst ist."},
		{in: "Please water the tomatoes in the evening.", how: "text", param: "language", value: "fr", output: plain, out: "Merci d'arroser les tomates le soir."},
		{in: "Der Schlüssel liegt unter dem dritten Blumentopf.", how: "text", param: "language", value: "en", output: plain, out: "The key is under the third flower pot."},
		{in: "La biblioteca abre a las diez.", how: "text", param: "language", value: "en", output: plain, out: "The library opens at ten."},
		{in: "We only bake on Tuesdays and Fridays.", how: "text", param: "language", value: "it", output: plain, out: "Inforniamo solo il martedì e il venerdì."},
		{in: "The bridge is closed to lorries.", how: "text", param: "language", value: "pt", output: plain, out: "A ponte está fechada para camiões."},
	},
	5250: {
		{in: "Dear listeners, tonight we read the log of a lighthouse keeper.", how: "text", param: "voice", value: "warm", output: audio},
		{in: "Platform two, the night train to the coast, all stops.", how: "text", param: "voice", value: "old radio", output: audio},
		{in: "Once upon a time there was a well that answered.", how: "text", param: "voice", value: "clear", output: audio},
		{in: "Weather for the coast: wind from the west, four to five, later less.", how: "text", param: "voice", value: "clear", output: audio},
		{in: "The library closes in fifteen minutes. Please bring your books to the desk.", how: "text", param: "voice", value: "warm", output: audio},
		{in: "Chapter one. Nobody in the village had ever seen the lamp go out.", how: "text", param: "voice", value: "warm", output: audio},
	},
	5900: { // the note that is to be stamped is thrown when it is asked
		{in: "", how: "event"},
		{in: "", how: "event"},
	},
	5400: {
		{in: `{"kinds":[1],"#t":["gardening"]}`, how: "text", output: plain, out: "1847"},
		{in: `{"kinds":[30023],"#t":["maps"]}`, how: "text", output: plain, out: "212"},
	},
	5999: {
		{in: "find out whether the bakery by the station is open", how: "text"},
		{in: "compile my thesis and tell me how many pages it has", how: "text"},
		{in: "water the tomatoes", how: "text"},
	},
}

// demand is how often a kind is asked for, beside the others.
var demand = []struct {
	kind, weight int
}{{5300, 60}, {5050, 13}, {5100, 6}, {5002, 5}, {5000, 4}, {5250, 4}, {5900, 2}, {5301, 2}, {5302, 1}, {5001, 2}, {5400, 1}}

// at work, words of providers while they are busy.
var (
	busyWords  = []string{"on it", "reading the input", "in the queue, place 2", "warming up", "started", "halfway there"}
	errorWords = []string{"model down", "out of memory, try a smaller size", "the input could not be fetched", "rate limit of the backend", "timeout after 60 s"}
	askWords   = []string{"paid jobs only", "please pay the invoice", "starts when paid", "zap this note"}
	doneWords  = []string{"done", "finished", "here it is"}
	thanks     = []string{"thank you", "nice work", "as agreed", "", ""}
	regrets    = []string{"changed my mind", "found it myself", "asked the wrong machine"}
)

// errand is one of a kind.
func (s *writer) errand(kind int) errand { return errandOf(kind, s.d.IntN(len(errands[kind]))) }

func errandOf(kind, i int) errand {
	e := errands[kind][i]
	e.kind = kind
	return e
}
