package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// shownHandler is what a list shows of a handler. It is read from JSON, as the API writes it.
type shownHandler struct {
	PubKey  string `json:"pubkey"`
	Kinds   []int  `json:"kinds"`
	Name    string `json:"name"`
	About   string `json:"about"`
	Online  bool   `json:"online"`
	Last    int64  `json:"last_seen"`
	Earlier string `json:"superseded_by"`
	Price   struct {
		Kind string `json:"kind"`
		Msat *int64 `json:"msat"`
	} `json:"price"`
	Measured *struct {
		Eligible      int64           `json:"eligible"`
		Answered      int64           `json:"answered"`
		Results       int64           `json:"results"`
		AnswerRate    *float64        `json:"answer_rate"`
		FirstResultMs *shownQuantiles `json:"first_result_ms"`
		PriceMsat     *shownQuantiles `json:"price_msat"`
	} `json:"measured"`
	Findings []struct {
		Code string `json:"code"`
	} `json:"findings"`
}

type shownQuantiles struct {
	P50   int64 `json:"p50"`
	P95   int64 `json:"p95"`
	P99   int64 `json:"p99"`
	Count int64 `json:"count"`
}

// printHandlers prints handlers for people.
func printHandlers(w io.Writer, items []json.RawMessage, more bool) error {
	var p page
	var rows [][]string
	for _, item := range items {
		var h shownHandler
		if err := json.Unmarshal(item, &h); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		rows = append(rows, h.row())
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

func (h *shownHandler) row() []string {
	online := "no"
	if h.Online {
		online = "yes"
	}
	name := clean(h.Name, 28)
	if h.Earlier != "" {
		name += " (old)"
	}
	kinds := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(h.Kinds)), ","), "[]")
	row := []string{name, short(h.PubKey), clean(kinds, 24), online, clock(h.Last), h.price()}
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

// price is what is asked for, as announced, and as it was really asked when that is known.
func (h *shownHandler) price() string {
	said := clean(h.Price.Kind, 12)
	if h.Price.Msat != nil {
		said = sats(*h.Price.Msat)
	}
	if h.Measured != nil && h.Measured.PriceMsat != nil {
		return said + ", asks " + sats(h.Measured.PriceMsat.P50)
	}
	return said
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
