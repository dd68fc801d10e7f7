package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"dvmrelay/index"
)

// printHandlers prints handlers for people.
func printHandlers(w io.Writer, items []json.RawMessage, more bool) error {
	var p page
	var rows [][]string
	for _, item := range items {
		var h index.Handler
		if err := json.Unmarshal(item, &h); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		rows = append(rows, handlerRow(&h))
	}
	if len(rows) == 0 {
		p.line("no handlers")
	}
	p.table([]string{"NAME", "BY", "KINDS", "ONLINE", "SEEN (UTC)", "PRICE", "ELIGIBLE", "ANSWERED", "RATE", "RESULTS", "RESULT P50", "ABOUT"}, rows)
	if more {
		p.line("\nthere are more: raise --limit or narrow with --kind")
	}
	_, err := p.WriteTo(w)
	return err
}

func handlerRow(h *index.Handler) []string {
	online := "no"
	if h.Online {
		online = "yes"
	}
	name := clean(h.Name, 28)
	if h.SupersededBy != "" {
		name += " (old)"
	}
	kinds := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(h.Kinds)), ","), "[]")
	row := []string{name, short(h.PubKey), clean(kinds, 24), online, clock(h.LastSeen), priceOf(h)}
	if m := h.Measured; m != nil {
		rate, p50 := "-", "-"
		if m.AnswerRate != nil {
			rate = percent(*m.AnswerRate)
		}
		if m.FirstResultMs != nil {
			p50 = span(m.FirstResultMs.P50)
		}
		row = append(row, fmt.Sprint(m.Eligible), fmt.Sprint(m.Answered), rate, fmt.Sprint(m.Results), p50)
	} else {
		row = append(row, "-", "-", "-", "-", "-")
	}
	return append(row, clean(h.About, 48))
}

// priceOf is what is asked for, as announced, and as it was really asked when that is known.
func priceOf(h *index.Handler) string {
	said := clean(h.Price.Kind, 12)
	if h.Price.Msat != nil {
		said = sats(int64(*h.Price.Msat))
	}
	if h.Measured != nil && h.Measured.PriceMsat != nil {
		return said + ", asks " + sats(h.Measured.PriceMsat.P50)
	}
	return said
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
