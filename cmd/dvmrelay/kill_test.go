package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// TestKill9_EveryAcknowledgedEventIsFound kills the real program in mid-write, many times over one data directory. What
// it said OK to is there, and the index is what its facts fold to.
func TestKill9_EveryAcknowledgedEventIsFound(t *testing.T) {
	const rounds = 10
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := filepath.Join(t.TempDir(), "data")
	acknowledged := map[string]bool{}
	for range rounds {
		p := startHub(t, dir)
		newly := publishUntilKilled(t, p, 20+rnd.IntN(400), time.Duration(rnd.IntN(30))*time.Millisecond)
		if len(newly) == 0 {
			t.Fatal("nothing was acknowledged before the kill")
		}
		for _, id := range newly {
			acknowledged[id] = true
		}
	}
	t.Logf("%d events acknowledged in %d rounds", len(acknowledged), rounds)
	p := startHub(t, dir)
	missing := 0
	for _, id := range notServed(t, p.addr, acknowledged) {
		missing++
		t.Errorf("acknowledged event %s is gone", id)
		if missing > 5 {
			break
		}
	}
	p.kill(t)
	checkIndex(t, dir)
}

// killable is a relay in a process of its own.
type killable struct {
	addr string
	cmd  *exec.Cmd
	log  *lockedBuffer
	dead bool
}

// startHub starts one over a data directory; env adds to its environment.
func startHub(t *testing.T, dir string, env ...string) *killable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &killable{addr: l.Addr().String(), log: &lockedBuffer{}}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command("dvmrelay", "serve", "--data-dir", dir, "--listen", p.addr)
	p.cmd.Env = append(p.cmd.Environ(), "DVMRELAY_MIRROR_UPSTREAMS=", "DVMRELAY_OPS_LISTEN=", noRaceSleep)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(t) })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(storyDeadline)
	for range tick.C {
		if _, err := httpGet("http://" + p.addr + "/readyz"); err == nil {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("relay not ready:\n%s", p.log)
		}
	}
	return nil
}

// kill is kill -9, and waits for the end.
func (p *killable) kill(t *testing.T) {
	if p.dead {
		return
	}
	p.dead = true
	if err := p.cmd.Process.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	_ = p.cmd.Wait() // it was killed, and says so
}

// publishUntilKilled sends jobs without waiting for answers. After so many OKs and a pause the relay is killed; the ids
// that it acknowledged until then are returned.
func publishUntilKilled(t *testing.T, p *killable, oks int, pause time.Duration) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storyDeadline)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+p.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for evt := range jobs(ctx) {
			if c.Write(ctx, websocket.MessageText, []byte(`["EVENT",`+evt.String()+`]`)) != nil {
				return
			}
		}
	}()
	var kill *time.Timer
	for {
		_, msg, err := c.Read(ctx)
		if err != nil {
			break
		}
		var ok []any
		if json.Unmarshal(msg, &ok) == nil && len(ok) == 4 && ok[0] == "OK" && ok[2] == true {
			ids = append(ids, fmt.Sprint(ok[1]))
		}
		if len(ids) == oks && kill == nil {
			kill = time.AfterFunc(pause, func() { _ = p.cmd.Process.Kill() }) // kill() below reports a failure
		}
	}
	p.kill(t)
	cancel()
	<-sent
	return ids
}

// jobs is an endless row of requests, each followed by its answer.
func jobs(ctx context.Context) <-chan *nostr.Event {
	out := make(chan *nostr.Event, 64)
	go func() {
		defer close(out)
		customer, provider := nostr.GeneratePrivateKey(), nostr.GeneratePrivateKey()
		for n := 0; ctx.Err() == nil; n++ {
			request := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{{"i", fmt.Sprint("input ", n), "text"}}}
			if request.Sign(customer) != nil {
				return
			}
			answer := &nostr.Event{Kind: 6300, CreatedAt: nostr.Now(), Content: "[]", Tags: nostr.Tags{{"e", request.ID}, {"p", request.PubKey}}}
			if answer.Sign(provider) != nil {
				return
			}
			for _, evt := range []*nostr.Event{request, answer} {
				select {
				case out <- evt:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

// notServed is those ids that a REQ does not bring.
func notServed(t *testing.T, addr string, ids map[string]bool) (missing []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storyDeadline)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	var batch []string
	ask := func() {
		quoted, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		msg := fmt.Sprintf(`["REQ","q",{"ids":%s,"limit":%d}]`, quoted, len(batch))
		if err := c.Write(ctx, websocket.MessageText, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		left := map[string]bool{}
		for _, id := range batch {
			left[id] = true
		}
		for {
			_, answer, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var m []json.RawMessage
			if err := json.Unmarshal(answer, &m); err != nil {
				t.Fatal(err)
			}
			if string(m[0]) == `"EOSE"` {
				break
			}
			if string(m[0]) != `"EVENT"` {
				t.Fatalf("relay says %s", answer)
			}
			evt, err := readEvent(m[2])
			if err != nil {
				t.Fatal(err)
			}
			delete(left, evt.ID)
		}
		for id := range left {
			missing = append(missing, id)
		}
		batch = batch[:0]
	}
	for id := range ids {
		if batch = append(batch, id); len(batch) == 1000 {
			ask()
		}
	}
	if len(batch) > 0 {
		ask()
	}
	return missing
}

// checkIndex opens the store that a killed relay left behind and folds its facts again.
func checkIndex(t *testing.T, dir string) {
	t.Helper()
	idx := index.New(index.Options{UnansweredAfter: 10 * time.Minute, StalledAfter: 10 * time.Minute, KeepCustomer: true, Now: time.Now})
	st, err := store.Open(store.Options{Dir: dir, Indexer: idx})
	if err != nil {
		t.Fatalf("open what the relay left: %v", err)
	}
	if err := st.View(func(r store.Reader) error { return index.Check(r) }); err != nil {
		t.Errorf("index: %s", strings.TrimSpace(err.Error()))
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
