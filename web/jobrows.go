package web

import (
	"slices"
	"time"
	"unicode/utf8"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// jobList is jobs as the template "jobrows" shows them.
type jobList struct {
	Now     time.Time
	Rows    []jobRow
	Without []string // columns that are left out: customer, providers
}

// as sets the lists of one page apart from each other.
func (l *jobList) as(name string) *jobList {
	for i := range l.Rows {
		l.Rows[i].Anchor = name + l.Rows[i].Anchor
	}
	return l
}

// Has says whether a column is shown.
func (l *jobList) Has(column string) bool { return !slices.Contains(l.Without, column) }

// jobRow is one job of a list.
type jobRow struct {
	index.Thread
	Anchor       string // of its link, within a page
	Said         string // of its input, as much as a row shows
	Words        string // in place of the input when none is shown
	CustomerName string
	Some         []index.Provider // those that are named
	Others       int              // how many are not
	Took         string           // from the request to the first result; empty while there is none
}

// fitting is what a row has for what strangers wrote. named is how many providers of a job are named.
type fitting struct{ named, chars, bytes int }

// The fittings of rows, the usual one first. A list of which all rows were full would be a page too large: it is given less.
var fittings = [...]fitting{{3, 140, 240}, {1, 60, 100}}

const (
	rowsBudget = 28_000 // bytes of a list that may depend on what strangers wrote
	namedBytes = 190    // of a link to a provider, without its name
	nameChars  = 20
	nameBytes  = 40
)

// jobRows makes rows of jobs. Columns that a page needs not may be left out.
func (s *Site) jobRows(now time.Time, jobs []index.Thread, without ...string) *jobList {
	l := &jobList{Now: now, Without: without, Rows: make([]jobRow, len(jobs))}
	for _, of := range fittings {
		size := 0
		for i := range jobs {
			l.Rows[i] = s.rowOf(&jobs[i], of)
			size += l.Rows[i].size()
		}
		if size <= rowsBudget {
			break
		}
	}
	return l
}

// size is about how much of a row depends on what strangers wrote, in bytes of a page.
func (r *jobRow) size() int {
	n := escaped(r.Said) + len(r.Some)*namedBytes
	for i := range r.Some {
		n += escaped(brief(r.Some[i].Name, nameChars, nameBytes))
	}
	return n
}

// Left is how long a job can still be answered.
func (r *jobRow) Left(now time.Time) string {
	if r.ExpiresAt == 0 {
		return "never"
	}
	left := time.Unix(r.ExpiresAt, 0).Sub(now)
	if left <= 0 {
		return "now"
	}
	return "in " + lasting(left)
}

// rowOf names first those who gave a result, the earliest first, then who answered otherwise.
func (s *Site) rowOf(t *index.Thread, of fitting) jobRow {
	row := jobRow{Thread: *t, Some: slices.Clone(t.Providers), Anchor: "job-" + t.ID.String()[:12]}
	switch {
	case t.Encrypted:
		row.Words = "encrypted"
	case s.o.Inputs == InputsHide:
		row.Words = "input hidden"
	default:
		if s.o.Inputs != InputsShow {
			of.chars = min(of.chars, overviewSummary)
		}
		if row.Said = brief(t.Summary, of.chars, of.bytes); row.Said == "" {
			row.Words = "no input"
		}
	}
	slices.SortStableFunc(row.Some, func(a, b index.Provider) int {
		switch {
		case (a.FirstResultAt == 0) != (b.FirstResultAt == 0):
			if a.FirstResultAt != 0 {
				return -1
			}
			return 1
		case a.FirstResultAt != b.FirstResultAt:
			return int(min(max(a.FirstResultAt-b.FirstResultAt, -1), 1))
		}
		return 0
	})
	if len(row.Some) > 0 && row.Some[0].FirstResultAt != 0 && t.RequestSeen {
		row.Took = lasting(time.Duration(row.Some[0].FirstResultAt-t.CreatedAt) * time.Second)
	}
	if len(row.Some) > of.named {
		row.Others = len(row.Some) - of.named
		row.Some = row.Some[:of.named]
	}
	return row
}

// nameCustomers adds the names that customers gave themselves.
func (s *Site) nameCustomers(r store.Reader, l *jobList) error {
	var keys []nip90.PubKey
	for i := range l.Rows {
		if pk, ok := nip90.ParsePubKey(l.Rows[i].Customer); ok {
			keys = append(keys, pk)
		}
	}
	names, err := s.d.Index.Names(r, keys)
	if err != nil {
		return err
	}
	for i := range l.Rows {
		if pk, ok := nip90.ParsePubKey(l.Rows[i].Customer); ok {
			l.Rows[i].CustomerName = names[pk]
		}
	}
	return nil
}

// brief shortens a stranger's text to so many characters, and to so many bytes as a page writes them.
func brief(text string, most, bytes int) string {
	n, size := 0, 0
	for i, c := range text {
		size += width(c)
		if n == most || size > bytes {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

// escaped is how many bytes a text takes on a page.
func escaped(text string) (n int) {
	for _, c := range text {
		n += width(c)
	}
	return n
}

func width(c rune) int {
	switch c {
	case '"', '\'', '&', '<', '>', '+', 0:
		return len("&quot;") // or less
	}
	return utf8.RuneLen(c)
}
