package web

import (
	"bytes"
	"html/template"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

// TestJobRows_AreShortWhateverStrangersWrite: fifty rows of the longest and worst leave room for the rest of a page.
func TestJobRows_AreShortWhateverStrangersWrite(t *testing.T) {
	for _, inputs := range []string{InputsShow, InputsTruncate, InputsHide} {
		r := newRig(t, Options{Inputs: inputs})
		page := template.Must(template.New("x").Funcs(r.site.words()).ParseFS(pageFiles, "pages/parts*.html"))
		for _, worst := range []string{`"`, "<", "+", "\u00fc", "\U0001f98a", "a"} {
			text := strings.Repeat(worst, 200)
			bid := int64(12_345_678_901)
			var jobs []index.Thread
			for i := range 50 {
				job := index.Thread{
					ID: nip90.ID{byte(i)}, Kind: 5100, Customer: strings.Repeat("a1", 32), CreatedAt: 1_700_000_000, State: index.StatePaymentRequired, Stalled: true,
					Payment: "invoice-expired", Summary: text, BidMsat: &bid, AskedMsat: bid, ClaimedMsat: bid, RequestSeen: true,
				}
				for range 9 {
					job.Providers = append(job.Providers, index.Provider{PubKey: strings.Repeat("b2", 32), Name: text, FirstResultAt: 1_700_000_009})
				}
				jobs = append(jobs, job)
			}
			list := r.site.jobRows(r.now(), jobs)
			for i := range list.Rows {
				list.Rows[i].CustomerName = text
			}
			var out bytes.Buffer
			if err := page.ExecuteTemplate(&out, "jobrows", list); err != nil {
				t.Fatal(err)
			}
			if out.Len() > 82_000 {
				t.Errorf("%s, %q: %d bytes", inputs, worst, out.Len())
			}
			if worst != "a" && strings.Contains(out.String(), "<<") {
				t.Error("a stranger's text is not escaped")
			}
			if !strings.Contains(out.String(), "+8</span>") || !strings.Contains(out.String(), "9 s") {
				t.Errorf("the rows lack those who are not named, or the time to the first result: %.3000s", out.String())
			}
		}
	}
}

func TestJobRows_FirstResultsFirstAndOwnerless(t *testing.T) {
	r := newRig(t, DefaultOptions())
	row := r.site.rowOf(&index.Thread{CreatedAt: 100, RequestSeen: true, Providers: []index.Provider{{Name: "silent"}, {Name: "late", FirstResultAt: 190}, {Name: "quick", FirstResultAt: 103}, {Name: "silent too"}}}, fittings[0])
	var names []string
	for _, p := range row.Some {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, ","); got != "quick,late,silent" || row.Others != 1 || row.Took != "3 s" || row.Words != "no input" {
		t.Errorf("%s and %d others after %s, %q", got, row.Others, row.Took, row.Words)
	}
}
