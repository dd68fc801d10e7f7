package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// ViewsOptions say what to ask a relay that holds whatever it holds.
type ViewsOptions struct {
	URL    string        // relay, ws:// or wss://, on this machine
	Rounds int           // times that each view is asked for
	Seed   int64         // which jobs, providers and kinds are asked for
	Wait   time.Duration // how long one answer may take; 0 means 20 seconds
	JSON   bool
}

// View is how long one page of the HTTP API, or one search, took. Milliseconds.
type View struct {
	Name  string  `json:"name"`
	Asked int     `json:"asked"`
	Bytes int     `json:"bytes"` // of the longest answer; 0 for a search
	Items int     `json:"items"` // events of the longest answer to a search
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
	Fault string  `json:"fault,omitempty"`
}

// Views asks a relay on this machine for every page of its API and of its dashboard, and for searches of every key, one at a time, and writes
// how long each took. The error wraps ErrTarget for a relay elsewhere, and names the first view that gave no answer.
func Views(ctx context.Context, o ViewsOptions, out io.Writer) ([]View, error) {
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	d, err := newDialer(ctx, o.URL, false)
	if err != nil {
		return nil, err
	}
	v := &viewer{o: o, base: "http" + strings.TrimPrefix(o.URL, "ws"), rng: newRand(o.Seed, 7)}
	v.base = strings.TrimSuffix(v.base, "/") + apiPath
	if err := v.learn(ctx); err != nil {
		return nil, fmt.Errorf("look around: %w", err)
	}
	var all []View
	for _, p := range v.pages() {
		all = append(all, v.time(p.name, func() (int, int, error) {
			b, err := v.get(ctx, v.base+p.draw())
			return len(b), 0, err
		}))
	}
	for _, p := range v.screens() {
		all = append(all, v.time(p.name, func() (int, int, error) {
			b, err := v.get(ctx, p.draw())
			return len(b), 0, err
		}))
	}
	c, err := d.dial(ctx) // not before: nobody would answer its pings
	if err != nil {
		return all, err
	}
	defer c.close()
	for _, s := range v.searches() {
		all = append(all, v.time("search "+s.name, func() (int, int, error) {
			filter, err := json.Marshal(map[string]any{"search": s.draw(), "limit": 100})
			if err != nil {
				return 0, 0, err
			}
			got, err := c.ask("v", filter, o.Wait, nil)
			return 0, len(got), err
		}))
	}
	if err := writeViews(all, o.JSON, out); err != nil {
		return all, fmt.Errorf("write report: %w", err)
	}
	for _, one := range all {
		if one.Fault != "" {
			return all, fmt.Errorf("%s: %s", one.Name, one.Fault)
		}
	}
	return all, ctx.Err()
}

const apiPath = "/api/v1"

type viewer struct {
	o     ViewsOptions
	base  string // of the API
	rng   *rand.Rand
	asked int // pages of the dashboard

	jobs, providers, customers, addresses []string
	kinds                                 []int
	until                                 int64
}

// drawn is a view with its parameters drawn anew each time.
type drawn struct {
	name string
	draw func() string
}

// learn finds ids and keys to ask for.
func (v *viewer) learn(ctx context.Context) error {
	var jobs struct {
		Items []struct {
			ID        string `json:"id"`
			Customer  string `json:"customer"`
			CreatedAt int64  `json:"created_at"`
		} `json:"items"`
		Next string `json:"next_cursor"`
	}
	for page := range 5 {
		path := "/jobs?limit=200"
		if page > 0 {
			path += "&cursor=" + url.QueryEscape(jobs.Next)
		}
		if err := v.read(ctx, path, &jobs); err != nil {
			return err
		}
		for _, j := range jobs.Items {
			v.jobs, v.customers = append(v.jobs, j.ID), append(v.customers, j.Customer)
			v.until = max(v.until, j.CreatedAt)
		}
		if jobs.Next == "" {
			break
		}
	}
	var providers struct {
		Items []struct {
			PubKey string `json:"pubkey"`
		} `json:"items"`
	}
	var kinds struct {
		Items []struct {
			Kind int `json:"kind"`
		} `json:"items"`
	}
	var handlers struct {
		Items []struct {
			Address string `json:"address"`
		} `json:"items"`
	}
	for path, to := range map[string]any{"/providers?limit=200": &providers, "/kinds?window=all": &kinds, "/handlers?limit=200": &handlers} {
		if err := v.read(ctx, path, to); err != nil {
			return err
		}
	}
	for _, p := range providers.Items {
		v.providers = append(v.providers, p.PubKey)
	}
	for _, k := range kinds.Items {
		v.kinds = append(v.kinds, k.Kind)
	}
	for _, h := range handlers.Items {
		v.addresses = append(v.addresses, h.Address)
	}
	if len(v.jobs) == 0 || len(v.providers) == 0 || len(v.kinds) == 0 || len(v.addresses) == 0 {
		return fmt.Errorf("%d jobs, %d providers, %d kinds, %d handlers: too little to ask for", len(v.jobs), len(v.providers), len(v.kinds), len(v.addresses))
	}
	return nil
}

