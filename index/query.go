package index

import "dvmrelay/nip90"

// MaxLimit is the most items that one page holds.
const MaxLimit = 200

// maxExamined bounds the rows of announcements that one page looks at.
const maxExamined = 20_000

// maxWork bounds the work of one page of jobs or of one search, in rows of a list; a row that has to be looked up counts as
// several. A page cut short by it may be empty and still have a Next.
const maxWork = 9_000

// ThreadQuery chooses jobs; zero fields choose all. Jobs come newest first.
type ThreadQuery struct {
	State     string // one of States
	Payment   string // one of Payments
	Kind      int    // of the request
	Without   []int  // kinds that are left out
	Provider  nip90.PubKey
	Customer  nip90.PubKey
	For       nip90.PubKey // what this provider could answer and has not: unanswered jobs first
	Encrypted *bool
	Text      string // words that all occur in the input, as far as Options.Inputs shows it
	Since     int64  // unix seconds, inclusive
	Until     int64  // unix seconds, inclusive
	Cursor    string // Next of the page before; it carries the Now of the first page
	Limit     int    // 0 = 50, at most MaxLimit
	Now       int64  // unix seconds, 0 = the clock of Options
}

// ThreadPage is a page of jobs without their events. Next is empty on the last page.
type ThreadPage struct {
	Items []Thread `json:"items"`
	Next  string   `json:"next_cursor,omitempty"`
}
