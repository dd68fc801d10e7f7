package e2e

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// foreign is a relay that is not ours, with one address and one place for its events, run as often as a test likes.
type foreign struct {
	t    *testing.T
	addr string
	argv []string
	dir  string // where it runs

	nip77 bool // it can be compared with

	cmd  *exec.Cmd
	done chan struct{}
	log  *logBuffer
}

// plainRelay is khatru over badger. It gives so many events for a filter; 0 = 1,000, and no bound on what it compares by
// NIP-77, which has the other bound otherwise.
func plainRelay(t *testing.T, nip77 bool, maxLimit int) *foreign {
	addr := freeAddr(t)
	f := newForeign(t, addr, ".", plainBinary, "-listen", addr, "-data", filepath.Join(t.TempDir(), "plain"),
		fmt.Sprintf("-negentropy=%t", nip77), fmt.Sprintf("-max-limit=%d", maxLimit))
	f.nip77 = nip77 && maxLimit == 0
	return f
}

// npmRelay is @nostr-relay/core.
func npmRelay(t *testing.T) *foreign {
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return newForeign(t, addr, "clients", "node", "npm-relay.mjs", port, filepath.Join(t.TempDir(), "events.jsonl"))
}

func newForeign(t *testing.T, addr, dir string, argv ...string) *foreign {
	f := &foreign{t: t, addr: addr, dir: dir, argv: argv, log: &logBuffer{}}
	t.Cleanup(func() {
		f.kill()
		if t.Failed() {
			t.Logf("%v said:\n%s", argv, f.log)
		}
	})
	return f
}

func (f *foreign) ws() string { return "ws://" + f.addr }

// start runs it and waits until it takes connections.
func (f *foreign) start() {
	f.t.Helper()
	f.cmd = exec.Command(f.argv[0], f.argv[1:]...)
	f.cmd.Dir = f.dir
	f.cmd.Stdout, f.cmd.Stderr = f.log, f.log
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // it ends when it is killed
		close(done)
	}(f.cmd, f.done)
	poll(f.t, "a connection to "+f.addr, func() error {
		select {
		case <-f.done:
			f.t.Fatalf("%v ended:\n%s", f.argv, f.log)
		default:
		}
		conn, err := net.Dial("tcp", f.addr)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

func (f *foreign) kill() {
	if f.cmd == nil {
		return
	}
	_ = f.cmd.Process.Kill() // it may have ended by itself
	<-f.done
	f.cmd = nil
}

// publish hands events to the relay and returns those that it took.
func (f *foreign) publish(events []*nostr.Event) (taken []*nostr.Event) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*patience)
	defer cancel()
	c, err := nostr.RelayConnect(ctx, f.ws())
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // what it was for is done
	for _, e := range events {
		if err := c.Publish(ctx, *e); err == nil {
			taken = append(taken, e)
		} else if ctx.Err() != nil {
			f.t.Fatalf("publish %s: %v", e.ID, err)
		}
	}
	return taken
}

// serves is which of these events a relay gives to who asks for them by id.
func serves(t *testing.T, url string, events []*nostr.Event) map[string]bool {
	t.Helper()
	const batch = 100
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := nostr.RelayConnect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // what it was for is done
	here := map[string]bool{}
	for len(events) > 0 {
		n := min(batch, len(events))
		var ids []string
		for _, e := range events[:n] {
			ids = append(ids, e.ID)
		}
		events = events[n:]
		found, err := c.QuerySync(ctx, nostr.Filter{IDs: ids, Limit: batch})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			here[e.ID] = true
		}
	}
	return here
}

// signed makes a request of this age.
func signed(t *testing.T, age time.Duration, text string) *nostr.Event {
	t.Helper()
	e := &nostr.Event{Kind: 5300, CreatedAt: nostr.Timestamp(time.Now().Add(-age).Unix()), Tags: nostr.Tags{{"i", text, "text"}}}
	if err := e.Sign(nostr.GeneratePrivateKey()); err != nil {
		t.Fatal(err)
	}
	return e
}
