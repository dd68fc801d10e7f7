package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"dvmrelay/config"

	"github.com/nbd-wtf/go-nostr"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdNewer waits until a hub serves a job that was made after the one in a file, and makes that the one: newer NAME FILE.
func cmdNewer(ts *testscript.TestScript, _ bool, args []string) {
	var before nostr.Event
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &before))
	filter := fmt.Sprintf(`{"kinds":%s,"since":%d,"limit":1}`, kindList(5000, 5999), before.CreatedAt+1)
	eventually(ts, "a job newer than "+before.ID, func() error {
		if len(reqOnce(ts, args[0], filter)) == 0 {
			return errors.New("none")
		}
		return nil
	})
}

func TestDemo_MirrorsNothingWhateverIsConfigured(t *testing.T) {
	cfg := config.Default()
	cfg.Mirror.Follow = true
	forDemo(&cfg)
	if len(cfg.Mirror.Upstreams) > 0 || cfg.Mirror.Follow {
		t.Errorf("a demo reads from %v, follows: %t", cfg.Mirror.Upstreams, cfg.Mirror.Follow)
	}
	if !strings.Contains(cfg.Relay.Name, "demo") || !strings.HasPrefix(cfg.Relay.Description, "A demo:") {
		t.Errorf("a demo is called %q, %q", cfg.Relay.Name, cfg.Relay.Description)
	}
}

func TestDemo_ReachesItsOwnSocket(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:3334": "ws://127.0.0.1:3334", "0.0.0.0:80": "ws://127.0.0.1:80", "[::]:3334": "ws://[::1]:3334", "192.0.2.7:1": "ws://192.0.2.7:1",
	} {
		at, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := ownSocket(at); got != want {
			t.Errorf("listening on %s it dials %s, want %s", addr, got, want)
		}
	}
}
