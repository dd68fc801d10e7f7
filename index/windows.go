package index

import "time"

// WindowStart is when a named window of time that ends now began, in unix seconds: 1h, 24h, 7d or 30d; 0 for all, and for
// a name that is none of them.
func WindowStart(window string, now time.Time) int64 {
	span := map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}[window]
	if span == 0 {
		return 0
	}
	return now.Add(-span).Unix()
}
