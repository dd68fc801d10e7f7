package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dvmrelay/web"

	"github.com/google/go-cmp/cmp"
)

// TestPages draws answers for people; testdata/pages holds the answers and, beside each, the page that was reviewed.
// UPDATE_PAGES=1 writes the pages anew.
func TestPages(t *testing.T) {
	now := time.Unix(1_700_003_600, 0)
	draw := map[string]func(*page, []byte) error{
		"thread": func(p *page, raw []byte) error {
			var v shownThread
			err := json.Unmarshal(raw, &v)
			p.thread(v, now)
			return err
		},
		"stats": func(p *page, raw []byte) error {
			var v web.WindowStats
			err := json.Unmarshal(raw, &v)
			p.stats(v)
			return err
		},
		"handlers": func(p *page, raw []byte) error {
			var items []json.RawMessage
			if err := json.Unmarshal(raw, &items); err != nil {
				return err
			}
			return printHandlers(p, items, true)
		},
	}
	for kind, fn := range draw {
		files, err := filepath.Glob(filepath.Join("testdata", "pages", kind+"*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no answers of %s, %v", kind, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var p page
				if err := fn(&p, raw); err != nil {
					t.Fatal(err)
				}
				golden := file[:len(file)-len(".json")] + ".golden"
				if os.Getenv("UPDATE_PAGES") != "" {
					if err := os.WriteFile(golden, p.Bytes(), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), p.String()); d != "" {
					t.Errorf("page differs from %s:\n%s", golden, d)
				}
			})
		}
	}
}
