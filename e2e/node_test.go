package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"testing"
)

// script is a running node program that prints lines of JSON.
type script struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines *bufio.Scanner
	errs  *logBuffer
}

// node starts clients/name; the program ends with the test at the latest.
func node(t *testing.T, name string, args ...string) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := exec.CommandContext(ctx, "node", append([]string{name}, args...)...)
	cmd.Dir = "clients"
	s := &script{t: t, name: name, cmd: cmd, errs: &logBuffer{}}
	cmd.Stderr = s.errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	s.lines.Buffer(nil, 4<<20)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		cancel()
		_, _ = io.Copy(io.Discard, out) // Wait must not close the pipe under a reader; errors are those of a killed program
		_ = cmd.Wait()                  // its verdict was read by end, or the test failed before
		if t.Failed() {
			t.Logf("%s said on stderr:\n%s", name, s.errs)
		}
	})
	return s
}

// next decodes the next line into v.
func (s *script) next(v any) {
	s.t.Helper()
	if !s.lines.Scan() {
		err := s.cmd.Wait()
		s.t.Fatalf("%s ended (%v, %v) when a line was awaited:\n%s", s.name, err, s.lines.Err(), s.errs)
	}
	if err := json.Unmarshal(s.lines.Bytes(), v); err != nil {
		s.t.Fatalf("%s printed %q: %v", s.name, s.lines.Text(), err)
	}
}

// end waits for the program and wants exit code 0 and no further line.
func (s *script) end() {
	s.t.Helper()
	for s.lines.Scan() {
		s.t.Errorf("%s printed another line: %s", s.name, s.lines.Text())
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatalf("%s: %v\n%s", s.name, err, s.errs)
	}
}

// ask runs a program that prints one line.
func ask(t *testing.T, v any, name string, args ...string) {
	t.Helper()
	s := node(t, name, args...)
	s.next(v)
	s.end()
}
