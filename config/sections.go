package config

import (
	"fmt"
	"net"
	"time"

	"dvmrelay/index"
)

func defaultIndex() index.Options {
	return index.Options{UnansweredAfter: 10 * time.Minute, StalledAfter: 10 * time.Minute, KeepCustomer: true}
}

// indexFaults says what is wrong with section [index].
func indexFaults(o index.Options) []error {
	var faults []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"unanswered_after", o.UnansweredAfter}, {"stalled_after", o.StalledAfter}} {
		if d.value <= 0 {
			faults = append(faults, fmt.Errorf("index.%s: %s: must be positive", d.key, d.value))
		}
	}
	return faults
}

// checkListen says what is wrong with an address to listen on; an empty one is none.
func checkListen(key, addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf("%s: %q: is no address, write host:port such as \"127.0.0.1:3334\"", key, addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%s: %q: port %q is none", key, addr, port)
	}
	return nil
}
