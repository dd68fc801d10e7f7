package web

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// hint is a page that may help whoever did not find what was asked for.
type hint struct{ Path, Text string }

// hinted is a refusal that knows of other pages.
type hinted struct {
	error
	hints []hint
}

func (h *hinted) Unwrap() error { return h.error }

// isStatus says whether a visitor is refused with that status of HTTP.
func isStatus(err error, status int) bool {
	var told huma.StatusError
	return errors.As(err, &told) && told.GetStatus() == status
}

// oneOf reads a parameter of a page that is empty or one of the values.
func oneOf(q url.Values, name string, values ...string) (string, error) {
	v := q.Get(name)
	if v != "" && !slices.Contains(values, v) {
		return "", huma.Error400BadRequest(name + ": is none of " + strings.Join(values, ", "))
	}
	return v, nil
}

// numberOf reads a parameter of a page that is a number from 0 to most; 0 when it is absent.
func numberOf(q url.Values, name string, most int) (int, error) {
	text := strings.TrimSpace(q.Get(name))
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, huma.Error400BadRequest(name + ": is no number from 0 to " + strconv.Itoa(most))
	}
	return n, nil
}

// withQuery is a path with the parameters that say something.
func withQuery(path string, q url.Values) string {
	for name, values := range q {
		if len(values) == 0 || values[0] == "" || values[0] == "0" {
			q.Del(name)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// windowChips choose the window of a page, which keeps its other parameters.
func windowChips(path string, q url.Values, now string) (chips []chip) {
	for _, w := range [...]string{"24h", "7d", "30d", "all"} {
		to := url.Values{"window": {w}}
		if w == "30d" {
			to.Del("window")
		}
		for name, values := range q {
			to[name] = values
		}
		chips = append(chips, chip{Name: w, Path: withQuery(path, to), On: w == now})
	}
	return chips
}

// windowOf reads the window of a page: 30d unless another is asked for.
func windowOf(q url.Values) (string, error) {
	w, err := oneOf(q, "window", "1h", "24h", "7d", "30d", "all")
	if w == "" {
		w = "30d"
	}
	return w, err
}

// windowAlone is of a page's parameters the window that was asked for, if any.
func windowAlone(q url.Values) url.Values { return url.Values{"window": {q.Get("window")}} }
