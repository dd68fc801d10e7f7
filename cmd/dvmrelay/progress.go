package main

import (
	"fmt"
	"strings"
)

// bar draws how much of a whole is done, 0 to 1, in so many columns; empty when nothing is known of the whole.
func bar(done float64, columns int) string {
	if done <= 0 || columns <= 0 {
		return ""
	}
	done = min(done, 1)
	full := int(done * float64(columns))
	return fmt.Sprintf("[%s%s] %3d %%  ", strings.Repeat("=", full), strings.Repeat(" ", columns-full), int(100*done))
}

// byteSize is a number of bytes for people.
func byteSize(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}
