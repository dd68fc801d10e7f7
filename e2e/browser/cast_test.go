package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
)

// cast is what the pages of one thing are about: ids of jobs, and keys.
type cast struct {
	paid, answered, open, sealed string // jobs
	customer, painter, writer    string // of the paid job, its provider, the provider of the answered one
	kind                         int    // of the answered job
}

// demo starts a relay that shows the made-up market, and waits until all of it is there.
func demo(t *testing.T) (*hub, cast) {
	t.Helper()
	h := newHub(t, nil, "--demo")
	var c cast
	until(t, "the whole market of the demo", func() error {
		var err error
		c, err = h.cast()
		return err
	})
	return h, c
}

type listedJob struct {
	ID        string `json:"id"`
	Kind      int    `json:"kind"`
	Customer  string `json:"customer"`
	Providers []struct {
		Pubkey string `json:"pubkey"`
	} `json:"providers"`
}

// job is the newest job that a query of the API finds.
func (h *hub) job(query string) (listedJob, error) {
	resp, err := http.Get(h.url("/api/v1/jobs?limit=1&" + query))
	if err != nil {
		return listedJob{}, err
	}
	defer resp.Body.Close()
	var page struct {
		Items []listedJob `json:"items"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		return listedJob{}, err
	}
	if len(page.Items) == 0 {
		return listedJob{}, fmt.Errorf("no job with %s", query)
	}
	return page.Items[0], nil
}

func (h *hub) cast() (cast, error) {
	paid, errPaid := h.job("payment=undelivered")
	answered, errAnswered := h.job("state=success&kind=5050")
	open, errOpen := h.job("state=open")
	sealed, errSealed := h.job("encrypted=true")
	if err := errors.Join(errPaid, errAnswered, errOpen, errSealed); err != nil {
		return cast{}, err
	}
	if len(paid.Providers) == 0 || len(answered.Providers) == 0 {
		return cast{}, errors.New("a paid or an answered job has no provider")
	}
	return cast{
		paid: paid.ID, answered: answered.ID, open: open.ID, sealed: sealed.ID, kind: answered.Kind,
		customer: paid.Customer, painter: paid.Providers[0].Pubkey, writer: answered.Providers[0].Pubkey,
	}, nil
}
