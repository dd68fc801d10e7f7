package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage is what /proc says about a process; zero where there is no /proc.
type usage struct {
	cpu     float64 // seconds, in steps of 10 ms
	rssKiB  int64
	anonKiB int64 // without file-backed pages
}

// Cost is what a phase took from the machine. Client and relay share its cores.
type Cost struct {
	ServerCPU float64 `json:"server_cpu_s"`
	ClientCPU float64 `json:"client_cpu_s"`
	RSSMiB    float64 `json:"rss_mib"`
	AnonMiB   float64 `json:"rss_anon_mib"`
}

const clockTicks = 100 // per second, in /proc on every Linux that Go runs on

func usageOf(pid int) usage {
	var u usage
	if pid == 0 {
		return u
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u // no /proc, or the relay is gone: the phase itself reports that
	}
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) > 12 {
		for _, t := range f[11:13] { // utime and stime
			n, _ := strconv.ParseFloat(string(t), 64) // the kernel writes numbers
			u.cpu += n / clockTicks
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64) // 0 for lines that hold no number
		switch f[0] {
		case "VmRSS:":
			u.rssKiB = n
		case "RssAnon:":
			u.anonKiB = n
		}
	}
	return u
}

func costSince(server, self usage, pid int) Cost {
	now := usageOf(pid)
	return Cost{
		ServerCPU: now.cpu - server.cpu, ClientCPU: usageOf(os.Getpid()).cpu - self.cpu,
		RSSMiB: mib(now.rssKiB), AnonMiB: mib(now.anonKiB),
	}
}

func mib(kib int64) float64 { return float64(kib) / 1024 }

// per gives microseconds for each of n.
func per(seconds float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return seconds / float64(n) * 1e6
}

// percentiles gives the 50th, 95th and 99th in milliseconds of samples in nanoseconds.
func percentiles(lists [][]int64) (p50, p95, p99 float64) {
	all := slices.Concat(lists...)
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	at := func(p int) float64 { return float64(all[min(len(all)*p/100, len(all)-1)]) / 1e6 }
	return at(50), at(95), at(99)
}

const syncSamples = 200

// timeSync gives the median time in milliseconds of one 4 KiB append with its sync, on the disk of dir.
func timeSync(dir string) (float64, error) {
	path := filepath.Join(dir, ".bench-sync")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("time a sync: %w", err)
	}
	defer os.Remove(path)
	defer f.Close()
	block := make([]byte, 4096)
	var took []int64
	for range syncSamples {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, fmt.Errorf("time a sync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("time a sync: %w", err)
		}
		took = append(took, int64(time.Since(start)))
	}
	p50, _, _ := percentiles([][]int64{took})
	return p50, nil
}
