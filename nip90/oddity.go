package nip90

import (
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// MaxFindings is how many findings of one event are kept. Each code appears at most once, at its first occasion.
const MaxFindings = 32

// oddity numbers the things that can be odd about an event; zero is none.
type oddity uint8

// The oddities, in the order of the table below.
const (
	oddNone oddity = iota
	oddBadID
	oddBech32Ref
	oddUppercaseHex
	oddSelfReference
	oddManyLinks
	oddBadPubKey
	oddSeveralCustomers
	oddRequestRawID
	oddRequestPython
	oddRequestBroken
	oddRequestUnsigned
	oddRequestHash
	oddRequestNoID
	oddRequestTwice
	oddRequestOtherJob
	oddUnlinked
	oddNoCustomer
	oddResultKind
	oddResultInRequestRange
	oddStatusMissing
	oddStatusSealed
	oddStatusSpelling
	oddStatusUnknown
	oddStatusTag
	oddStatusContent
	oddStatusTwice
	oddAmountUnreadable
	oddAmountNegative
	oddAmountHuge
	oddAmountSpelling
	oddAmountUnit
	oddAmountSats
	oddAmountMismatch
	oddAmountExtra
	oddAmountTwice
	oddAmountMissing
	oddInvoiceBad
	oddInvoiceNoHash
	oddInvoicePrefix
	oddInvoiceAddress
	oddInvoiceOwnTag
	oddEcash
	oddBidBad
	oddBidTwo
	oddInputType
	oddInputUnknownType
	oddInputPrompt
	oddInputTag
	oddInputEmpty
	oddInputReference
	oddInputJobReference
	oddTooMany
	oddParamBare
	oddParamTag
	oddRelayTagName
	oddRelayTag
	oddExpTag
	oddHashTag
	oddPrepaid
	oddEncryptedUntagged
	oddEncryptedUnknown
	oddEncryptedNoProvider
	oddHandlerNoD
	oddHandlerKind
	oddHandlerPython
	oddHandlerContent
	oddHandlerTags
	oddHandlerPrice
	oddHandlerParams
	oddHandlerSpelling
	oddRecommendKind
	oddRecommendAddress
	oddRecommendEmpty
	oddHeartbeatNoD
	oddZapNoInvoice
	oddZapNoDescription
	oddZapDescription
	oddZapHash
	oddZapHashAbsent
	oddZapAmount
	oddZapSender
	oddZapAnonymous
	oddZapNoEvent
	oddNutzapProof
	oddNutzapUnit
	oddNutzapAmount
	oddNutzapTwice
	oddCancelAddress
	oddCancelEmpty
	oddEmptyTag
	oddSquatter
	oddExpirationBad
	oddBornExpired
	oddExpirationTwice
	oddPromptInContent
	oddClearInput
	oddNoInput
	oddKindUnregistered
	oddKindHistoric
	oddKindRange
	oddCreatedAt
	oddDuplicateTag
	oddRelayURL
	oddRelayTwice
	oddOutput
	oddNoRequestTag
	oddSharedD
	oddNoDVMKind
	oddDiscoveryContent
	oddProse
	oddOwnCustomer
	oddLast
)

// notes collects what is odd about one event. The zero value is ready; nothing is allocated while nothing is odd.
type notes struct {
	list []Finding
	seen [2]uint64
}

// add records an oddity once.
func (n *notes) add(o oddity) { n.addf(o, "") }

// named says whether a tag has a name, and records one that has none.
func (n *notes) named(tag nostr.Tag) bool {
	if len(tag) > 0 && tag[0] != "" {
		return true
	}
	n.add(oddEmptyTag)
	return false
}

// addf records an oddity once, with the words that show it.
func (n *notes) addf(o oddity, shown string) {
	word, bit := (o>>6)&1, uint64(1)<<(o&63)
	if o == oddNone || o >= oddLast || n.seen[word]&bit != 0 || len(n.list) >= MaxFindings {
		return
	}
	n.seen[word] |= bit
	f := oddities[o]
	if shown != "" {
		f.Text = f.Text + " (" + clip(shown, 80) + ")"
	}
	n.list = append(n.list, f)
}

// clip cuts s to at most max bytes at a rune's border and makes it valid UTF-8 on one line.
func clip(s string, max int) string {
	cut := len(s) > max
	if cut {
		s = s[:max]
	}
	s = strings.ToValidUTF8(s, "")
	if strings.ContainsFunc(s, isControl) {
		s = strings.Map(func(r rune) rune {
			if isControl(r) {
				return ' '
			}
			return r
		}, s)
	}
	if cut {
		s += "..."
	}
	return s
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
