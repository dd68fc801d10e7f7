package wire_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nbd-wtf/go-nostr"
)

// TestParseEvent_Real reads every real event, as it stands in the file and as a frame, the way encoding/json does.
func TestParseEvent_Real(t *testing.T) {
	for name, count := range map[string]int{"real-events.jsonl": 176, "real-events-extra-fields.jsonl": 104} {
		list := lines(t, name)
		if len(list) != count {
			t.Errorf("%s: got %d events, want %d", name, len(list), count)
		}
		for i, line := range list {
			evt, raw, err := wire.ParseEvent(line, wire.DefaultLimits())
			if err != nil {
				t.Errorf("%s:%d: %v", name, i+1, err)
				continue
			}
			want := unmarshal[plainEvent](t, line)
			checkEvent(t, want, evt)
			checkEvent(t, unmarshal[plainEvent](t, raw), evt)
			var compact bytes.Buffer
			if err := json.Compact(&compact, raw); err != nil || !bytes.Equal(compact.Bytes(), raw) {
				t.Errorf("%s:%d: raw is not compact (%v)", name, i+1, err)
			}
			if fields := unmarshal[map[string]json.RawMessage](t, raw); len(fields) != 7 {
				t.Errorf("%s:%d: raw has %d fields, want 7", name, i+1, len(fields))
			}
			again, rawAgain, err := wire.ParseEvent(raw, wire.DefaultLimits())
			if err != nil || !bytes.Equal(rawAgain, raw) {
				t.Errorf("%s:%d: raw does not stay itself (%v)", name, i+1, err)
			}
			if diff := cmp.Diff(evt, again); diff != "" {
				t.Errorf("%s:%d: raw means something else (-want +got)\n%s", name, i+1, diff)
			}
			cmd, bad := wire.ParseCommand(wire.AppendPublish(nil, line), wire.DefaultLimits())
			if bad != nil {
				t.Errorf("%s:%d: as a frame: %v", name, i+1, bad)
				continue
			}
			if diff := cmp.Diff(wire.Command(wire.Event{Event: evt, Raw: raw}), cmd); diff != "" {
				t.Errorf("%s:%d: as a frame (-want +got)\n%s", name, i+1, diff)
			}
		}
	}
}

