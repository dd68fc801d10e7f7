package web

import (
	"encoding/json"
	"fmt"
	"strings"
)

// answerable is what a person needs to answer a job. NIP-90 "Job feedback" and "Job result".
type answerable struct {
	ID         string `json:"id"` // of the request, hex
	Kind       int    `json:"kind"`
	ResultKind int    `json:"result_kind"`
	Customer   string `json:"customer"`  // hex; empty when it is not kept
	RelayURL   string `json:"relay_url"` // where to send the answer; empty when unknown
	Encrypted  bool   `json:"encrypted"`
	// Addressed are the keys that the request names, in hex: of an encrypted one, those that can read it.
	Addressed []string `json:"addressed,omitempty"`
}

// At is the same, answered at a relay when none is configured.
func (a answerable) At(relay string) answerable {
	if a.RelayURL == "" {
		a.RelayURL = relay
	}
	return a
}

// Feedback is a command that tells the customer that work on the job goes on.
func (a answerable) Feedback() string {
	return a.feedback("processing", "")
}

// Bill is a command that asks the customer for payment, with an example of an amount and a place for an invoice.
func (a answerable) Bill() string {
	return a.feedback("payment-required", " -t 'amount=21000;lnbc...'")
}

// Failure is a command that tells the customer that nothing will come of the job.
func (a answerable) Failure() string { return a.said("error", "what went wrong") }

// Part is a command that sends a part of the result.
func (a answerable) Part() string {
	return strings.Replace(a.feedback("partial", ""), " -c '' ", " -c 'what there is so far' ", 1)
}

// Done is a command that tells the customer that the job is done; the result is another event.
func (a answerable) Done() string { return a.said("success", "done") }

// said is feedback with words for a person.
func (a answerable) said(status, text string) string {
	return strings.Replace(a.feedback(status, ""), " -t status="+status, " -t "+quoted("status="+status+";"+text), 1)
}

func (a answerable) feedback(status, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "nak event --sec \"$NSEC\" -k 7000 -t e=%s", quoted(a.ID))
	if a.Customer != "" {
		fmt.Fprintf(&b, " -t p=%s", quoted(a.Customer))
	}
	fmt.Fprintf(&b, " -t status=%s%s -c '' %s", status, more, quoted(a.RelayURL))
	return b.String()
}

// Result is a command that sends a result. It reads the request from the relay, because a result repeats it word for word.
func (a answerable) Result() string {
	inputs := ` + [.tags[] | select(.[0] == "i")]`
	if a.Encrypted {
		inputs = ` + [["encrypted"]]`
	}
	relay, err := json.Marshal(a.RelayURL)
	if err != nil { // a string always can
		relay = []byte(`""`)
	}
	program := fmt.Sprintf(`{kind: %d, content: $text, tags: ([["request", tojson], ["e", .id, %s], ["p", .pubkey]]%s)}`, a.ResultKind, relay, inputs)
	return fmt.Sprintf("nak req -i %s %s |\n  jq -c --arg text 'your result' %s |\n  nak event --sec \"$NSEC\" %s",
		quoted(a.ID), quoted(a.RelayURL), quoted(program), quoted(a.RelayURL))
}

// quoted is text as one word of a POSIX shell, whatever is in it.
func quoted(text string) string {
	plain := text != "" && strings.IndexFunc(text, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:@%+,", c))
	}) < 0
	if plain {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
