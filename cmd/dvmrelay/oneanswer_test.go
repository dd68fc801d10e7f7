package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"dvmrelay/config"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
	"dvmrelay/web"
)

// served is a relay in this process with the real events in its store. Its address is for the API, its directory for
// commands.
func served(t *testing.T) (addr, dir string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	h := testHub(t, func(c *config.Config) { c.Relay.Listen, c.Web.Inputs = addr, web.InputsShow })
	ctx, cancel := context.WithCancel(context.Background())
	var level slog.LevelVar
	ended := make(chan error, 1)
	go func() { ended <- (&server{hub: h, call: &call{}, level: &level}).run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run = %v, want nil", err)
		}
	})
	within30s(t, "ready", func() bool { return h.serving() == nil })
	for _, p := range realEvents(t) {
		if _, _, err := h.store.Save(ctx, p); err != nil {
			t.Logf("event %s: %v", p.ID, err) // names nothing known here
		}
	}
	if err := h.index.Settle(ctx, h.store); err != nil {
		t.Fatal(err)
	}
	return addr, h.cfg.Store.Dir
}

func realEvents(t *testing.T) (all []*nip90.Parsed) {
	t.Helper()
	b, err := os.ReadFile("testdata/real-events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		all = append(all, storetest.FromJSON(t, bytes.TrimSpace(line)))
	}
	return all
}

// said is what a command prints, in this process.
func said(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--data-dir", dir)
	if code := run(args, streams{strings.NewReader(""), &out, &errs, nil}); code != exitOK {
		t.Fatalf("%q exits %d: %s", args, code, &errs)
	}
	return strings.TrimSpace(out.String())
}

// sameAnswer asks until both are of the same second, at most a few times.
func sameAnswer(t *testing.T, what string, api, command func() string) {
	t.Helper()
	var a, c string
	for range 5 {
		if a, c = strings.TrimSpace(api()), command(); a == c {
			return
		}
	}
	i := 0
	for i < min(len(a), len(c)) && a[i] == c[i] {
		i++
	}
	at := max(0, i-60)
	t.Errorf("%s: the API says …%.160s, the command …%.160s", what, a[at:], c[at:])
}

// TestOneAnswer: what the API says and what the commands say with --json is the same, byte for byte.
func TestOneAnswer(t *testing.T) {
	addr, dir := served(t)
	ask := func(path string) func() string {
		return func() string {
			b, err := httpGet("http://" + addr + "/api/v1" + path)
			if err != nil {
				t.Fatalf("GET %s: %v", path, err)
			}
			return string(b)
		}
	}
	threads := 0
	for _, p := range realEvents(t) {
		if _, err := httpGet("http://" + addr + "/api/v1/jobs/" + p.ID.String()); err != nil {
			continue // in no job
		}
		threads++
		sameAnswer(t, "job "+p.ID.String(), ask("/jobs/"+p.ID.String()), func() string { return said(t, dir, "thread", "--json", p.ID.String()) })
	}
	if threads < 100 {
		t.Errorf("%d events are in jobs, want at least 100", threads)
	}

	for query, args := range map[string][]string{
		"":             nil,
		"&kind=5300":   {"--kind", "5300"},
		"&sort=name":   {"--sort", "name"},
		"&online=true": {"--online"},
		"&q=the":       {"--q", "the"},
	} {
		sameAnswer(t, "handlers "+query, func() string { return items(t, ask("/handlers?limit=200"+query)()) }, func() string {
			return said(t, dir, append([]string{"handlers", "--json"}, args...)...)
		})
	}
	provider := providerOf(t)
	for query, args := range map[string][]string{
		"":                                   nil,
		"?window=all":                        {"--window", "all"},
		"?window=1h":                         {"--window", "1h"},
		"?since=1700000000&until=1750000000": {"--since", "1700000000", "--until", "1750000000"},
		"?window=all&exclude_kind=5300":      {"--window", "all", "--exclude-kind", "5300"},
		"?since=1&until=1750000000&exclude_kind=5300,5050": {"--since", "1", "--until", "1750000000", "--exclude-kind", "5300", "--exclude-kind", "5050"},
	} {
		sameAnswer(t, "stats "+query, ask("/stats"+query), func() string { return said(t, dir, append([]string{"stats", "--json"}, args...)...) })
	}
	if !strings.Contains(said(t, dir, "stats", "--json", "--window", "all", "--provider", provider), `"requests":`) {
		t.Errorf("no stats of provider %s", provider)
	}
}

// items is a list as the command prints it.
func items(t *testing.T, page string) string {
	t.Helper()
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal([]byte(page), &list); err != nil {
		t.Fatalf("%v in %s", err, page)
	}
	var b strings.Builder
	for _, it := range list.Items {
		fmt.Fprintf(&b, "%s\n", it)
	}
	return strings.TrimSpace(b.String())
}

// providerOf is a key that answered.
func providerOf(t *testing.T) string {
	t.Helper()
	for _, p := range realEvents(t) {
		if store.FactOf(p).Role == nip90.RoleResult {
			return p.Author.String()
		}
	}
	t.Fatal("no results")
	return ""
}
