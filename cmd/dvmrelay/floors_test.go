package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floorOf is the table of docs/ARCHITECTURE.md: imports go to a lower number only.
var floorOf = map[string]int{
	"cmd/dvmrelay":    0,
	"config":          1,
	"relay":           2,
	"relay/session":   2,
	"relay/live":      2,
	"web":             2,
	"control":         2,
	"bench":           2,
	"demo":            2,
	"mirror":          3,
	"policies":        3,
	"index":           3,
	"index/month":     4,
	"store":           4,
	"store/storetest": 3,
	"nip90":           5,
	"wire":            5,
	"wire/negentropy": 5,
}

// innerRooms are imports within a floor that the table allows: a room may use its own inner rooms, never a neighbour.
var innerRooms = map[string][]string{
	"relay":           {"relay/session", "relay/live"},
	"relay/session":   {"relay/live"},
	"store/storetest": {"index"},
}

// onlyIn says which of our packages may import a library.
var onlyIn = map[string][]string{
	"github.com/fiatjaf/khatru":          {"relay"},
	"github.com/fiatjaf/khatru/policies": {"relay", "policies"},
	"github.com/dgraph-io/badger/v4":     {"store", "index"},
	"github.com/pelletier/go-toml/v2":    {"config"},
}

type listed struct {
	ImportPath  string
	Imports     []string
	TestImports []string
}

func TestFloors_ImportsGoDownOnly(t *testing.T) {
	for _, p := range goList(t) {
		own := strings.TrimPrefix(p.ImportPath, "dvmrelay/")
		floor, ok := floorOf[own]
		if !ok {
			t.Errorf("package %s has no floor: add it to docs/ARCHITECTURE.md and to this table", own)
			continue
		}
		for _, imp := range p.Imports {
			if err := allowed(own, floor, imp); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFloors_TableCatchesAnUpwardImport(t *testing.T) {
	cases := []struct {
		name, from, imp string
		ok              bool
	}{
		{"down", "relay", "dvmrelay/store", true},
		{"up", "store", "dvmrelay/index", false},
		{"sideways", "nip90", "dvmrelay/wire", false},
		{"inner room", "relay", "dvmrelay/relay/live", true},
		{"khatru outside relay", "web", "github.com/fiatjaf/khatru", false},
		{"badger in store", "store", "github.com/dgraph-io/badger/v4", true},
		{"a part of badger outside store", "relay", "github.com/dgraph-io/badger/v4/options", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := allowed(c.from, floorOf[c.from], c.imp)
			if (err == nil) != c.ok {
				t.Errorf("%s imports %s: got %v, want allowed %t", c.from, c.imp, err, c.ok)
			}
		})
	}
}

func allowed(own string, floor int, imp string) error {
	if other, ours := strings.CutPrefix(imp, "dvmrelay/"); ours {
		if slices.Contains(innerRooms[own], other) || floorOf[other] > floor {
			return nil
		}
		return fmt.Errorf("%s imports %s, which is not below it", own, other)
	}
	longest := ""
	for lib := range onlyIn {
		if (imp == lib || strings.HasPrefix(imp, lib+"/")) && len(lib) > len(longest) {
			longest = lib
		}
	}
	if longest != "" && !slices.Contains(onlyIn[longest], own) {
		return fmt.Errorf("%s imports %s, which belongs to %v alone", own, imp, onlyIn[longest])
	}
	return nil
}

func goList(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "dvmrelay/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
