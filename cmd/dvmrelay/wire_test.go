package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"dvmrelay/nip90"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
	"github.com/rogpeppe/go-internal/testscript"
)

// The stories speak to the relay with a client that shares no code with it.

func readEvent(line []byte) (*nostr.Event, error) {
	type plain struct {
		ID        string     `json:"id"`
		PubKey    string     `json:"pubkey"`
		CreatedAt int64      `json:"created_at"`
		Kind      int        `json:"kind"`
		Tags      nostr.Tags `json:"tags"`
		Content   string     `json:"content"`
		Sig       string     `json:"sig"`
	}
	var p plain
	if err := json.Unmarshal(line, &p); err != nil {
		return nil, err
	}
	return &nostr.Event{ID: p.ID, PubKey: p.PubKey, CreatedAt: nostr.Timestamp(p.CreatedAt), Kind: p.Kind, Tags: p.Tags, Content: p.Content, Sig: p.Sig}, nil
}

func expired(evt *nostr.Event, now time.Time) bool {
	at := nip90.Expiration(evt)
	return at != 0 && at <= now.Unix()
}

func dialStory(ts *testscript.TestScript, name string) (context.Context, context.CancelFunc, *websocket.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), storyDeadline)
	c, _, err := websocket.Dial(ctx, "ws://"+ts.Getenv(name), nil)
	ts.Check(err)
	c.SetReadLimit(1 << 20)
	return ctx, cancel, c
}

// cmdPublish sends the events of a file over a socket and writes one line an answer: publish NAME FILE [ANSWERS].
// Without an answers file every event must be accepted.
func cmdPublish(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	ctx, cancel, c := dialStory(ts, args[0])
	defer cancel()
	defer c.CloseNow()
	var answers []string
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		ts.Check(c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `["EVENT",%s]`, line)))
		for {
			_, msg, err := c.Read(ctx)
			ts.Check(err)
			var m []any
			ts.Check(json.Unmarshal(msg, &m))
			if len(m) < 4 || m[0] != "OK" {
				continue
			}
			if len(args) < 3 && m[2] != true {
				ts.Fatalf("%s refused %v: %v", args[0], m[1], m[3])
			}
			answers = append(answers, fmt.Sprintf("%v %v %v", m[1], m[2], m[3]))
			break
		}
	}
	if len(args) > 2 {
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(answers, "\n")+"\n"), 0o600))
	}
}

// cmdReq asks with one REQ and writes the ids of the answer, sorted: req NAME FILTERS FILE [COUNT]. FILTERS is what stands
// after the subscription id. With COUNT it asks again until that many came.
func cmdReq(ts *testscript.TestScript, _ bool, args []string) {
	want := -1
	if len(args) > 3 {
		_, err := fmt.Sscan(args[3], &want)
		ts.Check(err)
	}
	eventually(ts, "req "+args[1], func() error {
		ids := reqOnce(ts, args[0], args[1])
		if want >= 0 && len(ids) != want {
			return fmt.Errorf("got %d events, want %d", len(ids), want)
		}
		slices.Sort(ids)
		return os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(ids, "\n")+"\n"), 0o600)
	})
}

func reqOnce(ts *testscript.TestScript, name, filters string) (ids []string) {
	ctx, cancel, c := dialStory(ts, name)
	defer cancel()
	defer c.CloseNow()
	ts.Check(c.Write(ctx, websocket.MessageText, []byte(`["REQ","story",`+filters+`]`)))
	for {
		_, msg, err := c.Read(ctx)
		ts.Check(err)
		var m []json.RawMessage
		ts.Check(json.Unmarshal(msg, &m))
		switch string(m[0]) {
		case `"EVENT"`:
			evt, err := readEvent(m[2])
			ts.Check(err)
			if !evt.CheckID() {
				ts.Fatalf("%s sent an event whose id is wrong: %s", name, m[2])
			}
			ids = append(ids, evt.ID)
		case `"EOSE"`:
			return ids
		case `"CLOSED"`, `"NOTICE"`:
			ts.Fatalf("%s answers %s", name, msg)
		}
	}
}
