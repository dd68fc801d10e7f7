package month

// profile is how requests of one kind, and what answers them, look: shares of events that carry a tag. The numbers are
// those of DVMDash's analysis of 373k events, April 2025; the share of a kind in the traffic is that of its archive.
type profile struct {
	kind                                      int
	share                                     float64 // of all requests
	p, input, bid, encrypted, stray           float64 // of requests; stray: a tag whose name is a relay
	linked, quote, status, resultAmount       float64 // of results
	feedback                                  float64 // feedbacks on a job besides those about money; chosen
	feedbackStatus, feedbackAmount, feedbackP float64 // of feedback
	sealed                                    float64 // of feedback: the status is inside the ciphertext
	python                                    bool    // its results quote requests as Python literals
	shortStatus                               float64 // of results: "s" in the place of "status"
}

func profiles() []profile {
	return []profile{
		{kind: 5300, share: .95, p: 1, input: .0002, linked: 1, quote: .9891, status: 1, feedback: .9, feedbackStatus: 1, feedbackAmount: .0011, feedbackP: 1},
		{kind: 5302, share: .012, p: .5577, input: .4423, bid: .0002, encrypted: .5574, linked: 1, quote: .9168, status: .9168, feedback: 1, feedbackStatus: .7345, feedbackP: 1, sealed: .2655},
		{kind: 5100, share: .008, p: .3907, input: .662, bid: .2252, encrypted: .3331, stray: .0199, linked: 1, quote: .9695, status: .8764, feedback: 2, feedbackStatus: .9685, feedbackAmount: .8569, feedbackP: .9918, sealed: .0313},
		{kind: 5303, share: .005, p: .7363, input: .2801, encrypted: .695, linked: 1, quote: .8778, status: .8778, feedback: 1, feedbackStatus: .4878, feedbackAmount: .0114, feedbackP: 1, sealed: .5122},
		{kind: 5002, share: .004, p: .1175, input: .8859, bid: .1113, encrypted: .1024, stray: .0076, linked: 1, quote: .9953, status: .7207, feedback: 1, feedbackStatus: .9905, feedbackAmount: .0563, feedbackP: 1, sealed: .0095},
		{kind: 5050, share: .004, p: .3072, input: .6359, bid: .05, encrypted: .0763, stray: .0687, linked: .9992, quote: .9992, status: .887, resultAmount: .1564, feedback: 1.2, feedbackStatus: .9915, feedbackAmount: .2465, feedbackP: .9862, sealed: .0085},
		{kind: 5314, share: .004, linked: 1, feedback: 1, feedbackStatus: 1, feedbackP: 1},
		{kind: 5000, share: .003, p: .4977, input: .5116, bid: .1814, encrypted: .4403, stray: .0341, linked: .9329, quote: .9293, status: .8763, resultAmount: .053, feedback: 1, feedbackStatus: .9712, feedbackAmount: .2875, feedbackP: 1, sealed: .0288},
		{kind: 5001, share: .002, p: .268, input: .8785, bid: .0359, encrypted: .0663, linked: .9573, quote: .9573, status: .9512, resultAmount: .0061, feedback: 2, feedbackStatus: .9956, feedbackAmount: .5882, feedbackP: 1, sealed: .0044},
		{kind: 5301, share: .002, p: .9601, input: .0564, encrypted: .5213, stray: .0166, linked: 1, quote: .9701, status: .9701, feedback: 1, feedbackStatus: .6448, feedbackAmount: .2012, feedbackP: 1, sealed: .3552},
		{kind: 5250, share: .0015, p: .0842, input: .962, bid: .0761, encrypted: .038, linked: 1, quote: .962, status: .9325, feedback: 1.5, feedbackStatus: .9955, feedbackAmount: .6239, feedbackP: 1, python: true},
		{kind: 5200, share: .001, p: .9854, input: .0195, bid: .0049, encrypted: .9756, linked: 1, quote: .9683, status: .9683, feedback: 1, feedbackStatus: .1765, feedbackAmount: .1618, feedbackP: 1, sealed: .8235},
		{kind: 5600, share: .001, p: .3849, input: .4967, encrypted: .3849, linked: 1, quote: .1871, shortStatus: .8129, resultAmount: .1637, feedback: 1, feedbackStatus: 1, feedbackAmount: 1, feedbackP: 1},
		{kind: 5905, share: .001, p: .9599, input: .0494, encrypted: .9506, linked: 1, quote: .5, status: .5, feedback: 1, feedbackStatus: .2768, feedbackP: 1, sealed: .7232},
		{kind: 5900, share: .0005, input: .5079, linked: .9906, quote: .0755, status: .9151, feedback: .5, feedbackStatus: 1, feedbackP: 1},
		{kind: 5500, share: .0005, input: .9822, bid: .0651, linked: 1, quote: 1, resultAmount: .6344, feedback: 2, feedbackStatus: 1, feedbackAmount: .0939, feedbackP: 1},
		{kind: 5251, share: .0003, input: 1, linked: 1, quote: .5, status: .5, feedback: 1, feedbackStatus: 1, feedbackP: 1},
		{kind: 5999, share: .0002, input: .5, linked: 1, quote: .5, status: .5, feedback: 1, feedbackStatus: 1, feedbackAmount: .125, feedbackP: 1},
	}
}

// The shares of what the analysis does not count: chosen so that the default, small month has some of everything.
const (
	shareExpiring     = .85   // of requests and of answers
	shareSilent       = .04   // jobs that nobody answers
	shareUnseen       = .004  // requests that never come, though their answers do
	shareError        = .03   // of answering providers
	shareRetry        = .3    // of those: a result after the error
	shareLate         = .01   // answers hours or days after the request
	shareEarly        = .004  // answers with an earlier created_at than their request
	shareRival        = .06   // jobs with more than one provider, per rival
	shareRotated      = .02   // answers under a provider's next key
	shareUnlinked     = .002  // answers that name nothing
	shareMarked       = .05   // links with a marker, at either place
	shareSeveral      = .03   // answers that name several events
	shareChained      = .02   // requests that build on an earlier job
	shareWrongKind    = .003  // results in a kind of their own
	shareSpelling     = .08   // feedback in a spelling of its own
	sharePong         = .01   // feedback that changes nothing
	shareBrokenQuote  = .04   // request tags that are not the JSON of the request
	shareCancelled    = .01   // of jobs
	shareDeleted      = .005  // of answers
	shareForeign      = .001  // jobs that somebody else tries to cancel
	sharePaid         = .6    // of asks
	shareGift         = .002  // of results: paid for unasked
	shareNutzap       = .15   // of payments
	shareWrongAmount  = .06   // of payments
	shareTwice        = .08   // receipts that somebody publishes again
	shareRefund       = .05   // of payments
	shareNeverServed  = .04   // of payments: nothing comes after
	shareHugeAmount   = .002  // of asks
	shareOddAmount    = .12   // of asks
	shareClock        = .0005 // clocks that are years off
	shareReport       = .001  // of answers
	shareSuccessWords = .5    // of results: a feedback says success too
)
