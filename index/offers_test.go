package index

import (
	"slices"
	"testing"

	"dvmrelay/store"
)

func TestOffer_PricesAndFindingsStandInTheList(t *testing.T) {
	r := newRig(t, nil)
	priced := func(author, d, content string, at int64) {
		r.put(t, event(author, 31990, at, content, tag("d", d), tag("k", "5100")))
	}
	priced("bob", "a", `{"name":"Fox","amount":"3000"}`, 1)
	priced("bob", "b", `{"name":"fox","amount":"2000"}`, 2)
	priced("carol", "a", `{"name":"Owl","amount":"flexible"}`, 3)
	priced("dave", "a", `{"name":"Elk","amount":"free"}`, 4)
	priced("erin", "a", `{'name': 'Bee'}`, 5)
	for i := range int64(askedInVain) + 1 {
		r.put(t, request("alice", 10+i))
	}
	r.put(t, feedback("gus", 300, "processing", request("alice", 10).ID))
	page := view(t, r, func(v store.Reader) (ProviderPage, error) { return r.x.ProviderPage(v, ProviderQuery{}) })
	got := map[string]ProviderHead{}
	for _, p := range page.Items {
		got[p.PubKey] = p
	}
	for name, want := range map[string]struct {
		kind  string
		msat  int64 // -1 = none
		codes []string
	}{
		"bob":   {"fixed", 2000, []string{"never-answers", "duplicate"}},
		"carol": {"flexible", -1, []string{"never-answers"}},
		"dave":  {"free", -1, []string{"never-answers"}},
		"erin":  {"unknown", -1, []string{"never-answers", "handler-python"}},
		"gus":   {"unknown", -1, []string{"unannounced"}},
	} {
		p := got[key(name)]
		msat := int64(-1)
		if p.Price.Msat != nil {
			msat = int64(*p.Price.Msat)
		}
		if p.Price.Kind != want.kind || msat != want.msat || !slices.Equal(p.FindingCodes, want.codes) {
			t.Errorf("%s: price %s %d, findings %v, want %+v", name, p.Price.Kind, msat, p.FindingCodes, want)
		}
		if d, _ := r.provider(t, name); d.Price.Kind != want.kind || !slices.Equal(d.FindingCodes, want.codes) {
			t.Errorf("%s alone: price %s, findings %v, want as in the list", name, d.Price.Kind, d.FindingCodes)
		}
	}
}
