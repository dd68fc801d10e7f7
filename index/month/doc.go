// Package month makes a month of job traffic, and works out in the plainest way what an index has to say about it.
//
// Generate draws every event from one seed: 250,000 requests in 30 days when asked for, 95 % of them content discovery,
// in every shape that real software emits, about as often as it does. Reference reads the same events as one list and
// loops over it: it shares nothing with package index but the parser of nip90, so that a mistake in one cannot hide in
// the other.
//
// The tests of this package feed the month through several doors into a store with an index and hold every count, state
// and payment against the reference. They take a fiftieth of the month and eight kills by default. The whole month and a
// hundred kills:
//
//	DVMRELAY_MONTH=full go test -timeout 60m ./index/month
//
// DVMRELAY_MONTH may also be a number of requests, and DVMRELAY_MONTH_SEED chooses another
// month, "random" any; the seed is printed.
package month
