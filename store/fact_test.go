package store

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"dvmrelay/nip90"
)

func randomFact(r *rand.Rand) Fact {
	f := Fact{
		Kind: r.IntN(maxKind + 1), CreatedAt: r.Int64N(maxTime + 1), Expires: r.Int64N(maxTime + 1), Received: r.Int64N(maxTime + 1),
		Role: nip90.Role(r.IntN(9)), Status: nip90.Status(r.IntN(6)), Flags: FactFlag(r.IntN(64)),
		Msat: nip90.Msat(int64(r.Uint64())), InvoiceAt: r.Int64N(maxTime + 1),
	}
	fillRandom(r, f.ID[:])
	fillRandom(r, f.Author[:])
	fillRandom(r, f.Payment[:])
	for range r.IntN(30) {
		l := FactLink{Full: r.IntN(4) > 0}
		fillRandom(r, l.ID[:])
		f.Links = append(f.Links, l)
	}
	for range r.IntN(10) {
		var pk nip90.PubKey
		fillRandom(r, pk[:])
		f.People = append(f.People, pk)
	}
	return f
}

func fillRandom(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

func TestFact_FitsAndComesBackAsItFits(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		f := randomFact(r)
		links, people := len(f.Links), len(f.People)
		first := FactLink{}
		if links > 0 {
			first = f.Links[0]
		}
		f.fit()
		row := f.appendTo(nil)
		if len(row) > MaxFactBytes {
			t.Fatalf("seed %d: %d bytes", seed, len(row))
		}
		got, err := decodeFact(f.ID, row)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again := got
		again.fit()
		if len(f.Links) == 0 {
			f.Links = nil
		}
		if len(f.People) == 0 {
			f.People = nil
		}
		if !reflect.DeepEqual(got, f) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, got, f)
		}
		if got.Has(FactMoreLinks) != (len(got.Links) < links) || got.Has(FactMorePeople) != (len(got.People) < people) {
			t.Fatalf("seed %d: flags %b for %d of %d links, %d of %d people", seed, got.Flags, len(got.Links), links, len(got.People), people)
		}
		if links > 0 && first.Full && got.Links[0] != first || len(got.Links) < min(links, 5) || len(got.People) < min(people, 2) {
			t.Fatalf("seed %d: kept %d of %d links, %d of %d people", seed, len(got.Links), links, len(got.People), people)
		}
	}
}

func FuzzFact(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 8 {
		fact := randomFact(r)
		fact.fit()
		f.Add(fact.appendTo(nil))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		fact, err := decodeFact(nip90.ID{1}, row)
		if err != nil {
			return
		}
		got, err := decodeFact(nip90.ID{1}, fact.appendTo(nil))
		if err != nil || !reflect.DeepEqual(got, fact) {
			t.Fatalf("got %+v, %v, want %+v", got, err, fact)
		}
	})
}
