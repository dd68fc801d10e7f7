package index

import (
	"testing"

	"dvmrelay/store"
)

// TestProviderChecked_IsBoth: one look tells what two do.
func TestProviderChecked_IsBoth(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	if err := r.View(func(v store.Reader) error {
		for _, name := range []string{"bob", "dave", "erin", "alice"} {
			pk := pub(t, name)
			d, c, ok, err := r.x.ProviderChecked(v, pk)
			if err != nil {
				return err
			}
			wantD, known, err := r.x.Provider(v, pk)
			if err != nil {
				return err
			}
			wantC, _, err := r.x.Checkup(v, pk)
			if err != nil {
				return err
			}
			if ok != known || mustJSON(t, d) != mustJSON(t, wantD) || mustJSON(t, c) != mustJSON(t, wantC) {
				t.Errorf("%s: got %t %s %s, want %t %s %s", name, ok, mustJSON(t, d), mustJSON(t, c), known, mustJSON(t, wantD), mustJSON(t, wantC))
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
