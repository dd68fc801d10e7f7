package config

import (
	"fmt"
	"net"
	"time"

	"dvmrelay/index"
)

// Web is section [web].
type Web struct {
	Inputs string `toml:"inputs"`
}

func defaultWeb() Web { return Web{Inputs: "truncate"} }

func defaultIndex() index.Options {
	return index.Options{UnansweredAfter: 10 * time.Minute, StalledAfter: 10 * time.Minute, KeepCustomer: true}
}

// checkListen says what is wrong with an address to listen on.
func checkListen(key, addr string, mayBeEmpty bool) error {
	if addr == "" {
		if mayBeEmpty {
			return nil
		}
		return fmt.Errorf("%s: must not be empty", key)
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
