package nip90

import (
	"math"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// realInvoice is from feedback f9fe21e8 of the real events: 250n, that is 25,000 msat.
func realInvoice(t testing.TB) string {
	t.Helper()
	for _, evt := range readEvents(t, "testdata/real-events.jsonl") {
		if strings.HasPrefix(evt.ID, "f9fe21e8") {
			for _, tag := range evt.Tags {
				if len(tag) > 2 && tag[0] == "amount" {
					return tag[2]
				}
			}
		}
	}
	t.Fatal("real event f9fe21e8 has no invoice")
	return ""
}

// amountCase is an event's tags about money and what is asked by them.
type amountCase struct {
	name   string
	tags   nostr.Tags
	set    bool
	want   Msat
	method string
	code   string // findings, empty for none
}

// checkAmounts holds that feedback and results read money alike.
func checkAmounts(t *testing.T, cases []amountCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tags := append(nostr.Tags{{"e", id1}, {"p", aliceKey}, {"status", "success"}}, c.tags...)
			fb := mustParse(t, ev(7000, "", tags...)).(*Feedback)
			res := mustParse(t, ev(6050, "", tags...)).(*Result)
			if pretty(fb.Ask) != pretty(res.Ask) {
				t.Errorf("feedback says %s, result %s", pretty(fb.Ask), pretty(res.Ask))
			}
			if fb.Ask.Set != c.set || fb.Ask.Msat != c.want || fb.Ask.Method != c.method {
				t.Errorf("got %s, want set %t, %d msat, method %q", pretty(fb.Ask), c.set, c.want, c.method)
			}
			want := c.code
			if want == "" {
				want = "-"
			}
			if got := codes(fb.Findings()); got != want {
				t.Errorf("got findings %s, want %s", got, want)
			}
		})
	}
}

func TestParse_AmountsAlone(t *testing.T) {
	checkAmounts(t, []amountCase{
		{"none", nil, false, 0, "", ""},
		{"msat", nostr.Tags{{"amount", "1599000"}}, true, 1599000, "", ""},
		{"zero", nostr.Tags{{"amount", "0"}}, true, 0, "", ""},
		{"empty third element", nostr.Tags{{"amount", "5", ""}}, true, 5, "", ""},
		{"unit sat", nostr.Tags{{"amount", "21", "sat"}}, true, 21000, "", "amount-unit"},
		{"unit sats", nostr.Tags{{"amount", "21", "Sats"}}, true, 21000, "", "amount-unit"},
		{"unit msat", nostr.Tags{{"amount", "21", "msat"}}, true, 21, "", "amount-unit"},
		{"unit in the number", nostr.Tags{{"amount", "21 sats"}}, true, 21000, "", "amount-spelling,amount-unit"},
		{"underscore", nostr.Tags{{"amount", "100_000"}}, true, 100000, "", "amount-spelling"},
		{"commas", nostr.Tags{{"amount", "1,100,000"}}, true, 1100000, "", "amount-spelling"},
		{"a comma that is none", nostr.Tags{{"amount", "1,5"}}, false, 0, "", "amount-unreadable"},
		{"point zero", nostr.Tags{{"amount", "1000.0"}}, true, 1000, "", "amount-spelling"},
		{"plus", nostr.Tags{{"amount", "+1000"}}, true, 1000, "", "amount-spelling"},
		{"fraction", nostr.Tags{{"amount", "0.5"}}, false, 0, "", "amount-unreadable"},
		{"exponent", nostr.Tags{{"amount", "1e6"}}, false, 0, "", "amount-unreadable"},
		{"hexadecimal", nostr.Tags{{"amount", "0x10"}}, false, 0, "", "amount-unreadable"},
		{"text", nostr.Tags{{"amount", "cheap"}}, false, 0, "", "amount-unreadable"},
		{"no number", nostr.Tags{{"amount"}}, false, 0, "", "amount-unreadable"},
		{"negative", nostr.Tags{{"amount", "-1000"}}, false, 0, "", "amount-negative"},
		{"10^30", nostr.Tags{{"amount", "1" + strings.Repeat("0", 30)}}, true, MaxMsat, "", "amount-huge"},
		{"2^63", nostr.Tags{{"amount", "9223372036854775808"}}, true, MaxMsat, "", "amount-huge"},
		{"10^30 sat", nostr.Tags{{"amount", "1" + strings.Repeat("0", 30), "sat"}}, true, MaxMsat, "", "amount-unit,amount-huge"},
		{"all bitcoin", nostr.Tags{{"amount", "2100000000000000000"}}, true, MaxMsat, "", ""},
		{"all bitcoin as if in sats", nostr.Tags{{"amount", "2100000000000000000", "sat"}}, true, MaxMsat, "", "amount-unit"},
		{"a thousand digits", nostr.Tags{{"amount", strings.Repeat("9", 1000)}}, false, 0, "", "amount-unreadable"},
		{"ecash", nostr.Tags{{"amount", "1", "ecash"}}, true, 1000, "ecash", "amount-ecash"},
		{"ecash in msat", nostr.Tags{{"amount", "2000", "ecash"}}, true, 2000, "ecash", "amount-ecash"},
		{"something else", nostr.Tags{{"amount", "1000", "soon"}}, true, 1000, "", "amount-extra"},
		{"two amounts", nostr.Tags{{"amount", "1"}, {"amount", "2"}}, true, 1, "", "amount-twice"},
	})
}

