package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// parseDuration reads what time.ParseDuration reads, and days: "30d", "1d12h".
func parseDuration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	days, rest, has := strings.Cut(s, "d")
	if !has {
		d, err := time.ParseDuration(s)
		return d, err == nil
	}
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil || n > int64(math.MaxInt64/day) || n < int64(math.MinInt64/day) {
		return 0, false
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, true
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more >= day {
		return 0, false
	}
	if strings.HasPrefix(days, "-") {
		more = -more
	}
	if sum := d + more; (more >= 0) == (sum >= d) {
		return sum, true
	}
	return 0, false
}

// formatDuration writes the shortest text that parseDuration reads back.
func formatDuration(d time.Duration) string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// unit is a multiple of a byte.
type unit struct {
	suffix string
	bytes  int64
}

func units() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"TB", 1e12},
		{"GB", 1e9},
		{"MB", 1e6},
		{"KB", 1e3},
		{"B", 1},
	}
}

// parseSize reads "2GiB", "500 MB", "64KiB", "100".
func parseSize(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	for _, u := range units() {
		if len(s) > len(u.suffix) && strings.EqualFold(s[len(s)-len(u.suffix):], u.suffix) {
			n, err := strconv.ParseInt(strings.TrimSpace(s[:len(s)-len(u.suffix)]), 10, 64)
			if err != nil || n > math.MaxInt64/u.bytes || n < math.MinInt64/u.bytes {
				return 0, false
			}
			return n * u.bytes, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// formatSize writes the shortest text that parseSize reads back: with a unit when nothing is lost by it.
func formatSize(n int64) (text string, hasUnit bool) {
	for _, u := range units()[:4] {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix, true
		}
	}
	return strconv.FormatInt(n, 10), false
}
