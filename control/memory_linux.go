package control

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// freeMemory is how much memory the system could give this process, in bytes, as far as it says.
func freeMemory() (n int64, known bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		fields := strings.Fields(rest)
		if name != "MemAvailable" || len(fields) == 0 {
			continue
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		return kib << 10, err == nil
	}
	return 0, false
}