func TestParse_AmountsWithInvoice(t *testing.T) {
	inv := realInvoice(t) // 25,000 msat
	checkAmounts(t, []amountCase{
		{"with invoice", nostr.Tags{{"amount", "25000", inv}}, true, 25000, "bolt11", ""},
		{"with prefixed invoice", nostr.Tags{{"amount", "25000", "lightning:" + inv}}, true, 25000, "bolt11", "invoice-prefix"},
		{"with uppercase prefix and invoice", nostr.Tags{{"amount", "25000", "LIGHTNING:" + strings.ToUpper(inv)}}, true, 25000, "bolt11", "invoice-prefix"},
		{"sats for msats", nostr.Tags{{"amount", "25", inv}}, true, 25000, "bolt11", "amount-sats-for-msats"},
		{"msats thrice", nostr.Tags{{"amount", "25000000", inv}}, true, 25000, "bolt11", "amount-sats-for-msats"},
		{"sats for msats with method before the invoice", nostr.Tags{{"amount", "25", "bolt11", inv}}, true, 25000, "bolt11", "amount-extra,amount-sats-for-msats"},
		{"not the invoice's", nostr.Tags{{"amount", "28125", inv}}, true, 28125, "bolt11", "amount-mismatch"},
		{"zero beside an invoice", nostr.Tags{{"amount", "0", inv}}, true, 0, "bolt11", "amount-mismatch"},
		{"unit sat and invoice", nostr.Tags{{"amount", "25", "sat", inv}}, true, 25000, "bolt11", "amount-unit"},
		{"negative beside an invoice", nostr.Tags{{"amount", "-1000", inv}}, true, 25000, "bolt11", "amount-negative"},
		{"unreadable beside an invoice", nostr.Tags{{"amount", "?", inv}}, true, 25000, "bolt11", "amount-unreadable"},
		{"lightning address", nostr.Tags{{"amount", "100_000", "botlab@zeuspay.com"}}, true, 100000, "address", "invoice-is-address,amount-spelling"},
		{"unreadable invoice", nostr.Tags{{"amount", "1000", "lnbc1notaninvoiceatall"}}, true, 1000, "bolt11", "invoice-unreadable"},
		{"invoice in a tag of its own", nostr.Tags{{"bolt11", inv}}, true, 25000, "bolt11", "invoice-own-tag"},
		{"invoice beside the amount", nostr.Tags{{"amount", "25"}, {"bolt11", inv}}, true, 25000, "bolt11", "invoice-own-tag,amount-sats-for-msats"},
	})
}

func TestParse_BidForms(t *testing.T) {
	for _, c := range []struct {
		name     string
		tag      nostr.Tag
		set      bool
		bid, max Msat
		code     string
	}{
		{"msat", nostr.Tag{"bid", "10000000"}, true, 10000000, 0, "-"},
		{"two numbers", nostr.Tag{"bid", "57000", "10000"}, true, 57000, 10000, "bid-two-numbers"},
		{"empty second", nostr.Tag{"bid", "5000", ""}, true, 5000, 0, "-"},
		{"unit", nostr.Tag{"bid", "5", "sats"}, true, 5000, 0, "amount-unit"},
		{"zero", nostr.Tag{"bid", "0"}, true, 0, 0, "-"},
		{"no number", nostr.Tag{"bid"}, false, 0, 0, "bid-unreadable"},
		{"negative", nostr.Tag{"bid", "-5"}, false, 0, 0, "bid-unreadable,amount-negative"},
		{"huge", nostr.Tag{"bid", strings.Repeat("9", 40)}, true, MaxMsat, 0, "amount-huge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(5050, "x", c.tag)).(*Request)
			if m.BidSet != c.set || m.Bid != c.bid || m.MaxBid != c.max || codes(m.Findings()) != c.code {
				t.Errorf("got set %t, bid %d, max %d, %s; want %t, %d, %d, %s", m.BidSet, m.Bid, m.MaxBid, codes(m.Findings()), c.set, c.bid, c.max, c.code)
			}
		})
	}
}

