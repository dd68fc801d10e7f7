package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// shop is an API without a relay.
func shop(t *testing.T, api http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(api)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func market(w http.ResponseWriter, r *http.Request) {
	id := strings.Repeat("0a", 32)
	switch r.URL.Path {
	case "/api/v1/jobs":
		fmt.Fprintf(w, `{"items":[{"id":%q,"customer":%q,"created_at":100}]}`, id, id)
	case "/api/v1/providers":
		fmt.Fprintf(w, `{"items":[{"pubkey":%q}]}`, id)
	case "/api/v1/kinds":
		fmt.Fprint(w, `{"items":[{"kind":5100}]}`)
	case "/api/v1/handlers":
		fmt.Fprintf(w, `{"items":[{"address":"31990:%s:x"}]}`, id)
	default:
		fmt.Fprint(w, `{}`)
	}
}

func TestViews_AFaultIsNamed(t *testing.T) {
	url := shop(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/stats") {
			http.Error(w, "no figures today", http.StatusServiceUnavailable)
			return
		}
		market(w, r)
	})
	var v viewer
	v.o, v.base, v.rng = ViewsOptions{Rounds: 2, Wait: 10 * time.Second}, "http"+strings.TrimPrefix(url, "ws")+"/api/v1", newRand(1, 7)
	if err := v.learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range v.pages() {
		view := v.time(p.name, func() (int, int, error) {
			b, err := v.get(t.Context(), v.base+p.draw())
			return len(b), 0, err
		})
		broken := strings.HasPrefix(p.name, "/stats")
		if (view.Fault != "") != broken || !broken && (view.Asked != 2 || view.P50 <= 0) {
			t.Errorf("%s: %+v, want a fault: %t", p.name, view, broken)
		}
	}
}

func TestViews_Targets(t *testing.T) {
	_, err := Views(t.Context(), ViewsOptions{URL: "ws://192.0.2.1:7777", Rounds: 1}, &bytes.Buffer{})
	if !errors.Is(err, ErrTarget) {
		t.Errorf("error %v, want ErrTarget", err)
	}
	empty := shop(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"items":[]}`) })
	if _, err := Views(t.Context(), ViewsOptions{URL: empty, Rounds: 1}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "too little") {
		t.Errorf("error %v, want one that says there is too little to ask for", err)
	}
}
