package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdExits runs a command and compares its exit status: exits STATUS COMMAND [ARG...]. Its output is for stdout and stderr.
func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v: %v", args[1:], err)
	}
	if got != want {
		ts.Fatalf("%s exits %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// since is what a clock moves in a text.
var since = regexp.MustCompile(`[^,]* ago`)

// cmdAlike wants the last command's output to be that in a file, however much later it was written: alike FILE.
func cmdAlike(ts *testscript.TestScript, _ bool, args []string) {
	got, want := since.ReplaceAllString(ts.ReadFile("stdout"), "ago"), since.ReplaceAllString(ts.ReadFile(args[0]), "ago")
	if got != want {
		ts.Fatalf("stdout is\n%s\nand %s is\n%s", got, args[0], want)
	}
}

// cmdSame waits until two hubs answer a filter with the same events, and with some: same A B FILTER.
func cmdSame(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, "same "+args[2], func() error {
		a, b := reqOnce(ts, args[0], args[2]), reqOnce(ts, args[1], args[2])
		slices.Sort(a)
		slices.Sort(b)
		if len(b) == 0 || !slices.Equal(a, b) {
			return fmt.Errorf("%s has %d events, %s has %d", args[0], len(a), args[1], len(b))
		}
		return nil
	})
}

// threadView is what the three ways of asking for a thread have in common.
type threadView struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Events []struct {
		ID      string `json:"id"`
		Expired bool   `json:"expired"`
	} `json:"events"`
}

func (v threadView) ids() []string { return v.which(true) }

// which is the ids of the thread, with or without what has expired: a REQ does not serve that. NIP-40.
func (v threadView) which(expired bool) (ids []string) {
	for _, e := range v.Events {
		if expired || !e.Expired {
			ids = append(ids, e.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// cmdThreads asks every hub named for every job it serves by REQ, by the API and by the command, and wants one answer:
// threads NAME...
func cmdThreads(ts *testscript.TestScript, _ bool, args []string) {
	var first map[string]threadView
	for _, name := range args {
		got := threadsOf(ts, name)
		if len(got) == 0 {
			ts.Fatalf("%s has no threads", name)
		}
		if first == nil {
			first = got
		}
		if len(got) != len(first) {
			ts.Fatalf("%s has %d jobs, %s has %d", name, len(got), args[0], len(first))
		}
		for id, v := range first {
			if !v.agrees(got[id]) {
				ts.Fatalf("job %s is %q on %s and %q on %s", id, v.line(), args[0], got[id].line(), name)
			}
		}
	}
	ts.Logf("%d threads are the same on %v, asked three ways", len(first), args)
}

// threadsOf is every job that a hub serves, after the three ways were found to agree.
func threadsOf(ts *testscript.TestScript, name string) map[string]threadView {
	out := map[string]threadView{}
	for _, id := range reqOnce(ts, name, `{"kinds":`+kindList(5000, 5999)+`,"limit":5000}`) {
		byAPI := threadBy(ts, func() ([]byte, error) { return httpGet("http://" + ts.Getenv(name) + "/api/v1/jobs/" + id) })
		byCommand := threadBy(ts, func() ([]byte, error) {
			cmd := exec.Command("dvmrelay", "thread", "--json", "--data-dir", ts.MkAbs(name), id)
			cmd.Env = append(testBinaryEnv(), "PATH="+ts.Getenv("PATH"), "DVMRELAY_MIRROR_UPSTREAMS=")
			return cmd.Output()
		})
		if byAPI.State != byCommand.State || !slices.Equal(byAPI.ids(), byCommand.ids()) {
			ts.Fatalf("job %s: the API says %s, the command %s", id, byAPI.line(), byCommand.line())
		}
		bySearch := reqOnce(ts, name, `{"search":"thread:`+id+`"}`)
		slices.Sort(bySearch)
		if !slices.Equal(bySearch, byAPI.which(false)) {
			ts.Fatalf("job %s: search gives %v, the API %v", id, bySearch, byAPI.which(false))
		}
		out[id] = byAPI
	}
	return out
}

func (v threadView) line() string { return v.State + " " + strings.Join(v.ids(), " ") }

// agrees says whether two hubs show one thread. An event that expired leaves its fact where it was met, and no hub hands
// it on, so states are compared only where nothing has expired.
func (v threadView) agrees(o threadView) bool {
	if !slices.Equal(v.which(false), o.which(false)) {
		return false
	}
	whole := len(v.which(false)) == len(v.ids()) && len(o.which(false)) == len(o.ids())
	return !whole || v.State == o.State
}

func threadBy(ts *testscript.TestScript, ask func() ([]byte, error)) (v threadView) {
	b, err := ask()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		ts.Fatalf("thread: %v: %s", err, exit.Stderr)
	}
	ts.Check(err)
	ts.Check(json.Unmarshal(bytes.TrimSpace(b), &v))
	return v
}

func kindList(from, to int) string {
	var all []string
	for k := from; k <= to; k++ {
		all = append(all, strconv.Itoa(k))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// cmdSign makes the events of one job with fresh keys and writes them as JSON lines: sign FILE. The request's id becomes
// $JOB, that of the result $RESULT, its author $PROVIDER; $NOTE and $NEVENT name the feedback.
func cmdSign(ts *testscript.TestScript, _ bool, args []string) {
	customer, provider := nostr.GeneratePrivateKey(), nostr.GeneratePrivateKey()
	key, err := nostr.GetPublicKey(customer)
	ts.Check(err)
	request := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{{"i", "what is new", "text"}}}
	ts.Check(request.Sign(customer))
	about := nostr.Tags{{"e", request.ID}, {"p", key}}
	feedback := &nostr.Event{Kind: 7000, CreatedAt: nostr.Now(), Tags: append(nostr.Tags{{"status", "processing"}}, about...)}
	ts.Check(feedback.Sign(provider))
	result := &nostr.Event{Kind: 6300, CreatedAt: nostr.Now(), Tags: append(nostr.Tags{{"request", request.String()}}, about...), Content: "[]"}
	ts.Check(result.Sign(provider))
	var lines []string
	for _, evt := range []*nostr.Event{request, feedback, result} {
		lines = append(lines, evt.String())
	}
	ts.Setenv("JOB", request.ID)
	ts.Setenv("RESULT", result.ID)
	ts.Setenv("PROVIDER", result.PubKey)
	id, _ := nip90.ParseID(feedback.ID)
	ts.Setenv("NOTE", nip90.Note(id))
	ts.Setenv("NEVENT", nip90.Nevent(id, nip90.PubKey{}, feedback.Kind, "wss://relay.example"))
	writeFile(ts, args[0], strings.Join(lines, "\n")+"\n")
}
