package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/alecthomas/kong"
)

// root is the top of the source tree.
const root = "../.."

func TestReadme_BeginsWithTheTwoCommands(t *testing.T) {
	const want = "```\ngo run ./cmd/dvmrelay\ngo test ./...\n```"
	_, top, found := strings.Cut(document(t, "README.md"), "```")
	if top = "```" + top; !found || !strings.HasPrefix(top, want) {
		t.Errorf("the first code block of README.md is %.60q, want %q", top, want)
	}
}

// TestReadme_CommandsAreThoseOfTheProgram holds the table of commands, and every flag it names, against the command line.
func TestReadme_CommandsAreThoseOfTheProgram(t *testing.T) {
	commands := programCommands(t)
	told := make(map[string]bool)
	for _, row := range tableRows(section(t, "README.md", "## Commands")) {
		for _, usage := range codeSpans(row[0]) {
			words := strings.Fields(usage)
			if len(words) < 2 || words[0] != "dvmrelay" {
				t.Errorf("%q is no usage of the program", usage)
				continue
			}
			name := words[1]
			told[name] = true
			command, ok := commands[name]
			if !ok {
				t.Errorf("README.md has the command %q, the program has not", name)
				continue
			}
			for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(usage, -1) {
				if !takes(command, flag) {
					t.Errorf("README.md has %s for %s, the program has not", flag, name)
				}
			}
		}
	}
	for name, command := range commands {
		if !told[name] {
			t.Errorf("the program has the command %q, README.md has not", name)
		}
		for _, flag := range []string{"--config", "--data-dir"} {
			if !takes(command, flag) {
				t.Errorf("README.md says that all take %s, %s does not", flag, name)
			}
		}
	}
}

// programCommands are the commands of the program by name.
func programCommands(t *testing.T) map[string]*kong.Node {
	t.Helper()
	k, err := kong.New(&cli{})
	if err != nil {
		t.Fatalf("make the command line: %v", err)
	}
	commands := make(map[string]*kong.Node)
	for _, node := range k.Model.Children {
		if node.Type == kong.CommandNode && !node.Hidden {
			commands[node.Name] = node
		}
	}
	return commands
}

func takes(command *kong.Node, flag string) bool {
	for _, group := range command.AllFlags(false) {
		for _, f := range group {
			if "--"+f.Name == flag {
				return true
			}
		}
	}
	return false
}

// TestReadme_ExitStatusesAreTheConstants: README.md tells each status that the program ends with, and no other.
func TestReadme_ExitStatusesAreTheConstants(t *testing.T) {
	_, list, found := strings.Cut(document(t, "README.md"), "Exit status: ")
	list, _, ended := strings.Cut(list, ".")
	if !found || !ended {
		t.Fatal("README.md has no sentence that begins with \"Exit status: \"")
	}
	told := make(map[int]string)
	for part := range strings.SplitSeq(list, ",") {
		number, words, _ := strings.Cut(strings.TrimSpace(part), " ")
		n, err := strconv.Atoi(number)
		if err != nil || words == "" {
			t.Fatalf("%q is no exit status with words", part)
		}
		told[n] = words
	}
	files := parseDir(t, "cmd/dvmrelay")
	constants := integerConstants(t, files, "exit")
	for name, n := range constants {
		words, ok := told[n]
		switch used := uses(files, name) > 1; {
		case used && !ok:
			t.Errorf("the program ends with %d (%s), README.md does not say so", n, name)
		case !used && ok:
			t.Errorf("README.md says %d %s, no part of the program ends with %s", n, words, name)
		}
		delete(told, n)
	}
	for n, words := range told {
		t.Errorf("README.md says %d %s, the program has no such status", n, words)
	}
}

// TestNIPs_EveryAdvertisedOneHasASection opens a relay with all that can be advertised.
func TestNIPs_EveryAdvertisedOneHasASection(t *testing.T) {
	described := make(map[int]bool)
	for _, m := range regexp.MustCompile(`(?m)^## NIP-(\d+)\b`).FindAllStringSubmatch(document(t, "docs/NIPS.md"), -1) {
		described[number(t, strings.TrimLeft(m[1], "0"))] = true
	}
	for name, env := range map[string][]string{
		"default": nil,
		"everything": {
			"DVMRELAY_RELAY_URL=wss://relay.example.com", "DVMRELAY_RELAY_EOSE_HINT=true", "DVMRELAY_POLICIES_MIN_POW=8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			nips := advertised(t, append(env, "DVMRELAY_MIRROR_UPSTREAMS="))
			if len(nips) == 0 {
				t.Fatal("nothing is advertised")
			}
			for _, nip := range nips {
				if !described[nip] {
					t.Errorf("NIP-%02d is advertised and has no section in docs/NIPS.md", nip)
				}
			}
		})
	}
}

