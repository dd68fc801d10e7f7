package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dvmrelay/config"
	"dvmrelay/control"
	"dvmrelay/index"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// filled is a data directory with so many jobs, each with a feedback; the feedback of every third comes before its job.
func filled(t *testing.T, jobs int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	x := index.New(config.Default().Index)
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Dir, o.Indexer = dir, x }))
	var queued []*store.Pending
	save := func(evt nostr.Event) *nostr.Event {
		p := storetest.Parsed(t, evt)
		pending, err := s.Submit(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		queued = append(queued, pending)
		return p.Event
	}
	for i := range jobs {
		at := nostr.Timestamp(1_700_000_000 + i)
		request := nostr.Event{Kind: 5300, PubKey: fmt.Sprintf("%064x", 1+i%500), CreatedAt: at}
		answer := nostr.Event{Kind: 7000, PubKey: fmt.Sprintf("%064x", 1000+i%50), CreatedAt: at + 2, Tags: nostr.Tags{{"status", "processing"}, {"e", request.GetID()}}}
		if i%3 == 0 {
			request, answer = answer, request
		}
		save(request)
		save(answer)
	}
	for _, pending := range queued {
		if _, _, err := pending.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Settle(context.Background(), s.Store); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	return dir
}

// command is a dvmrelay in a process of its own, on a data directory.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("dvmrelay", append(args, "--data-dir", dir)...)
	cmd.Env = append(cmd.Environ(), "DVMRELAY_MIRROR_UPSTREAMS=", "DVMRELAY_OPS_LISTEN=", noRaceSleep)
	return cmd
}

// exit runs a command to its end and gives its exit status and what it printed.
func exit(t *testing.T, cmd *exec.Cmd) (status int, out string) {
	t.Helper()
	b, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// midway starts a reindex and returns once it says that it is in a phase.
func midway(t *testing.T, dir, phase string) (cmd *exec.Cmd, log *lockedBuffer) {
	t.Helper()
	cmd, log = command(dir, "reindex", "--json"), &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("reindex ended before it came to %q: %v\n%s", phase, err, log)
		}
		var rep control.ReindexReport
		if err := json.Unmarshal(line, &rep); err != nil {
			t.Fatalf("reindex says %q: %v", line, err)
		}
		if rep.Phase == phase {
			go func() { _, _ = io.Copy(io.Discard, lines) }() // so that it does not wait for a reader
			return cmd, log
		}
	}
}

func unfinished(t *testing.T, dir string) (left bool) {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(func(r store.Reader) (err error) {
		left, err = index.New(config.Default().Index).Unfinished(r)
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return left
}

func TestReindex_KilledInTheMiddleIsWholeAfterTheNextStart(t *testing.T) {
	dir := filled(t, 1500)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	broken := 0
	for range 3 {
		cmd, _ := midway(t, dir, []string{index.PhaseDrop, index.PhaseFacts, index.PhaseFold}[rnd.IntN(3)])
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed, and says so
		if unfinished(t, dir) {
			broken++
			if status, out := exit(t, command(dir, "verify")); status != exitIntegrity || !strings.Contains(out, "left unfinished") {
				t.Errorf("verify of half an index exits %d, want %d: %s", status, exitIntegrity, out)
			}
			if status, out := exit(t, command(dir, "stats")); status != exitOK || !strings.Contains(out, "left unfinished") {
				t.Errorf("stats of half an index exits %d and says %s, want a warning", status, out)
			}
		}
		p := startHub(t, dir)
		within30s(t, "index whole again", func() bool {
			status, out := exit(t, command(dir, "verify"))
			return status == exitOK && strings.Contains(out, "3000 events, 3000 facts")
		})
		p.kill(t)
	}
	if broken == 0 {
		t.Error("no kill came in the middle")
	}
	checkIndex(t, dir)
}

func TestReindex_InterruptedAloneExits130AndIsDoneOver(t *testing.T) {
	dir := filled(t, 1500)
	cmd, log := midway(t, dir, index.PhaseFold)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exitInterrupted || !strings.Contains(log.String(), "the next serve, import or reindex finishes it") {
		t.Errorf("exits %d (%v), want %d and what is next:\n%s", got, err, exitInterrupted, log)
	}
	if !unfinished(t, dir) {
		t.Error("the index is said to be whole")
	}
	if status, out := exit(t, command(dir, "reindex")); status != exitOK {
		t.Fatalf("reindex exits %d: %s", status, out)
	}
	if status, out := exit(t, command(dir, "verify")); status != exitOK {
		t.Errorf("verify exits %d: %s", status, out)
	}
}

func TestReindex_InterruptedBesideTheRelayGoesOnThere(t *testing.T) {
	dir := filled(t, 1500)
	p := startHub(t, dir)
	cmd, log := midway(t, dir, index.PhaseFold)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exitInterrupted || !strings.Contains(log.String(), "the running relay goes on with it") {
		t.Errorf("exits %d (%v), want %d and who goes on:\n%s", got, err, exitInterrupted, log)
	}
	within30s(t, "index whole", func() bool {
		status, _ := exit(t, command(dir, "verify"))
		return status == exitOK
	})
	if !strings.Contains(p.log.String(), "reindex ended") {
		t.Errorf("the relay does not say that it ended:\n%s", p.log)
	}
	p.kill(t)
	checkIndex(t, dir)
}

// Two at once: the second is told, and changes nothing.
func TestReindex_OneAtATime(t *testing.T) {
	dir := filled(t, 1500)
	p := startHub(t, dir)
	first, log := midway(t, dir, index.PhaseFold)
	status, out := exit(t, command(dir, "reindex"))
	if status == exitOK {
		t.Log("the first was over before the second began")
	} else if status != exitRuntime || !strings.Contains(out, "being rebuilt already") {
		t.Errorf("the second exits %d: %s", status, out)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("the first ends with %v\n%s", err, log)
	}
	p.kill(t)
	checkIndex(t, dir)
}

// Events that come while the index is built are in it, and in the answers.
func TestReindex_EventsKeepComing(t *testing.T) {
	dir := filled(t, 1000)
	p := startHub(t, dir)
	cmd, log := midway(t, dir, index.PhaseFold)
	var lines bytes.Buffer
	n := 0
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for evt := range jobs(ctx) {
		fmt.Fprintln(&lines, evt)
		if n++; n == 200 {
			break
		}
	}
	feed := command(dir, "import", "--json")
	feed.Stdin = &lines
	if status, out := exit(t, feed); status != exitOK || !strings.Contains(out, `"stored":200`) {
		t.Errorf("import exits %d: %s", status, out)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("reindex: %v\n%s", err, log)
	}
	if status, out := exit(t, command(dir, "verify")); status != exitOK || !strings.Contains(out, "2200 events") {
		t.Errorf("verify exits %d: %s", status, out)
	}
	p.kill(t)
	checkIndex(t, dir)
}
