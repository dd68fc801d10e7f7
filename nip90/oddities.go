package nip90

// The sections that findings cite.
const (
	secRequest  = `NIP-90 "Job request"`
	secResult   = `NIP-90 "Job result"`
	secFeedback = `NIP-90 "Job feedback"`
	secStatus   = `NIP-90 "Job feedback status"`
	secEncrypt  = `NIP-90 "Encrypted Params"`
	secChain    = `NIP-90 "Job chaining"`
	secKinds    = `NIP-90 "Kinds"`
	secHandler  = `NIP-89 "Handler information"`
	secAppendix = `NIP-90 "Appendix 2: Service provider discoverability"`
	secRecomm   = `NIP-89 "Recommendation event"`
	secZap      = `NIP-57 "Appendix E: Zap Receipt Event"`
	secNutzap   = `NIP-61 "Nutzap event"`
	secDelete   = `NIP-09`
	secTags     = `NIP-01 "Tags"`
	secExpire   = `NIP-40`
	secBolt11   = `BOLT-11`
	secEvents   = `NIP-01 "Events and signatures"`
	secBeat     = `heartbeat draft`
)

// oddities says in words what each oddity is. The codes are stable: programs may depend on them.
var oddities = [oddLast]Finding{
	oddBadID:                {"bad-event-id", "A tag that should hold an event id holds something else; it was overlooked.", secTags},
	oddBech32Ref:            {"bech32-in-tag", "A tag holds a bech32 name where hexadecimal is meant; it was read all the same.", secTags},
	oddUppercaseHex:         {"uppercase-hex", "An id or key is written in uppercase; it was read as lowercase.", secTags},
	oddSelfReference:        {"self-reference", "The event points at itself; that pointer was dropped.", secTags},
	oddManyLinks:            {"too-many-links", "The event points at more events than are kept; the best 16 were taken.", secResult},
	oddBadPubKey:            {"bad-pubkey", "A p tag holds no public key; it was overlooked.", secTags},
	oddSeveralCustomers:     {"several-customers", "The event names several keys in p tags; the customer among them was chosen.", secResult},
	oddRequestRawID:         {"request-tag-raw-id", "The request tag holds a bare event id instead of the request's JSON.", secResult},
	oddRequestPython:        {"request-tag-python", "The request tag holds a Python literal instead of JSON; it was read all the same.", secResult},
	oddRequestBroken:        {"request-tag-broken", "The request tag holds no valid JSON; only the id could be read from it.", secResult},
	oddRequestUnsigned:      {"request-tag-unsigned", "The request tag quotes an event without an id; the id was computed from it.", secResult},
	oddRequestHash:          {"request-tag-hash", "The id quoted in the request tag is not the hash of what is quoted; the quote is not trusted.", secResult},
	oddRequestNoID:          {"request-tag-no-id", "The request tag names no event.", secResult},
	oddRequestTwice:         {"request-tag-twice", "There are several request tags; the first was read.", secResult},
	oddRequestOtherJob:      {"request-tag-other-job", "The request tag quotes another event than the e tags name; the e tag wins.", secResult},
	oddUnlinked:             {"unlinked", "Nothing in the event says which job it answers.", secResult},
	oddNoCustomer:           {"no-customer", "There is no p tag, so the customer is not told.", secResult},
	oddResultKind:           {"result-kind", "The result's kind is not the quoted request's kind plus 1000.", secKinds},
	oddResultInRequestRange: {"result-in-request-range", "The event answers a job with a kind of the request range; it was taken for a result.", secKinds},
	oddStatusMissing:        {"status-missing", "The feedback has no status; it was taken for processing.", secStatus},
	oddStatusSealed:         {"status-encrypted", "The feedback's status is inside the encrypted content; it was taken for processing.", secEncrypt},
	oddStatusSpelling:       {"status-nonstandard", "The status is not one of the five of the protocol; it was read as its nearest.", secStatus},
	oddStatusUnknown:        {"status-unknown", "The status is not known.", secStatus},
	oddStatusTag:            {"status-in-s-tag", "The status stands in an s tag instead of a status tag.", secStatus},
	oddStatusContent:        {"status-in-content", "The status stands inside the content instead of a status tag.", secStatus},
	oddStatusTwice:          {"status-twice", "There are several status tags; the first was read.", secStatus},
	oddAmountUnreadable:     {"amount-unreadable", "The amount is no whole number; it was overlooked.", secFeedback},
	oddAmountNegative:       {"amount-negative", "The amount is negative; it was refused.", secFeedback},
	oddAmountHuge:           {"amount-huge", "The amount is more money than there is; it was bounded.", secFeedback},
	oddAmountSpelling:       {"amount-spelling", "The amount is not written as plain digits; it was read all the same.", secFeedback},
	oddAmountUnit:           {"amount-unit", "The amount names its unit; the protocol knows millisatoshi only.", secFeedback},
	oddAmountSats:           {"amount-sats-for-msats", "The amount and its invoice differ by exactly a thousand; the invoice was believed.", secFeedback},
	oddAmountMismatch:       {"amount-mismatch", "The amount is not what its invoice asks.", secFeedback},
	oddAmountExtra:          {"amount-extra", "The amount tag holds something that is neither invoice, address nor unit.", secFeedback},
	oddAmountTwice:          {"amount-twice", "There are several amount tags; the first was read.", secFeedback},
	oddAmountMissing:        {"amount-missing", "Payment is required, but no amount is told.", secStatus},
	oddInvoiceBad:           {"invoice-unreadable", "The invoice cannot be read.", secBolt11},
	oddInvoiceNoHash:        {"invoice-no-payment-hash", "The invoice has no payment hash, so no wallet can pay it.", secBolt11},
	oddInvoicePrefix:        {"invoice-prefix", "The invoice carries a lightning: prefix; it was cut off.", secBolt11},
	oddInvoiceAddress:       {"invoice-is-address", "A lightning address stands in the invoice's place.", secFeedback},
	oddInvoiceOwnTag:        {"invoice-own-tag", "The invoice stands in a tag of its own instead of the amount tag.", secFeedback},
	oddEcash:                {"amount-ecash", "The amount is asked in ecash, which the protocol does not know.", secFeedback},
	oddBidBad:               {"bid-unreadable", "The bid is no whole number of millisatoshi; it was overlooked.", secRequest},
	oddBidTwo:               {"bid-two-numbers", "The bid holds two numbers; the second was taken as the maximum.", secRequest},
	oddInputType:            {"input-no-type", "An i tag does not say what type of input it is.", secRequest},
	oddInputUnknownType:     {"input-unknown-type", "An i tag names a type that the protocol does not know.", secRequest},
	oddInputPrompt:          {"input-type-prompt", "An i tag is of type prompt; the protocol says text.", secRequest},
	oddInputTag:             {"input-tag-name", "The input stands in an input tag instead of an i tag.", secRequest},
	oddInputEmpty:           {"input-empty", "An i tag is empty.", secRequest},
	oddInputReference:       {"input-not-hex", "An input of type event or job is not a hexadecimal id.", secRequest},
	oddInputJobReference:    {"input-job-unreadable", "An input of type job names no event, so the jobs cannot be chained.", secChain},
	oddTooMany:              {"too-many-tags", "There are more tags of one sort than are kept.", secTags},
	oddParamBare:            {"param-no-value", "A param tag has no value.", secRequest},
	oddParamTag:             {"param-as-tag", "A parameter stands in a tag of its own instead of a param tag.", secRequest},
	oddRelayTagName:         {"relay-as-tag-name", "A tag's name is a relay's address; it was read as a relays tag without its name.", secRequest},
	oddRelayTag:             {"relay-tag-singular", "A relay tag was read as relays.", secRequest},
	oddExpTag:               {"exp-tag", "An exp tag is no expiration; nothing expires by it.", secExpire},
	oddHashTag:              {"hash-in-tag-name", "A tag's name begins with #; that belongs to filters.", secTags},
	oddPrepaid:              {"payment-in-request", "The request carries a payment; the protocol has none there.", secRequest},
	oddEncryptedUntagged:    {"encrypted-untagged", "The content is encrypted, but no encrypted tag says so.", secEncrypt},
	oddEncryptedUnknown:     {"encrypted-unknown", "The event says it is encrypted, but its content is neither NIP-04 nor NIP-44.", secEncrypt},
	oddEncryptedNoProvider:  {"encrypted-without-provider", "The job is encrypted but names no provider, so nobody can read it.", secEncrypt},
	oddHandlerNoD:           {"handler-no-d", "The announcement has no d tag, so its author can have one only.", secHandler},
	oddHandlerKind:          {"handler-kind-unreadable", "A k tag is no kind number; it was overlooked.", secHandler},
	oddHandlerPython:        {"handler-python", "The content is a Python literal instead of JSON; it was read all the same.", secHandler},
	oddHandlerContent:       {"handler-content-unreadable", "The content is no JSON object; it was overlooked.", secHandler},
	oddHandlerTags:          {"handler-profile-in-tags", "Name, about or picture stand in tags instead of the content.", secHandler},
	oddHandlerPrice:         {"handler-price-unreadable", "The price is neither a number nor free nor flexible.", secAppendix},
	oddHandlerParams:        {"handler-params-unreadable", "The nip90Params are no JSON object; they were overlooked.", secAppendix},
	oddHandlerSpelling:      {"handler-field-spelling", "A field of the content has another type than its name promises; it was read all the same.", secAppendix},
	oddRecommendKind:        {"recommendation-kind-unreadable", "The d tag is no kind number.", secRecomm},
	oddRecommendAddress:     {"recommendation-address-unreadable", "An a tag names no handler; it was overlooked.", secRecomm},
	oddRecommendEmpty:       {"recommendation-empty", "Nothing is recommended.", secRecomm},
	oddHeartbeatNoD:         {"heartbeat-no-d", "The heartbeat does not say which service of its author is alive.", secBeat},
	oddZapNoInvoice:         {"zap-no-invoice", "The receipt has no readable bolt11 tag.", secZap},
	oddZapNoDescription:     {"zap-no-description", "The receipt has no description.", secZap},
	oddZapDescription:       {"zap-description-unreadable", "The receipt's description is no zap request.", secZap},
	oddZapHash:              {"zap-description-hash", "The invoice's description hash is not the hash of the description.", secZap},
	oddZapHashAbsent:        {"zap-description-hash-absent", "The invoice does not commit to the description.", secZap},
	oddZapAmount:            {"zap-amount-mismatch", "The zap request's amount is not the invoice's.", secZap},
	oddZapSender:            {"zap-sender-mismatch", "The P tag is not the author of the zap request.", secZap},
	oddZapAnonymous:         {"zap-anonymous", "The zap is anonymous: its sender is a throw-away key.", secZap},
	oddZapNoEvent:           {"zap-no-event", "The zap names no event; it is for a profile.", secZap},
	oddNutzapProof:          {"nutzap-proof-unreadable", "A proof cannot be read; it counts nothing.", secNutzap},
	oddNutzapUnit:           {"nutzap-unit", "The unit is neither sat nor msat, so the amount is not counted.", secNutzap},
	oddNutzapAmount:         {"nutzap-amount-mismatch", "The amount tag is not the sum of the proofs; the proofs were believed.", secNutzap},
	oddNutzapTwice:          {"nutzap-proof-twice", "A proof appears twice; it counts once.", secNutzap},
	oddCancelAddress:        {"deletion-address-unreadable", "An a tag names no addressable event; it was overlooked.", secDelete},
	oddCancelEmpty:          {"deletion-empty", "The deletion names nothing.", secDelete},
	oddEmptyTag:             {"empty-tag", "A tag is empty or has no name.", secTags},
	oddSquatter:             {"squatter-kind", "The kind lies in the job range but belongs to another protocol.", secKinds},
	oddExpirationBad:        {"expiration-unreadable", "The expiration is no time in unix seconds; the event does not expire.", secExpire},
	oddBornExpired:          {"born-expired", "The event expires before it was made.", secExpire},
	oddExpirationTwice:      {"expiration-twice", "There are several expiration tags; the first that can be read counts.", secExpire},
	oddPromptInContent:      {"prompt-in-content", "There is no input, but the content is not empty; providers may not look there.", secRequest},
	oddClearInput:           {"encrypted-clear-input", "The job is encrypted, but inputs or params stand open in tags.", secEncrypt},
	oddNoInput:              {"no-input", "The request has neither input nor param nor content.", secRequest},
	oddKindUnregistered:     {"kind-unregistered", "The kind is in the job range, but nobody has described it.", secKinds},
	oddKindHistoric:         {"kind-historic", "The kind is superseded or only proposed.", secKinds},
	oddKindRange:            {"kind-out-of-range", "The kind is not between 0 and 65535.", secEvents},
	oddCreatedAt:            {"created-at-odd", "The creation time is negative or before Nostr.", secEvents},
	oddDuplicateTag:         {"duplicate-tag", "The same tag appears more than once.", secTags},
	oddRelayURL:             {"relay-unreachable", "A relay is named that others cannot reach or that is no address.", secRequest},
	oddRelayTwice:           {"relay-repeated", "A relay is named more than once.", secRequest},
	oddOutput:               {"output-not-mime", "The output is no MIME type.", secRequest},
	oddNoRequestTag:         {"no-request-tag", "The result does not quote its request.", secResult},
	oddSharedD:              {"d-is-kind", "The d tag is only a kind number and may repeat among an author's handlers.", secHandler},
	oddNoDVMKind:            {"handler-no-job-kind", "The handler serves no job kind.", secAppendix},
	oddDiscoveryContent:     {"result-list-unreadable", "The result should be a JSON list of e, a or p tags.", secResult},
	oddOwnCustomer:          {"answers-itself", "The event names its own author as the customer.", secFeedback},
	oddProse:                {"feedback-prose", "The content is prose for people; the protocol puts it into the status tag.", secFeedback},
}