func checkEvent(t *testing.T, want plainEvent, got *nostr.Event) {
	t.Helper()
	have := plainEvent{ID: got.ID, PubKey: got.PubKey, CreatedAt: int64(got.CreatedAt), Kind: got.Kind, Content: got.Content, Sig: got.Sig}
	for _, tag := range got.Tags {
		have.Tags = append(have.Tags, tag)
	}
	if diff := cmp.Diff(want, have, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHash_Real(t *testing.T) {
	for _, name := range []string{"real-events.jsonl", "real-events-extra-fields.jsonl"} {
		for i, line := range lines(t, name) {
			evt, _, err := wire.ParseEvent(line, wire.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := wire.Serialized(evt), evt.Serialize(); !bytes.Equal(got, want) {
				t.Errorf("%s:%d: serialized\ngot  %s\nwant %s", name, i+1, got, want)
			}
			if !wire.CheckID(evt) {
				t.Errorf("%s:%d: CheckID: got false, want true", name, i+1)
			}
			if !wire.VerifySignature(evt, wire.Hash(evt)) {
				t.Errorf("%s:%d: VerifySignature (%s): got false, want true", name, i+1, wire.SignatureLibrary)
			}
		}
	}
}

// TestVerify_RealBad holds the events that were found in the wild with a wrong id or signature.
func TestVerify_RealBad(t *testing.T) {
	for i, line := range lines(t, "real-events-bad.jsonl") {
		var found struct {
			Verdict string          `json:"verdict"`
			Event   json.RawMessage `json:"event"`
		}
		if err := json.Unmarshal(line, &found); err != nil {
			t.Fatal(err)
		}
		evt, _, err := wire.ParseEvent(found.Event, wire.DefaultLimits())
		if err != nil {
			t.Logf("line %d (%s) cannot be read: %v", i+1, found.Verdict, err)
			continue
		}
		if wire.CheckID(evt) && wire.VerifySignature(evt, wire.Hash(evt)) {
			t.Errorf("line %d (%s): id and signature hold", i+1, found.Verdict)
		}
	}
}

func TestHash_LikeGoNostr(t *testing.T) {
	every := make([]byte, 0, 0x80)
	for c := range 0x80 {
		every = append(every, byte(c))
	}
	for _, evt := range []*nostr.Event{
		{PubKey: keyB, Content: string(every) + "é😀\u2028\u2029\ufeff</script>&"},
		{PubKey: keyB, Tags: nostr.Tags{{}, {""}, {"a", string(every)}}, CreatedAt: -5, Kind: 1 << 40},
		{PubKey: keyB, Content: string(bytes.Repeat([]byte("\\\"\n"), 3<<15))},
	} {
		if got, want := wire.Serialized(evt), evt.Serialize(); !bytes.Equal(got, want) {
			t.Errorf("got %.300q, want %.300q", got, want)
		}
		id := wire.Hash(evt)
		evt.ID = evt.GetID()
		if !wire.CheckID(evt) || id != wire.Hash(evt) {
			t.Errorf("CheckID of %.100q: got false, want true", evt.Content)
		}
	}
}

func TestVerifySignature(t *testing.T) {
	good := func() *nostr.Event {
		evt := &nostr.Event{CreatedAt: 1700000000, Kind: 5300, Tags: nostr.Tags{{"i", "x"}}, Content: "hello"}
		if err := evt.Sign("0000000000000000000000000000000000000000000000000000000000000003"); err != nil {
			t.Fatal(err)
		}
		return evt
	}
	for _, tt := range []struct {
		name   string
		change func(*nostr.Event)
		want   bool
	}{
		{"untouched", func(*nostr.Event) {}, true},
		{"other content", func(e *nostr.Event) { e.Content = "hullo" }, false},
		{"other key", func(e *nostr.Event) { e.PubKey = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" }, false},
		{"key that is no point", func(e *nostr.Event) {
			e.PubKey = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		}, false},
		{"key of 65", func(e *nostr.Event) { e.PubKey += "0" }, false},
		{"key of 66", func(e *nostr.Event) { e.PubKey += "00" }, false},
		{"key of 62", func(e *nostr.Event) { e.PubKey = e.PubKey[:62] }, false},
		{"upper case key", func(e *nostr.Event) { e.PubKey = "F" + e.PubKey[1:] }, false},
		{"no key", func(e *nostr.Event) { e.PubKey = "" }, false},
		{"signature of 129", func(e *nostr.Event) { e.Sig += "0" }, false},
		{"signature of 130", func(e *nostr.Event) { e.Sig += "00" }, false},
		{"signature of 100,000", func(e *nostr.Event) { e.Sig = string(bytes.Repeat([]byte("0"), 100_000)) }, false},
		{"signature of 126", func(e *nostr.Event) { e.Sig = e.Sig[:126] }, false},
		{"no signature", func(e *nostr.Event) { e.Sig = "" }, false},
		{"signature of zeros", func(e *nostr.Event) { e.Sig = string(bytes.Repeat([]byte("0"), 128)) }, false},
		{"signature that is no hex", func(e *nostr.Event) { e.Sig = "zz" + e.Sig[2:] }, false},
		{"r beyond the field", func(e *nostr.Event) { e.Sig = string(bytes.Repeat([]byte("f"), 64)) + e.Sig[64:] }, false},
		{"s beyond the order", func(e *nostr.Event) { e.Sig = e.Sig[:64] + string(bytes.Repeat([]byte("f"), 64)) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			evt := good()
			tt.change(evt)
			if got := wire.VerifySignature(evt, wire.Hash(evt)); got != tt.want {
				t.Errorf("%s: got %v, want %v", wire.SignatureLibrary, got, tt.want)
			}
		})
	}
	evt := good()
	if wire.VerifySignature(evt, [32]byte{1}) {
		t.Errorf("%s: an id that is not the event's hash was taken", wire.SignatureLibrary)
	}
}

func TestCheckID(t *testing.T) {
	evt := baseEvent()
	if wire.CheckID(evt) {
		t.Error("an id that is not the hash: got true, want false")
	}
	evt.ID = ""
	if wire.CheckID(evt) {
		t.Error("no id: got true, want false")
	}
}