func any1[T any](v *viewer, list []T) T { return list[v.rng.IntN(len(list))] }

func (v *viewer) pages() []drawn {
	fixed := func(path string) drawn { return drawn{path, func() string { return path }} }
	with := func(path string, list *[]string) drawn {
		return drawn{path, func() string { return strings.Replace(path, "{}", url.PathEscape(any1(v, *list)), 1) }}
	}
	kind := func(path string) drawn {
		return drawn{path, func() string { return strings.Replace(path, "{}", fmt.Sprint(any1(v, v.kinds)), 1) }}
	}
	list := []drawn{
		with("/jobs/{}", &v.jobs), with("/jobs/{}/graph", &v.jobs), with("/events/{}", &v.jobs),
		fixed("/jobs"), with("/jobs?provider={}", &v.providers), with("/jobs?customer={}", &v.customers),
		with("/jobs?for={}", &v.providers), kind("/jobs?kind={}"), kind("/jobs?state=success&kind={}"), kind("/jobs?payment=claimed&kind={}"),
		with("/jobs?provider={}&state=error", &v.providers),
		fixed("/handlers"), fixed("/handlers?sort=answer_rate"), fixed("/handlers?sort=first_result"), fixed("/handlers?sort=price"),
		fixed("/handlers?sort=seen"), fixed("/handlers?online=true"), fixed("/handlers?q=dvm"), kind("/handlers?kind={}"),
		with("/handlers/{}", &v.addresses), fixed("/providers"), with("/providers/{}", &v.providers),
		with("/providers/{}/check", &v.providers), fixed("/kinds"), kind("/kinds/{}"), fixed("/upstreams"),
	}
	for _, s := range []string{"open", "unanswered", "processing", "payment-required", "partial", "error", "success", "cancelled", "expired", "stalled"} {
		list = append(list, fixed("/jobs?state="+s))
	}
	for _, p := range []string{"none", "asked", "invoice-expired", "claimed", "mismatch", "undelivered", "refunded"} {
		list = append(list, fixed("/jobs?payment="+p))
	}
	for _, w := range []string{"1h", "24h", "7d", "30d", "all"} {
		list = append(list, fixed("/stats?window="+w), fixed("/stats?exclude_kind=5300&window="+w))
	}
	return append(list, with("/stats?window=30d&provider={}", &v.providers), kind("/stats?window=30d&kind={}"), drawn{"/stats?since=&until=", func() string {
		since := v.until - v.rng.Int64N(30*86400)
		return fmt.Sprintf("/stats?since=%d&until=%d", since, since+v.rng.Int64N(v.until-since+1))
	}})
}

func (v *viewer) searches() []drawn {
	fixed := func(s string) drawn { return drawn{s, func() string { return s }} }
	with := func(key string, list *[]string) drawn {
		return drawn{key, func() string { return key + any1(v, *list) }}
	}
	kind := drawn{"job-kind:", func() string { return fmt.Sprint("job-kind:", any1(v, v.kinds)) }}
	return []drawn{
		with("thread:", &v.jobs), with("provider:", &v.providers), with("customer:", &v.customers), kind,
		fixed("state:success"), fixed("state:error"), fixed("state:unanswered"), fixed("state:stalled"), fixed("state:cancelled"),
		fixed("payment:claimed"), fixed("payment:refunded"), fixed("payment:undelivered"), fixed("encrypted:true"), fixed("encrypted:false"),
		fixed("online:true"), fixed("fox"), fixed("nothing-says-this"),
		{"state:error job-kind:", func() string { return "state:error " + kind.draw() }},
		{"state:success provider:", func() string { return "state:success provider:" + any1(v, v.providers) }},
	}
}

// time asks for one view again and again.
func (v *viewer) time(name string, ask func() (bytes, items int, err error)) View {
	view := View{Name: name}
	var took []float64
	for range v.o.Rounds {
		began := time.Now()
		b, n, err := ask()
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		view.Asked++
		view.Bytes, view.Items = max(view.Bytes, b), max(view.Items, n)
		if err != nil {
			view.Fault = err.Error()
			break
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		view.P50, view.P99, view.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	return view
}

func (v *viewer) read(ctx context.Context, path string, to any) error {
	b, err := v.get(ctx, v.base+path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

func (v *viewer) get(ctx context.Context, at string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, v.o.Wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxMessage))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", at, err)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotFound {
		return nil, fmt.Errorf("%s: status %d: %s", at, res.StatusCode, b[:min(len(b), 200)])
	}
	return b, nil
}

func writeViews(all []View, asJSON bool, out io.Writer) error {
	if asJSON {
		enc := json.NewEncoder(out)
		for _, v := range all {
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := &printer{w: w}
	p.row("view\tp50 ms\tp99 ms\tmax ms\tasked\tbytes\tevents")
	for _, v := range all {
		p.row("%s\t%.2f\t%.2f\t%.2f\t%d\t%d\t%d\t%s", v.Name, v.P50, v.P99, v.Max, v.Asked, v.Bytes, v.Items, v.Fault)
	}
	if p.err != nil {
		return p.err
	}
	return w.Flush()
}
