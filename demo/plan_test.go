package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/bech32"
)

// moment is a second that tests share.
const moment = 1_790_000_000

// whole is the script of the default seed. It is not to be changed.
var whole = sync.OnceValues(func() ([]line, error) {
	return script(DefaultSeed, time.Unix(moment, 0), moment, Rhythm{Past: 6 * time.Hour})
})

// script is everything that a market of a seed says until now, in a directory that was filled at a moment.
func script(seed uint64, now time.Time, at int64, r Rhythm) ([]line, error) {
	w := newWorld(seed)
	steps, err1 := w.announcements(at)
	r = r.withDefaults()
	done, coming, err2 := w.told(w.slots(0, 0, now.UnixMilli(), r), now.UnixMilli(), r)
	scenes, err3 := w.staged(at)
	faces, err4 := w.faces(at)
	return slices.Concat(slices.Concat(steps...), done, coming, scenes, faces), errors.Join(err1, err2, err3, err4)
}

// ids are those of a script with a short past.
func ids(t *testing.T, seed uint64, at int64) []string {
	t.Helper()
	lines, err := script(seed, time.Unix(at, 0), at, Rhythm{Past: time.Minute})
	fatal(t, err)
	list := make([]string, len(lines))
	for i := range lines {
		list[i] = lines[i].evt.ID
	}
	return list
}

func TestScript_TheSameSeedAndMomentSayTheSame(t *testing.T) {
	first := ids(t, 7, moment)
	if again := ids(t, 7, moment); !slices.Equal(first, again) {
		t.Errorf("the same seed and moment gave %d events and then %d others", len(first), len(again))
	}
	for _, other := range [][]string{ids(t, 8, moment), ids(t, 7, moment+1)} {
		if slices.Equal(first, other) {
			t.Error("another seed or moment says the same")
		}
	}
}

// Ids and signatures are real, nothing is said twice, and nothing is dated later than it is said.
func TestScript_EveryEventIsReal(t *testing.T) {
	lines, err := whole()
	fatal(t, err)
	if n := len(newWorld(DefaultSeed).slots(0, 0, moment*1000, Rhythm{}.withDefaults())); n < 700 || n > 1_500 {
		t.Errorf("a week has %d slots in which something happens, want 700 to 1,500", n)
	}
	seen := map[string]bool{}
	for i, l := range lines {
		if !l.evt.CheckID() || seen[l.evt.ID] {
			t.Fatalf("event %s of kind %d: id is wrong or said twice", l.evt.ID, l.evt.Kind)
		}
		seen[l.evt.ID] = true
		if i%50 == 0 {
			if ok, err := l.evt.CheckSignature(); err != nil || !ok {
				t.Errorf("event %s: signature does not fit (%v)", l.evt.ID, err)
			}
		}
		if int64(l.evt.CreatedAt) > l.due/1000 {
			t.Errorf("event %s is dated %d s later than it is said", l.evt.ID, int64(l.evt.CreatedAt)-l.due/1000)
		}
	}
}

// What looks careless is careless on purpose; all else is as the protocol wants it.
func TestScript_OddOnlyOnPurpose(t *testing.T) {
	purpose := []string{
		"handler-content-unreadable", "prompt-in-content", "no-input", "encrypted-without-provider", "born-expired",
	}
	lines, err := whole()
	fatal(t, err)
	odd := map[string]int{}
	for _, l := range lines {
		for _, f := range nip90.Lint(l.evt) {
			if !slices.Contains(purpose, f.Code) {
				odd[f.Code]++
				if odd[f.Code] == 1 {
					t.Errorf("%s: %s (%s)", f.Code, f.Text, l.evt)
				}
			}
		}
	}
}

func TestInvoice_SaysWhatWasAsked(t *testing.T) {
	node := newKey(1, "node")
	for _, msat := range []int64{1, 999, 1_000, 21_000, 50_000, 100_000, 2_100_000, 123_456_700, 100_000_000, 12_345_678_901} {
		v := invoice{msat: msat, at: moment, expiry: 90, description: "a job"}
		text, err := v.encode(newDice(1, uint64(msat)), node)
		fatal(t, err)
		got, err := nip90.DecodeInvoice(text)
		if err != nil {
			t.Fatalf("%d msat: %v in %s", msat, err, text)
		}
		if int64(got.Msat) != msat || got.CreatedAt != moment || got.Expiry != 90*time.Second || got.Description != "a job" || got.PaymentHash == [32]byte{} {
			t.Errorf("%d msat: invoice says %+v", msat, got)
		}
		if key := signer(t, text); key != node.public {
			t.Errorf("%d msat: signed by %s, want %s", msat, key, node.public)
		}
	}
}

// signer is whose signature an invoice carries. BOLT-11.
func signer(t *testing.T, text string) string {
	t.Helper()
	hrp, words, err := bech32.DecodeNoLimit(text)
	fatal(t, err)
	signed, err := bech32.ConvertBits(words[:len(words)-104], 5, 8, true)
	fatal(t, err)
	sig, err := bech32.ConvertBits(words[len(words)-104:], 5, 8, false)
	fatal(t, err)
	hash := sha256.Sum256(append([]byte(hrp), signed...))
	key, _, err := ecdsa.RecoverCompact(append([]byte{sig[64] + 31}, sig[:64]...), hash[:])
	fatal(t, err)
	return hex.EncodeToString(schnorr.SerializePubKey(key))
}
