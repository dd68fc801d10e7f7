package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/index"

	"github.com/alecthomas/kong"
)

// root is the top of the source tree.
var root = filepath.Join("..", "..")

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
	constants := integerConstants(files, "exit")
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
		described[literal(t, strings.TrimLeft(m[1], "0"))] = true
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

// TestStorage_TablesAreTheConstants holds the first bytes of keys in the documents against the packages that write them.
func TestStorage_TablesAreTheConstants(t *testing.T) {
	for _, x := range []struct {
		doc, dir, prefix string
		first            *regexp.Regexp // of a row's first cell; its group is the byte
		base             string         // what is put before the group to make a Go literal
		suffix           string
	}{
		{"docs/STORAGE.md", "store", "tab", regexp.MustCompile("^`([a-z])` "), "'", "'"},
		{"docs/STORAGE-index.md", "index", "key", regexp.MustCompile("^`([89a-f][0-9a-f])[ `]"), "0x", ""},
	} {
		t.Run(x.doc, func(t *testing.T) {
			told := make(map[int]bool)
			for _, row := range tableRows(document(t, x.doc)) {
				if m := x.first.FindStringSubmatch(row[0]); m != nil {
					told[literal(t, x.base+m[1]+x.suffix)] = true
				}
			}
			written := make(map[int]bool)
			for name, n := range integerConstants(parseDir(t, x.dir), x.prefix) {
				written[n] = true
				if !told[n] {
					t.Errorf("%s writes keys that begin with %#x (%s), %s has no row for them", x.dir, n, name, x.doc)
				}
			}
			for n := range told {
				if !written[n] {
					t.Errorf("%s has a row for keys that begin with %#x, %s writes none", x.doc, n, x.dir)
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

// documents are README.md, CHANGELOG.md and everything under docs, as paths from the root.
func documents(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CHANGELOG.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatalf("list documents: %v", err)
	}
	return list
}

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatalf("read document: %v", err)
	}
	return string(text)
}

// section is the part of a document from a heading to the next of the same level.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(document(t, path), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", path, heading)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

// tableRows are the cells of every table row but the headings.
func tableRows(text string) [][]string {
	var rows [][]string
	lines := strings.Split(text, "\n")
	rule := regexp.MustCompile(`^\|[-| :]+\|$`)
	for i, line := range lines {
		if !strings.HasPrefix(line, "|") || rule.MatchString(line) || i+1 < len(lines) && rule.MatchString(lines[i+1]) {
			continue
		}
		const bar = "\x00"
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.ReplaceAll(line, `\|`, bar), "|"), "|") {
			cells = append(cells, strings.TrimSpace(strings.ReplaceAll(cell, bar, "|")))
		}
		rows = append(rows, cells)
	}
	return rows
}

func codeSpans(text string) []string {
	var spans []string
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// parseDir reads the Go files of a directory, tests apart.
func parseDir(t *testing.T, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("list %s: %d files, %v", dir, len(paths), err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatalf("read source: %v", err)
		}
		files = append(files, f)
	}
	return files
}

// integerConstants are the constants of files whose names begin with prefix and a capital, and that are written as one
// literal.
func integerConstants(files []*ast.File, prefix string) map[string]int {
	named := regexp.MustCompile("^" + prefix + "[A-Z]")
	constants := make(map[string]int)
	for _, f := range files {
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				continue
			}
			for _, s := range decl.Specs {
				spec, ok := s.(*ast.ValueSpec)
				if !ok || len(spec.Names) != len(spec.Values) {
					continue
				}
				for i, name := range spec.Names {
					lit, ok := spec.Values[i].(*ast.BasicLit)
					if !ok || !named.MatchString(name.Name) {
						continue
					}
					if n, err := number(lit.Value); err == nil {
						constants[name.Name] = n
					}
				}
			}
		}
	}
	return constants
}

// number is the value of an integer or character literal.
func number(lit string) (int, error) {
	if strings.HasPrefix(lit, "'") {
		r, _, rest, err := strconv.UnquoteChar(strings.Trim(lit, "'"), '\'')
		if err != nil || rest != "" {
			return 0, fmt.Errorf("read character %s: %w", lit, strconv.ErrSyntax)
		}
		return int(r), nil
	}
	n, err := strconv.ParseInt(lit, 0, 0)
	return int(n), err
}

func literal(t *testing.T, lit string) int {
	t.Helper()
	n, err := number(lit)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// uses counts how often a name stands in files, its declaration included.
func uses(files []*ast.File, name string) int {
	n := 0
	for _, f := range files {
		ast.Inspect(f, func(node ast.Node) bool {
			if id, ok := node.(*ast.Ident); ok && id.Name == name {
				n++
			}
			return true
		})
	}
	return n
}

// testNames are the tests, fuzz targets and examples of every module in the tree.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)
	names := make(map[string]bool)
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != "." || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatalf("list tests: %v", err)
	}
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
