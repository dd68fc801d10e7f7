package web

import (
	"strconv"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

// evidenceShown is how many pieces of evidence a page shows for one item.
const evidenceShown = 12

// checkState is the state of an item of a check list as people see it: a sign, a word, and a class for a colour.
type checkState struct {
	Sign, Word, Class string
	rank              int
}

var checkStates = map[string]checkState{
	index.CheckFail:    {"✕", "wrong", "bad", 0},
	index.CheckWarn:    {"!", "look", "warn", 1},
	index.CheckUnknown: {"?", "not known", "dim", 2},
	index.CheckOK:      {"✓", "fine", "good", 3},
}

// checked is an item of a check list as a page shows it.
type checked struct {
	Code, Title, Text, Do string
	State                 checkState
	At                    int64 // when it is about a moment, unix seconds
	Evidence              []proof
}

// proof is a piece of evidence; Path is set when it has a page here.
type proof struct{ Text, Path string }

// checkTitles name the items, and say what to do when one is not fine.
var checkTitles = map[string]struct{ title, do string }{
	"announced":       {"Announcement", "Publish a kind 31990 event with a k tag for each kind you serve, to this relay and to those your customers read."},
	"announced-where": {"Where it is announced", "Send the announcement again, as it is, to the relays named here; the same event may go to many."},
	"content-json":    {"Content", "Publish it again with a JSON object as content: name, about, picture, amount. Python's str(dict) is no JSON."},
	"kinds":           {"Kinds", "Add a k tag with a number from 5000 to 5999 for each kind you serve, and publish it again."},
	"d-tag":           {"d tag", "Add a d tag with a fixed text of your own for each service, and keep it from then on."},
	"price":           {"Price", "State amount in the content: a number in millisatoshi, free or flexible."},
	"profile":         {"Profile", "Publish a kind 0 event of this key with name, about, picture and lud16."},
	"lud16":           {"Lightning address", "Put lud16, as name@host, into the profile (kind 0) or the announcement."},
	"relay-list":      {"Relay list", "Publish a kind 10002 event with an r tag for each relay where you listen for jobs."},
	"heartbeat":       {"Heartbeat", "Publish a kind 11998 event every few minutes while you run; after 15 minutes without one you count as offline."},

	"found-by-amethyst":   {"Found by Amethyst", "Amethyst asks for kind 5300, the newest 30 only: announce that kind, and publish it again now and then."},
	"found-by-noogle":     {"Found by noogle", "noogle asks by k tags from 5000 to 5999: put the kinds you serve into k tags."},
	"found-by-openagents": {"Found by OpenAgents", "OpenAgents asks for kind 5050: announce it if you generate text."},

	"listens-where-asked":          {"Listens where it is asked", "Listen on the relays that your customers name, and name them in your relay list (kind 10002)."},
	"results-on-several-upstreams": {"Results in several places", "Publish results to more than one relay: those that the request names, and your own."},
	"results-where-asked":          {"Results where they are looked for", "Publish each result to every relay in the relays tag of its request."},
	"answers":                      {"Answers", "See the jobs it could answer; if it does not want them, announce fewer kinds."},
	"delivers-when-paid":           {"Delivers when paid", "Open the jobs with a claimed payment and no result, and send the result or pay back."},
	"errors":                       {"Errors", "Read the status texts of its errors in its recent jobs."},
}

func checkedOf(it index.CheckItem) checked {
	known := checkTitles[it.Code]
	c := checked{Code: it.Code, Title: known.title, Text: it.Text, State: checkStates[it.State]}
	if c.Title == "" {
		c.Title = it.Code
	}
	if c.State == (checkState{}) {
		c.State = checkStates[index.CheckUnknown]
	}
	if it.State == index.CheckFail || it.State == index.CheckWarn {
		c.Do = known.do
	}
	for _, e := range it.Evidence[:min(len(it.Evidence), evidenceShown)] {
		if at, err := strconv.ParseInt(e, 10, 64); err == nil && it.Code == "heartbeat" {
			c.At = at
			continue
		}
		p := proof{Text: shorten(e, 160)}
		if parts := strings.SplitN(e, ":", 3); len(parts) == 3 && parts[0] == "31990" {
			p.Text = "d = " + shorten(parts[2], 80)
		}
		if _, ok := nip90.ParseID(e); ok {
			p = proof{"event " + e[:8], eventPath(e)}
		}
		c.Evidence = append(c.Evidence, p)
	}
	if more := len(it.Evidence) - evidenceShown; more > 0 {
		c.Evidence = append(c.Evidence, proof{Text: "and " + itoa(more) + " more"})
	}
	return c
}
