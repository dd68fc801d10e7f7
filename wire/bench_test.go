package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// frames are the real events as a client sends them, and how many bytes they are.
func frames(b *testing.B) (list [][]byte, size int64) {
	for _, line := range lines(b, "real-events.jsonl") {
		_, raw, err := wire.ParseEvent(line, wire.DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, wire.AppendPublish(nil, raw))
		size += int64(len(raw))
	}
	return list, size
}

func BenchmarkParse_RealEvents(b *testing.B) {
	list, size := frames(b)
	for name, parse := range map[string]func([]byte) error{
		"wire": func(frame []byte) error {
			if _, bad := wire.ParseCommand(frame, wire.DefaultLimits()); bad != nil {
				return bad
			}
			return nil
		},
		"encoding-json": func(frame []byte) error {
			var parts []json.RawMessage
			if err := json.Unmarshal(frame, &parts); err != nil {
				return err
			}
			return json.Unmarshal(parts[1], new(plainEvent))
		},
		"go-nostr": func(frame []byte) error {
			if nostr.ParseMessage(string(frame)) == nil { //nolint:staticcheck // deprecated, yet the call that needs no parser of its own
				return fmt.Errorf("refused %s", frame)
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size / int64(len(list)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := parse(list[i%len(list)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkParse_Req(b *testing.B) {
	kinds := make([]string, 0, 2000)
	for k := 5000; k < 7000; k++ {
		kinds = append(kinds, fmt.Sprint(k))
	}
	for name, frame := range map[string]string{
		"e and kinds": `["REQ","s",{"kinds":[6300,7000],"#e":["` + idA + `"],"limit":1}]`,
		"2,000 kinds": `["REQ","s",{"kinds":[` + strings.Join(kinds, ",") + `],"since":1700000000}]`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, bad := wire.ParseCommand([]byte(frame), wire.DefaultLimits()); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}

func BenchmarkHash_RealEvents(b *testing.B) {
	list, size := frames(b)
	events := make([]*nostr.Event, len(list))
	for i, frame := range list {
		cmd, _ := wire.ParseCommand(frame, wire.DefaultLimits())
		events[i] = cmd.(wire.Event).Event
	}
	for name, check := range map[string]func(*nostr.Event) bool{
		"wire": wire.CheckID, "go-nostr": (*nostr.Event).CheckID,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size / int64(len(list)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if !check(events[i%len(events)]) {
					b.Fatal("wrong id")
				}
				i++
			}
		})
	}
	b.Run("verify-"+wire.SignatureLibrary, func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			evt := events[i%len(events)]
			if !wire.VerifySignature(evt, wire.Hash(evt)) {
				b.Fatal("wrong signature")
			}
			i++
		}
	})
}

func BenchmarkAppendEvent(b *testing.B) {
	raw := []byte(eventWith("content", `"`+strings.Repeat("x", 1000)+`"`))
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendEvent(buf[:0], "subscription", raw)
	}
}
