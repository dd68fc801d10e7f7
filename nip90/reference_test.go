package nip90

import (
	"errors"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr/nip19"
)

func TestParseReference_Forms(t *testing.T) {
	pk, evt := key(bobKey), id(id1)
	addr := Address{31990, pk, "x:y"}
	for _, c := range []struct {
		name, text string
		want       Reference
	}{
		{"hex", id1, Reference{ID: evt, PubKey: PubKey(evt), Hex: true}},
		{"uppercase hex", strings.ToUpper(bobKey), Reference{ID: ID(pk), PubKey: pk, Hex: true}},
		{"npub", Npub(pk), Reference{PubKey: pk}},
		{"npub with scheme", "nostr:" + Npub(pk), Reference{PubKey: pk}},
		{"uppercase npub", strings.ToUpper(Npub(pk)), Reference{PubKey: pk}},
		{"npub among spaces", " " + Npub(pk) + "\n", Reference{PubKey: pk}},
		{"note", Note(evt), Reference{ID: evt}},
		{"nprofile", Nprofile(pk, "wss://a", "wss://b"), Reference{PubKey: pk, Relays: []string{"wss://a", "wss://b"}}},
		{"nevent", Nevent(evt, PubKey{}, 0), Reference{ID: evt}},
		{"nevent with everything", Nevent(evt, pk, 5050, "wss://a"), Reference{ID: evt, PubKey: pk, Kind: 5050, Relays: []string{"wss://a"}}},
		{"naddr", Naddr(addr, "wss://a"), Reference{Address: &addr, PubKey: pk, Kind: 31990, Relays: []string{"wss://a"}}},
		{"naddr of an empty d", Naddr(Address{31990, pk, ""}), Reference{Address: &Address{31990, pk, ""}, PubKey: pk, Kind: 31990}},
		{"address", addr.String(), Reference{Address: &addr, PubKey: pk, Kind: 31990}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseReference(c.text)
			if err != nil || pretty(got) != pretty(c.want) {
				t.Errorf("got %s, %v\nwant %s", pretty(got), err, pretty(c.want))
			}
		})
	}
}

func TestParseReference_Refusals(t *testing.T) {
	nsec, err := nip19.EncodePrivateKey(id1)
	if err != nil {
		t.Fatalf("make nsec: %v", err)
	}
	for name, s := range map[string]string{
		"empty":                 "",
		"a word":                "job",
		"scheme only":           "nostr:",
		"63 characters":         id1[1:],
		"65 characters":         id1 + "1",
		"not hex":               strings.Repeat("g", 64),
		"wrong checksum":        Npub(key(bobKey))[:62] + "q",
		"a secret key":          nsec,
		"npub of 31 bytes":      encodeName("npub", make([]byte, 31)),
		"note of 33 bytes":      encodeName("note", make([]byte, 33)),
		"nevent of nothing":     encodeName("nevent", nil),
		"nevent cut off":        encodeName("nevent", []byte{0, 32, 1, 2}),
		"nevent of a short id":  encodeName("nevent", []byte{0, 2, 1, 2}),
		"naddr with short kind": encodeName("naddr", append(appendTLV(appendTLV(nil, 0, []byte("d")), 2, make([]byte, 32)), 3, 1, 0)),
		"naddr without kind":    encodeName("naddr", appendTLV(appendTLV(nil, 0, []byte("d")), 2, make([]byte, 32))),
		"naddr without author":  encodeName("naddr", appendTLV(appendTLV(nil, 0, []byte("d")), 3, []byte{0, 0, 0, 1})),
		"naddr of a huge kind":  encodeName("naddr", appendTLV(appendTLV(appendTLV(nil, 0, []byte("d")), 2, make([]byte, 32)), 3, []byte{255, 0, 0, 1})),
		"too long":              "npub1" + strings.Repeat("q", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseReference(s)
			if !errors.Is(err, ErrReference) {
				t.Errorf("got %s, %v; want ErrReference", pretty(got), err)
			}
			if err != nil && name == "a secret key" && strings.Contains(err.Error(), nsec) {
				t.Errorf("the error repeats the secret key")
			}
		})
	}
}

func TestNames_AgreeWithGoNostr(t *testing.T) {
	npub, err := nip19.EncodePublicKey(bobKey)
	if err != nil || Npub(key(bobKey)) != npub {
		t.Errorf("got %s, want %s, %v", Npub(key(bobKey)), npub, err)
	}
	note, err := nip19.EncodeNote(id1)
	if err != nil || Note(id(id1)) != note {
		t.Errorf("got %s, want %s, %v", Note(id(id1)), note, err)
	}
	nevent, err := nip19.EncodeEvent(id1, []string{"wss://a"}, bobKey)
	if err != nil || Nevent(id(id1), key(bobKey), 0, "wss://a") != nevent {
		t.Errorf("got %s, want %s, %v", Nevent(id(id1), key(bobKey), 0, "wss://a"), nevent, err)
	}
	naddr, err := nip19.EncodeEntity(bobKey, 31990, "x", []string{"wss://a"})
	if err != nil || Naddr(Address{31990, key(bobKey), "x"}, "wss://a") != naddr {
		t.Errorf("got %s, want %s, %v", Naddr(Address{31990, key(bobKey), "x"}, "wss://a"), naddr, err)
	}
	if got := Naddr(Address{31990, key(bobKey), strings.Repeat("d", 256)}); got != "" {
		t.Errorf("got %s for a d that NIP-19 cannot name, want nothing", got)
	}
}
