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
func (a answerable) Feedback() string { return a.feedback("status=processing", "", "") }

// Bill is a command that asks the customer for payment, with an example of an amount and a place for an invoice.
func (a answerable) Bill() string {
	return a.feedback("status=payment-required", "amount=21000;lnbc...", "")
}

// Part is a command that sends a part of the result.
func (a answerable) Part() string {
	return a.feedback("status=partial", "", "what there is so far")
}

// Failure is a command that tells the customer that nothing will come of the job.
func (a answerable) Failure() string {
	return a.feedback("status=error;what went wrong", "", "")
}

// Done is a command that tells the customer that the job is done; the result is another event.
func (a answerable) Done() string { return a.feedback("status=success;done", "", "") }

// feedback is a command that sends a 7000 with a status tag, as nak takes tags, and perhaps a further one.
func (a answerable) feedback(status, more, content string) string {
	words := []string{"nak event --sec \"$NSEC\" -k 7000 -t", quoted("e=" + a.ID)}
	if a.Customer != "" {
		words = append(words, "-t", quoted("p="+a.Customer))
	}
	words = append(words, "-t", quoted(status))
	if more != "" {
		words = append(words, "-t", quoted(more))
	}
	return strings.Join(append(words, "-c", quoted(content), quoted(a.RelayURL)), " ")
}

// Result is a command that sends a result. It reads the request from the relay, because a result repeats it word for word.
// When there is none it sends nothing: nak would make an event of its own out of no input.
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
	return fmt.Sprintf("result=$(nak req -i %s %s |\n  jq -c --arg text 'your result' %s) && [ -n \"$result\" ] &&\n  printf '%%s\\n' \"$result\" | nak event --sec \"$NSEC\" %s",
		quoted(a.ID), quoted(a.RelayURL), quoted(program), quoted(a.RelayURL))
}

// quoted is text as one word of a POSIX shell, whatever is in it.
func quoted(text string) string {
	plain := text != "" && strings.IndexFunc(text, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:@%+,=", c))
	}) < 0
	if plain {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
