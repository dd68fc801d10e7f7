package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"dvmrelay/control"
	"dvmrelay/index"
	"dvmrelay/nip90"
)

// printView prints a view as the JSON it came as, or for people.
func printView[T any](w io.Writer, raw json.RawMessage, asJSON bool, human func(io.Writer, T)) error {
	if asJSON {
		_, err := fmt.Fprintln(w, string(raw))
		return err
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	human(w, v)
	return nil
}

// printItems prints the items of a list, one a line.
func printItems(w io.Writer, raw json.RawMessage) error {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	for _, item := range list.Items {
		var line bytes.Buffer
		if err := json.Compact(&line, item); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if _, err := fmt.Fprintln(w, line.String()); err != nil {
			return err
		}
	}
	return nil
}

// clean makes text from strangers fit for a terminal: one line, no control characters, not too long.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func clock(at int64) string {
	if at == 0 {
		return "-"
	}
	return time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05")
}

func sats(msat int64) string { return fmt.Sprintf("%d.%03d sat", msat/1000, msat%1000) }

// view is a thread as it is read back; ids are text here.
type view struct {
	index.Thread
	ID     string      `json:"id"`
	Events []viewEntry `json:"events"`
}

type viewEntry struct {
	ID         string          `json:"id"`
	Kind       int             `json:"kind"`
	PubKey     string          `json:"pubkey"`
	CreatedAt  int64           `json:"created_at"`
	Role       string          `json:"role"`
	Status     string          `json:"status"`
	StatusText string          `json:"status_text"`
	AmountMsat *int64          `json:"amount_msat"`
	Findings   []nip90.Finding `json:"findings"`
	Expired    bool            `json:"expired"`
}

func printThread(w io.Writer, t view) {
	fmt.Fprintf(w, "job      %s\n", t.ID)
	fmt.Fprintf(w, "kind     %d %s\n", t.Kind, t.KindName)
	fmt.Fprintf(w, "customer %s\n", t.Customer)
	fmt.Fprintf(w, "created  %s UTC\n", clock(t.CreatedAt))
	fmt.Fprintf(w, "state    %s", t.State)
	if t.Stalled {
		fmt.Fprint(w, " (stalled)")
	}
	fmt.Fprintf(w, ", payment %s, asked %s, claimed %s, results %d\n", t.Payment, sats(t.AskedMsat), sats(t.ClaimedMsat), t.ResultsCount)
	switch {
	case t.Encrypted:
		fmt.Fprintln(w, "input    encrypted")
	case t.Summary != "":
		fmt.Fprintf(w, "input    %s\n", clean(t.Summary, 100))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(t.Providers) > 0 {
		fmt.Fprintln(tw, "\nPROVIDER\tSTATE\tFIRST FEEDBACK\tFIRST RESULT\tASKED\tCLAIMED")
	}
	for _, p := range t.Providers {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", name(p), p.State, clock(p.FirstFeedbackAt), clock(p.FirstResultAt), sats(p.AskedMsat), sats(p.ClaimedMsat))
	}
	if len(t.Events) > 0 {
		fmt.Fprintln(tw, "\nTIME\tROLE\tKIND\tSTATUS\tBY\tID")
	}
	for _, e := range t.Events {
		status := e.Status
		if e.StatusText != "" {
			status += " " + clean(e.StatusText, 40)
		}
		if e.Expired {
			status += " (expired)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%s\n", clock(e.CreatedAt), e.Role, e.Kind, strings.TrimSpace(status), short(e.PubKey), e.ID)
	}
	_ = tw.Flush() // a failed write to the terminal shows at the next one
}

func name(p index.Provider) string {
	if p.Name != "" {
		return clean(p.Name, 24) + " " + short(p.PubKey)
	}
	return short(p.PubKey)
}

func short(hexKey string) string {
	pk, ok := nip90.ParsePubKey(hexKey)
	if !ok {
		return hexKey
	}
	if npub := nip90.Npub(pk); len(npub) > 14 {
		return npub[:14] + "…"
	}
	return hexKey
}

func printHandlers(w io.Writer, page struct {
	Items []struct {
		Address string `json:"address"`
		PubKey  string `json:"pubkey"`
		Kinds   []int  `json:"kinds"`
		Name    string `json:"name"`
		About   string `json:"about"`
		Online  bool   `json:"online"`
	} `json:"items"`
	Next string `json:"next_cursor"`
},
) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tBY\tKINDS\tONLINE\tABOUT")
	for _, h := range page.Items {
		kinds := strings.Trim(fmt.Sprint(h.Kinds), "[]")
		online := "no"
		if h.Online {
			online = "yes"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", clean(h.Name, 30), short(h.PubKey), clean(kinds, 40), online, clean(h.About, 60))
	}
	_ = tw.Flush() // a failed write to the terminal shows at the next one
	if page.Next != "" {
		fmt.Fprintln(w, "there are more: raise --limit or narrow with --kind")
	}
}

// printStats prints every number of the stats, in the order of their names.
func printStats(w io.Writer, st map[string]any) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range slices.Sorted(maps.Keys(st)) {
		switch v := st[k].(type) {
		case float64:
			if k == "since" || k == "until" || strings.HasSuffix(k, "_since") {
				fmt.Fprintf(tw, "%s\t%s UTC\n", k, clock(int64(v)))
			} else {
				fmt.Fprintf(tw, "%s\t%.10g\n", k, v)
			}
		case string, bool:
			fmt.Fprintf(tw, "%s\t%v\n", k, v)
		}
	}
	_ = tw.Flush() // a failed write to the terminal shows at the next one
}

func printImport(w io.Writer, r control.ImportReport) {
	fmt.Fprintf(w, "read %d, stored %d, duplicate %d, stale %d, deleted %d, expired %d, refused %d\n",
		r.Read, r.Stored, r.Duplicate, r.Stale, r.Deleted, r.FactOnly, r.RejectedTotal())
	for _, why := range slices.Sorted(maps.Keys(r.Rejected)) {
		fmt.Fprintf(w, "  %d %s\n", r.Rejected[why], why)
	}
}
