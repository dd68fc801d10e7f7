package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"dvmrelay/nip90"
)

// words are the functions of the templates.
func (s *Site) words() template.FuncMap {
	return template.FuncMap{
		"summary": func(text string) string {
			if s.o.Inputs == InputsShow {
				return text
			}
			return shorten(text, overviewSummary)
		},
		"asset":    s.asset,
		"tabs":     func() []tab { return tabs[:] },
		"npub":     npub,
		"shortkey": shortKey,
		"shortid":  func(id string) string { return id[:min(len(id), 8)] },
		"person":   func(key, name string) person { return person{key, name, keyPath(key, false)} },
		"provider": func(key, name string) person { return person{key, name, keyPath(key, true)} },
		"job":      jobPath,
		"event":    eventPath,
		"kindpath": kindPath,
		"kindname": nip90.KindName,
		"ago":      ago,
		"when":     func(now time.Time, at int64) moment { return moment{at, ago(now, at)} },
		"exact":    exact,
		"clock":    clockTime,
		"day":      func(at int64) string { return time.Unix(at, 0).UTC().Format("2 Jan") },
		"bare":     bareURL,
		"since":    func(now time.Time, at int64) string { return lasting(now.Sub(time.Unix(at, 0))) },
		"compact":  compact,
		"iso":      func(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) },
		"lasting":  func(seconds int64) string { return lasting(time.Duration(seconds) * time.Second) },
		"millis":   millis,
		"percent":  func(f *float64) string { return fmt.Sprintf("%.0f %%", 100**f) },
		"sats":     sats,
		"satlike":  satlike,
		"grouped":  func(n any) string { return grouped(whole(n)) },
		"mark":     mark,
		"shorten":  shorten,
		"indent":   indented,
		"counts":   countsOf,
		"hour":     func(at int64) string { return time.Unix(at, 0).UTC().Format("15:04:05") },
		"whyclass": whyClass,
		"whyword":  func(why string) string { return whyWords[why] },
		"partword": func(name string) string { return partWords[name] },
		"bytes":    func(n any) string { return byteSize(whole(n)) },
		"add":      func(a, b int) int { return a + b },
		"lower":    strings.ToLower,
		"jobrows":  s.jobRows,
		"jobchips": func(of string, chips []chip) chipRow { return chipRow{of, chips} },
		"chosen":   func() []string { return chosen[:] },
		"jobwho": func(key, name string, provider bool) person {
			return person{key, brief(name, nameChars, nameBytes), keyPath(key, provider)}
		},
	}
}

// tab is one entry of the navigation.
type tab struct{ Name, Path string }

var tabs = [...]tab{{"Jobs", "/jobs"}, {"DVMs", "/dvms"}, {"Kinds", "/kinds"}, {"Upstreams", "/upstreams"}, {"Explore", "/explore"}}

// person is a key as pages show it: the name that it gave itself, which proves nothing, and its npub beside.
type person struct{ Key, Name, Path string }

// moment is a time as pages show it: how long ago, and exactly on hover. At is in unix seconds; 0 = never.
type moment struct {
	At  int64
	Ago string
}

func npub(hex string) string {
	pk, ok := nip90.ParsePubKey(hex)
	if !ok {
		return ""
	}
	return nip90.Npub(pk)
}

func shortKey(hex string) string {
	name := npub(hex)
	return name[:min(len(name), 12)] + "…"
}

func itoa(n int) string { return strconv.Itoa(n) }

// mark is a state as a sign, beside its word: nobody has to tell colours apart.
func mark(state string) string {
	return map[string]string{
		"success": "✓", "error": "✕", "payment-required": "$", "processing": "▶", "partial": "◐", "open": "○", "cancelled": "–",
		"expired": "∅", "unanswered": "○", "stalled": "▷", "live": "●", "backfilling": "◑", "connecting": "…", "waiting": "✕", "refused": "✕",
		"paused": "‖", "asked": "$", "claimed": "$✓", "invoice-expired": "$∅", "mismatch": "$≠", "undelivered": "!", "refunded": "↩",
		"ok": "✓", "warn": "!", "bad": "✕", "unknown": "?", "none": "",
	}[state]
}

func shorten(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

func exact(at int64) string { return time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05 UTC") }

func ago(now time.Time, at int64) string {
	if at == 0 {
		return "never"
	}
	d := now.Sub(time.Unix(at, 0))
	switch {
	case d < 0:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

func millis(ms int64) string { return lasting(time.Duration(ms) * time.Millisecond) }

// lasting is how long something took, with two digits that count.
func lasting(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d == 0: // events have whole seconds
		return "< 1 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second == 0:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// sats writes an amount of millisatoshi in satoshi; what is left of one is not dropped.
func sats(msat int64) string {
	text := grouped(msat / 1000)
	if rest := msat % 1000; rest != 0 && msat > -1_000_000 && msat < 1_000_000 {
		text = strconv.FormatFloat(float64(msat)/1000, 'f', -1, 64)
	}
	return text
}

// satlike writes an amount that is an estimate, as medians are: with two digits that count.
func satlike(msat int64) string {
	unit := int64(1)
	for n := msat; n >= 100; n /= 10 {
		unit *= 10
	}
	return "~" + sats((msat+unit/2)/unit*unit)
}

func whole(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(min(n, 1<<62))
	}
	return 0
}

// grouped writes a number with thin gaps between thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text
}

// compact writes a number in at most four characters, up to a million.
func compact(n int) string {
	switch {
	case n < 1000:
		return itoa(n)
	case n < 9_950:
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return fmt.Sprintf("%dk", (n+500)/1000)
}

// indented is JSON with line breaks for people; what is no JSON stays as it is.
func indented(raw json.RawMessage) string {
	b, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(b)
}
