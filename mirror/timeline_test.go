package mirror

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// words spells a timeline out.
func (t *timeline) words(n int) []hearing {
	out := make([]hearing, n)
	t.walk(0, int64(n), t.until, func(since, until int64, is hearing) {
		for i := since; i < until; i++ {
			out[i] = is
		}
	})
	return out
}

// TestTimeline_AgreesWithASecondBySecondModel plays random turns, growth and painting on a timeline and on a list of
// seconds. The model keeps what was said of each second; a turn rewrites all from its moment on.
func TestTimeline_AgreesWithASecondBySecondModel(t *testing.T) {
	const span = 400
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 3))
	words := []hearing{heard, heard, heard, down, refused, connecting, stopped}
	for round := range 300 {
		var line timeline
		model := make([]hearing, span)
		until, last := 0, 0 // of the model: what is known ends at until; the last turn stands at last
		state := hearing("")
		for range 60 {
			switch rnd.IntN(4) {
			case 0, 1:
				at, is := until+rnd.IntN(8)-3, words[rnd.IntN(len(words))]
				if at >= span || at < 1 {
					continue
				}
				line.turn(int64(at), is)
				if state == "" && is != heard {
					continue
				}
				if state == "" {
					last = at
				}
				at = max(at, last)
				for i := at; i < until; i++ { // taken back
					model[i] = ""
				}
				for i := until; i < at; i++ {
					model[i] = state
				}
				until, state = at, is
				last = lastTurn(model[:at], is)
				if !slices.Contains(model[:at], heard) && is != heard {
					clear(model)
					until, last, state = 0, 0, ""
				}
			case 2:
				if to := until + rnd.IntN(12); state != "" && to < span {
					line.grow(int64(to))
					for ; until < to; until++ {
						model[until] = state
					}
				}
			case 3:
				a, b := rnd.IntN(span), rnd.IntN(span)
				line.paint(int64(a), int64(b))
				for i := a; i < min(b, last); i++ {
					if model[i] != "" {
						model[i] = heard
					}
				}
				if state != "" {
					last = lastTurn(model[:last], state)
				}
			}
			if got := line.words(span); !slices.Equal(got, model) {
				t.Fatalf("seed %d, round %d: -model +timeline %+v\n%s", seed, round, line, cmp.Diff(model, got))
			}
			for i := 1; i < len(line.turns); i++ {
				if line.turns[i].at <= line.turns[i-1].at || line.turns[i].is == line.turns[i-1].is {
					t.Fatalf("seed %d, round %d: turns %v are not in order", seed, round, line.turns)
				}
			}
		}
	}
}

// lastTurn is where the last turn stands when these seconds are followed by is.
func lastTurn(before []hearing, is hearing) int {
	i := len(before)
	for i > 0 && before[i-1] == is {
		i--
	}
	return i
}

func TestTimeline_StaysBoundedAndNeverClaimsMore(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 4))
	var line timeline
	const span = 60_000
	model := make([]bool, span)
	at := int64(10)
	for at < span-200 {
		up := 1 + rnd.Int64N(20)
		line.turn(at, heard)
		for i := at; i < at+up; i++ {
			model[i] = true
		}
		at += up
		line.turn(at, []hearing{down, refused}[rnd.IntN(2)])
		at += 3 + rnd.Int64N(10)
		if rnd.IntN(3) == 0 {
			line.turn(at, refused)
			at += 3
		}
	}
	line.grow(at)
	if n := len(line.turns); n > maxTurns {
		t.Errorf("seed %d: %d turns, want at most %d", seed, n, maxTurns)
	}
	var claimed, wanted int
	for i, is := range line.words(span) {
		if is == heard && !model[i] {
			t.Fatalf("seed %d: second %d was not heard", seed, i)
		}
		if is == heard && i > span*39/40 {
			claimed++
		}
	}
	for _, h := range model[span*39/40+1:] {
		if h {
			wanted++
		}
	}
	if claimed != wanted {
		t.Errorf("seed %d: of the newest fortieth %d seconds are heard, want all %d", seed, claimed, wanted)
	}
}

func TestTurn_JSON(t *testing.T) {
	for name, raw := range map[string]string{
		"number alone": `[5]`, "no list": `{"at":5}`, "unknown word": `[5,"loud"]`, "three": `[5,"heard",1]`, "word first": `["heard",5]`, "never": `[5,"unheard-before"]`,
	} {
		var got turn
		if err := json.Unmarshal([]byte(raw), &got); err == nil {
			t.Errorf("%s: %s gives %+v, want an error", name, raw, got)
		}
	}
	want := note{Turns: []turn{{5, heard}, {9, down}}, Until: 12}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(raw); got != `{"turns":[[5,"heard"],[9,"down"]],"until":12}` {
		t.Errorf("note = %s", got)
	}
	var got note
	if err := json.Unmarshal(raw, &got); err != nil || got.Until != want.Until || !slices.Equal(got.Turns, want.Turns) {
		t.Errorf("note read back = %+v, %v", got, err)
	}
}