func TestMsatAdd_NeverWraps(t *testing.T) {
	for _, c := range []struct {
		name       string
		a, b, want Msat
	}{
		{"plain", 1, 2, 3},
		{"top", MaxMsat * 4, MaxMsat * 2, math.MaxInt64},
		{"bottom", -MaxMsat * 4, -MaxMsat * 2, math.MinInt64},
		{"down", 5, -7, -2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.a.Add(c.b); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestParse_ZapForms(t *testing.T) {
	inv := realInvoice(t) // 25,000 msat
	request := `{"pubkey":"` + aliceKey + `","kind":9734,"tags":[["p","` + bobKey + `"],["amount","25000"]],"content":""}`
	for _, c := range []struct {
		name   string
		tags   nostr.Tags
		msat   Msat
		sender string
		code   string
	}{
		{"sender from the description", nostr.Tags{{"bolt11", inv}, {"description", request}}, 25000, aliceKey, "zap-description-hash-absent"},
		{"sender from P", nostr.Tags{{"P", aliceKey}, {"bolt11", inv}, {"description", request}}, 25000, aliceKey, "zap-description-hash-absent"},
		{"P is somebody else", nostr.Tags{{"P", carolKey}, {"bolt11", inv}, {"description", request}}, 25000, carolKey, "zap-description-hash-absent,zap-sender-mismatch"},
		{"amounts differ", nostr.Tags{{"bolt11", inv}, {"description", strings.Replace(request, "25000", "26000", 1)}}, 25000, aliceKey, "zap-description-hash-absent,zap-amount-mismatch"},
		{"no invoice", nostr.Tags{{"description", request}}, 25000, aliceKey, "zap-no-invoice"},
		{"unreadable invoice", nostr.Tags{{"bolt11", inv[:60]}, {"description", request}}, 25000, aliceKey, "invoice-unreadable"},
		{"no description", nostr.Tags{{"bolt11", inv}}, 25000, "", "zap-no-description"},
		{"broken description", nostr.Tags{{"bolt11", inv}, {"description", "{"}}, 25000, "", "zap-description-hash-absent,zap-description-unreadable"},
		{"anonymous", nostr.Tags{{"bolt11", inv}, {"description", strings.Replace(request, `["amount"`, `["anon",""],["amount"`, 1)}}, 25000, aliceKey, "zap-description-hash-absent,zap-anonymous"},
		{"nothing", nil, 0, "", "zap-no-invoice,zap-no-description"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(9735, "", append(nostr.Tags{{"e", id1}, {"p", bobKey}}, c.tags...)...)).(*Zap)
			got := codes(m.Findings())
			if m.Msat != c.msat || m.Sender != key(c.sender) || got != c.code {
				t.Errorf("got %d msat from %s, %s; want %d from %s, %s", m.Msat, m.Sender, got, c.msat, c.sender, c.code)
			}
			if m.Recipient != key(bobKey) || len(m.Links) != 1 {
				t.Errorf("got recipient %s, links %v", m.Recipient, m.Links)
			}
		})
	}
}

func TestParse_ZapOfAnAddress(t *testing.T) {
	addr := Address{31990, key(bobKey), "x"}
	m := mustParse(t, ev(9735, "", nostr.Tag{"a", addr.String()}, nostr.Tag{"a", "x"})).(*Zap)
	if len(m.Addresses) != 1 || m.Addresses[0] != addr {
		t.Errorf("got %v, want %v", m.Addresses, addr)
	}
}

func TestParse_NutzapForms(t *testing.T) {
	proof := func(amount, secret string) nostr.Tag {
		return nostr.Tag{"proof", `{"amount":` + amount + `,"C":"02","id":"00","secret":"` + secret + `"}`}
	}
	for _, c := range []struct {
		name   string
		tags   nostr.Tags
		msat   Msat
		proofs int
		code   string
	}{
		{"one proof", nostr.Tags{proof("1", "a")}, 1000, 1, "-"},
		{"two proofs", nostr.Tags{proof("1", "a"), proof("2", "b")}, 3000, 2, "-"},
		{"the same proof twice", nostr.Tags{proof("1", "a"), proof("1", "a")}, 1000, 1, "nutzap-proof-twice"},
		{"unit msat", nostr.Tags{{"unit", "msat"}, proof("1", "a")}, 1, 1, "-"},
		{"unit usd", nostr.Tags{{"unit", "usd"}, proof("1", "a")}, 0, 1, "nutzap-unit"},
		{"amount lies", nostr.Tags{{"amount", "9"}, proof("1", "a")}, 1000, 1, "nutzap-amount-mismatch"},
		{"no proof", nostr.Tags{{"amount", "9"}}, 0, 0, "nutzap-proof-unreadable,nutzap-amount-mismatch"},
		{"broken proof", nostr.Tags{{"proof", "{"}, proof("1", "a")}, 1000, 1, "nutzap-proof-unreadable"},
		{"negative proof", nostr.Tags{proof("-1", "a"), proof("1", "b")}, 1000, 1, "nutzap-proof-unreadable"},
		{"huge proofs", nostr.Tags{proof(strings.Repeat("9", 30), "a"), proof(strings.Repeat("9", 30), "b")}, MaxMsat, 2, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(9321, "", append(nostr.Tags{{"e", id1}, {"p", bobKey}, {"u", "https://mint"}}, c.tags...)...)).(*Nutzap)
			if m.Msat != c.msat || len(m.Proofs) != c.proofs || codes(m.Findings()) != c.code {
				t.Errorf("got %d msat, %d proofs, %s; want %d, %d, %s", m.Msat, len(m.Proofs), codes(m.Findings()), c.msat, c.proofs, c.code)
			}
		})
	}
}