// advertised is supported_nips of a relay that the environment configures.
func advertised(t *testing.T, env []string) []int {
	t.Helper()
	k := &call{
		ctx: t.Context(), std: streams{strings.NewReader(""), t.Output(), t.Output(), env},
		common: common{Config: os.DevNull, DataDir: t.TempDir()},
	}
	cfg, err := k.load()
	if err != nil {
		t.Fatalf("load configuration: %v", err)
	}
	h, err := openHub(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open hub: %v", err)
	}
	defer func() {
		if err := h.store.View(index.Check); err != nil {
			t.Errorf("check index: %v", err)
		}
		if err := h.close(); err != nil {
			t.Errorf("close hub: %v", err)
		}
	}()
	return h.relay.Information().SupportedNIPs
}

// TestNIPs_RowsAreWhole: each row says yes, partly or no, why it is not yes, and where the rest is done.
func TestNIPs_RowsAreWhole(t *testing.T) {
	rows := tableRows(document(t, "docs/NIPS.md"))
	if len(rows) < 50 {
		t.Fatalf("docs/NIPS.md has %d rows", len(rows))
	}
	for _, row := range rows {
		if len(row) != 3 {
			t.Errorf("a row has %d cells: %q", len(row), row)
			continue
		}
		word, why, _ := strings.Cut(row[1], " ")
		verdict := strings.TrimRight(word, ":;,")
		switch {
		case !slices.Contains([]string{"yes", "partly", "no"}, verdict):
			t.Errorf("%q: %q is neither yes nor partly nor no", row[0], row[1])
		case verdict == "partly" && why == "":
			t.Errorf("%q: does not say which part is missing", row[0])
		case verdict != "no" && row[2] == "":
			t.Errorf("%q: does not say where it is done", row[0])
		}
	}
}

// TestDocs_WhatTheyNameExists: files and tests that the documents name are there.
func TestDocs_WhatTheyNameExists(t *testing.T) {
	tests := testNames(t)
	for _, doc := range documents(t) {
		text := regexp.MustCompile(`https?://[^\s)>]+`).ReplaceAllString(document(t, doc), "")
		for _, path := range namedPaths(text) {
			if !exists(filepath.Join(root, path)) {
				t.Errorf("%s names %s, which is not there", doc, path)
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`).FindAllStringSubmatch(text, -1) {
			if !exists(filepath.Join(root, filepath.Dir(doc), m[1])) {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z]\\w*)`").FindAllStringSubmatch(text, -1) {
			if !tests[name[1]] {
				t.Errorf("%s names the test %s, which is not there", doc, name[1])
			}
		}
	}
}

// namedPaths are the files with a directory that a text names in code spans.
func namedPaths(text string) []string {
	file := regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[\w.-]+)+\.(go|md|toml|txtar|jsonl|golden|mjs|html|css)$`)
	var paths []string
	for _, span := range codeSpans(text) {
		if file.MatchString(span) {
			paths = append(paths, span)
		}
	}
	return paths
}

// TestStorage_TablesAreTheConstants holds the first bytes of keys in docs/STORAGE.md against the packages that write them.
func TestStorage_TablesAreTheConstants(t *testing.T) {
	rows := tableRows(document(t, "docs/STORAGE.md"))
	for _, x := range []struct {
		dir, prefix string
		first       *regexp.Regexp // of a row's first cell; its group is the byte
		literal     string         // what makes a Go literal of the group
		also        map[int]bool   // bytes that have no constant there
	}{
		{"store", "tab", regexp.MustCompile("^`([a-z])` "), "'%s'", nil},
		{"index", "key", regexp.MustCompile("^`([89a-f][0-9a-f])[ `]"), "0x%s", map[int]bool{store.IndexSpace: true}},
	} {
		t.Run(x.dir, func(t *testing.T) {
			told := make(map[int]bool)
			for _, row := range rows {
				if m := x.first.FindStringSubmatch(row[0]); m != nil {
					told[number(t, fmt.Sprintf(x.literal, m[1]))] = true
				}
			}
			written := make(map[int]bool)
			for name, n := range integerConstants(t, parseDir(t, x.dir), x.prefix) {
				written[n] = true
				if !told[n] {
					t.Errorf("%s writes keys that begin with %#x (%s), docs/STORAGE.md has no row for them", x.dir, n, name)
				}
			}
			for n := range told {
				if !written[n] && !x.also[n] {
					t.Errorf("docs/STORAGE.md has a row for keys that begin with %#x, %s writes none", n, x.dir)
				}
			}
		})
	}
}

func TestChangelog_HasASectionForThisRelease(t *testing.T) {
	line := regexp.MustCompile(`(?m)^## ` + regexp.QuoteMeta(release) + `\b`)
	if !line.MatchString(document(t, "CHANGELOG.md")) {
		t.Errorf("CHANGELOG.md has no section for %s", release)
	}
}
