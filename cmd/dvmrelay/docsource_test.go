package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

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
func integerConstants(t *testing.T, files []*ast.File, prefix string) map[string]int {
	t.Helper()
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
					if lit.Kind == token.INT || lit.Kind == token.CHAR {
						constants[name.Name] = number(t, lit.Value)
					}
				}
			}
		}
	}
	return constants
}

// number is the value of an integer or character literal.
func number(t *testing.T, lit string) int {
	t.Helper()
	if inner, isChar := strings.CutPrefix(lit, "'"); isChar {
		r, _, _, err := strconv.UnquoteChar(strings.TrimSuffix(inner, "'"), '\'')
		if err != nil {
			t.Fatalf("read character %s: %v", lit, err)
		}
		return int(r)
	}
	n, err := strconv.ParseInt(lit, 0, 0)
	if err != nil {
		t.Fatalf("read number: %v", err)
	}
	return int(n)
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
