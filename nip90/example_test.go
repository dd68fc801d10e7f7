package nip90_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nbd-wtf/go-nostr"

	"dvmrelay/nip90"
)

// The customer's and the provider's secret keys; never use such keys for anything but examples.
var (
	customer = strings.Repeat("0", 63) + "1"
	provider = strings.Repeat("0", 63) + "2"
)

// signed gives an event its author, id and signature.
func signed(evt *nostr.Event, secret string) *nostr.Event {
	if err := evt.Sign(secret); err != nil {
		panic(err)
	}
	return evt
}

func newJob() *nostr.Event {
	evt, err := nip90.NewRequest(5002, nip90.RequestOptions{
		Inputs:    []nip90.Input{{Data: "Hello", Type: "text"}},
		Params:    []nip90.Param{{Name: "language", Values: []string{"es"}}},
		Output:    "text/plain",
		Bid:       5000,
		Relays:    []string{"wss://relay.example.com"},
		CreatedAt: 1_740_000_000,
	})
	if err != nil {
		panic(err)
	}
	return signed(evt, customer)
}

func ExampleNewRequest() {
	evt, err := nip90.NewRequest(5002, nip90.RequestOptions{
		Inputs: []nip90.Input{{Data: "Hello", Type: "text"}},
		Params: []nip90.Param{{Name: "language", Values: []string{"es"}}},
		Bid:    5000,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(evt.Kind, evt.Tags)
	// Output: 5002 [[i Hello text] [param language es] [bid 5000]]
}

func ExampleNewRequest_refused() {
	_, err := nip90.NewRequest(5002, nip90.RequestOptions{Inputs: []nip90.Input{{Data: "Hello"}}})
	fmt.Println(errors.Is(err, nip90.ErrBuild))
	fmt.Println(err)
	// Output:
	// true
	// build event: not valid NIP-90: i has the type ""
}

func ExampleSealedTags() {
	o := nip90.RequestOptions{Inputs: []nip90.Input{{Data: "a secret", Type: "text"}}}
	plain, err := nip90.SealedTags(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plain)
	// The customer encrypts this to the provider and sets it as Sealed; the provider decrypts the content and reads:
	job, err := nip90.ParseRequestTags(plain)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Inputs[0].Data)
	// Output:
	// [["i","a secret","text"]]
	// a secret
}

func ExampleNewFeedback() {
	evt, err := nip90.NewFeedback(newJob(), nip90.PaymentRequired, nip90.FeedbackOptions{Text: "pay first", Msat: 5000})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tag := range evt.Tags {
		if tag[0] == "status" || tag[0] == "amount" {
			fmt.Println(tag)
		}
	}
	// Output:
	// [status payment-required pay first]
	// [amount 5000]
}

func ExampleNewResult() {
	job := newJob()
	evt, err := nip90.NewResult(job, nip90.ResultOptions{Content: "Hola", Msat: 5000, CreatedAt: 1_740_000_005})
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := nip90.Parse(signed(evt, provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	result := msg.(*nip90.Result)
	fmt.Println(result.Kind, result.Content, result.Ask.Msat, "msat")
	fmt.Println("answers the job:", result.Links[0].ID.String() == job.ID, "- proved by its quote:", result.Links[0].Trusted)
	fmt.Println("for its customer:", result.Customer.String() == job.PubKey)
	// Output:
	// 6002 Hola 5000 msat
	// answers the job: true - proved by its quote: true
	// for its customer: true
}

func ExampleNewHandler() {
	evt, err := nip90.NewHandler(nip90.HandlerOptions{
		D: "translator", Kinds: []int{5002}, Name: "Translator", About: "Any language to any other",
		Price: nip90.Price{Kind: nip90.PriceFixed, Msat: 5000}, Encryption: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(evt.Tags)
	fmt.Println(evt.Content)
	// Output:
	// [[d translator] [k 5002]]
	// {"name":"Translator","about":"Any language to any other","encryptionSupported":true,"acceptsNutZaps":false,"amount":"5000"}
}

func ExampleNewCancel() {
	job := newJob()
	evt, err := nip90.NewCancel("found it myself", 1_740_000_060, job)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(evt.Kind, evt.Tags[0][1] == job.ID, evt.Tags[1])
	// Output: 5 true [k 5002]
}

func ExampleParse() {
	msg, err := nip90.Parse(&nostr.Event{Kind: 7000, Tags: nostr.Tags{
		{"e", strings.Repeat("ab", 32)},
		{"p", strings.Repeat("cd", 32)},
		{"s", "payment_required"},
		{"amount", "100_000", "me@wallet.example.com"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	feedback := msg.(*nip90.Feedback)
	fmt.Println(feedback.Status, feedback.Ask.Msat, feedback.Ask.Address)
	for _, f := range feedback.Findings() {
		fmt.Println(f.Code)
	}
	// Output:
	// payment-required 100000 me@wallet.example.com
	// status-in-s-tag
	// status-nonstandard
	// invoice-is-address
	// amount-spelling
}

func ExampleLint() {
	for _, f := range nip90.Lint(&nostr.Event{Kind: 5050, CreatedAt: 1_740_000_000, Content: "write a poem", Tags: nostr.Tags{{"wss://relay.example.com"}}}) {
		fmt.Printf("%s: %s [%s]\n", f.Code, f.Text, f.Section)
	}
	// Output:
	// relay-as-tag-name: A tag's name is a relay's address; it was read as a relays tag without its name. [NIP-90 "Job request"]
	// prompt-in-content: There is no input, but the content is not empty; providers may not look there. [NIP-90 "Job request"]
}

func ExampleValidate() {
	err := nip90.Validate(&nostr.Event{Kind: 7000, Tags: nostr.Tags{{"status", "started"}, {"e", strings.Repeat("ab", 32)}}})
	fmt.Println(err)
	// Output:
	// not valid NIP-90: there is no p tag
	// not valid NIP-90: status is "started"
}

func ExampleParseReference() {
	ref, err := nip90.ParseReference("nostr:npub10xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqpkge6d")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ref.PubKey)
	// Output: 79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798
}

func ExampleDecodeInvoice() {
	inv, err := nip90.DecodeInvoice("lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(inv.Msat, inv.Expiry, inv.Description)
	// Output: 250000000 1m0s 1 cup coffee
}

func ExampleResultKind() {
	fmt.Println(nip90.ResultKind(5002), nip90.RequestKind(6002), nip90.KindName(5002), nip90.IsRequest(5128))
	// Output: 6002 5002 Translation false
}
