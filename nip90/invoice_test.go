package nip90

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is a published example of BOLT-11. Readable marks invalid ones that only a payer must refuse: the decoder
// looks at neither features nor signature nor payment secret.
type vector struct {
	Name            string `json:"name"`
	Invoice         string `json:"invoice"`
	Network         string `json:"network"`
	Msat            Msat   `json:"msat"`
	CreatedAt       int64  `json:"created_at"`
	ExpirySeconds   int64  `json:"expiry_seconds"`
	PaymentHash     string `json:"payment_hash"`
	Description     string `json:"description"`
	DescriptionHash string `json:"description_hash"`
	Readable        bool   `json:"readable"`
}

func readVectors(t testing.TB) (valid, invalid []vector) {
	t.Helper()
	b, err := os.ReadFile("testdata/bolt11-vectors.json")
	if err != nil {
		t.Fatalf("read vectors: %v", err)
	}
	var all struct{ Valid, Invalid []vector }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatalf("read vectors: %v", err)
	}
	return all.Valid, all.Invalid
}

func TestDecodeInvoice_PublishedVectors(t *testing.T) {
	valid, _ := readVectors(t)
	if len(valid) != 16 {
		t.Fatalf("got %d vectors, want 16", len(valid))
	}
	for _, v := range valid {
		t.Run(v.Name, func(t *testing.T) {
			inv, err := DecodeInvoice(v.Invoice)
			if err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			descHash := ""
			if inv.DescriptionHash != [32]byte{} {
				descHash = hex.EncodeToString(inv.DescriptionHash[:])
			}
			got := vector{
				Name: v.Name, Invoice: v.Invoice, Network: inv.Network, Msat: inv.Msat, CreatedAt: inv.CreatedAt,
				ExpirySeconds: int64(inv.Expiry / time.Second), PaymentHash: hex.EncodeToString(inv.PaymentHash[:]),
				Description: inv.Description, DescriptionHash: descHash,
			}
			if got != v {
				t.Errorf("got  %+v\nwant %+v", got, v)
			}
			if want := v.CreatedAt + v.ExpirySeconds; inv.ExpiresAt() != want {
				t.Errorf("got expiry %d, want %d", inv.ExpiresAt(), want)
			}
		})
	}
}

func TestDecodeInvoice_InvalidVectors(t *testing.T) {
	_, invalid := readVectors(t)
	if len(invalid) != 10 {
		t.Fatalf("got %d vectors, want 10", len(invalid))
	}
	for _, v := range invalid {
		t.Run(v.Name, func(t *testing.T) {
			inv, err := DecodeInvoice(v.Invoice)
			if (err == nil) != v.Readable {
				t.Errorf("got %+v, error %v; want readable %t", inv, err, v.Readable)
			}
		})
	}
}

func TestDecodeInvoice_Hostile(t *testing.T) {
	valid, _ := readVectors(t)
	for name, s := range map[string]string{
		"empty":            "",
		"prefix only":      "ln",
		"scheme only":      "lightning:",
		"another coin":     "lnltc" + valid[0].Invoice[4:],
		"a megabyte":       "lnbc1" + strings.Repeat("q", 1<<20),
		"an address":       "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
		"an npub":          Npub(PubKey{1}),
		"cut by a sign":    valid[1].Invoice[:len(valid[1].Invoice)-1],
		"NUL inside":       valid[1].Invoice[:20] + "\x00" + valid[1].Invoice[21:],
		"separator at end": "lnbc1",
	} {
		t.Run(name, func(t *testing.T) {
			if inv, err := DecodeInvoice(s); err == nil {
				t.Errorf("got %+v, want an error", inv)
			}
		})
	}
}

func TestDecodeInvoice_AmountBounds(t *testing.T) {
	for _, c := range []struct {
		name, amount string
		want         Msat
		fails        bool
	}{
		{"whole bitcoin", "1", 100_000_000_000, false},
		{"milli", "1m", 100_000_000, false},
		{"micro", "1u", 100_000, false},
		{"nano", "1n", 100, false},
		{"pico", "10p", 1, false},
		{"pico fraction", "11p", 0, true},
		{"all bitcoin", "21000000", MaxMsat, false},
		{"more than all", "21000001", 0, true},
		{"wraps", "99999999999999999999999999", 0, true},
		{"wraps in pico", "9999999999999999999999999990p", 0, true},
		{"leading zero", "01m", 0, true},
		{"zero", "0n", 0, true},
		{"only a multiplier", "m", 0, true},
		{"two multipliers", "1mm", 0, true},
		{"sign", "-1m", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := invoiceAmount(c.amount)
			if (err != nil) != c.fails || got != c.want {
				t.Errorf("got %d, error %v; want %d, failure %t", got, err, c.want, c.fails)
			}
		})
	}
}
