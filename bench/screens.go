package bench

import (
	"fmt"
	"strings"

	"github.com/nbd-wtf/go-nostr/nip19"
)

// screens are the pages of the dashboard. Each is asked for with a parameter of its own, so that none is answered from the
// second for which a page is shared.
func (v *viewer) screens() []drawn {
	site := strings.TrimSuffix(v.base, apiPath)
	anew := func(path string) string {
		v.asked++
		mark := "?"
		if strings.Contains(path, "?") {
			mark = "&"
		}
		return fmt.Sprintf("%s%s%s_=%d", site, path, mark, v.asked)
	}
	fixed := func(path string) drawn { return drawn{"page " + path, func() string { return anew(path) }} }
	with := func(path string, list *[]string, name func(string) string) drawn {
		return drawn{"page " + path, func() string { return anew(strings.Replace(path, "{}", name(any1(v, *list)), 1)) }}
	}
	plain := func(hex string) string { return hex }
	return []drawn{
		fixed("/"), fixed("/?exclude_kind=5300"), fixed("/jobs"), fixed("/jobs?state=unanswered"), fixed("/jobs?payment=undelivered"),
		with("/jobs?for={}", &v.providers, npub), with("/jobs/{}", &v.jobs, plain), with("/events/{}", &v.jobs, plain),
		fixed("/dvms"), fixed("/dvms?sort=answer_rate"), with("/dvms/{}", &v.providers, npub), with("/u/{}", &v.customers, npub),
		fixed("/kinds"),
		{"page /kinds/{}", func() string { return anew(fmt.Sprint("/kinds/", any1(v, v.kinds))) }},
		fixed("/upstreams"), fixed("/relay"), fixed("/explore"), fixed("/connect"), fixed("/docs"),
	}
}

// npub is a key as the addresses of pages have it.
func npub(hex string) string {
	name, err := nip19.EncodePublicKey(hex)
	if err != nil {
		return hex
	}
	return name
}
