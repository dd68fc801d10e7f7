package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"

	"dvmrelay/config"
	"dvmrelay/demo"
)

// demoWanted says whether --demo was given, or its variable.
func (c *serveCmd) demoWanted(k *call) (bool, error) {
	text, ok := k.lookupEnv(config.EnvDemo)
	if c.Demo || !ok || text == "" {
		return c.Demo, nil
	}
	want, err := strconv.ParseBool(text)
	if err != nil {
		return false, &coded{exitConfig, fmt.Errorf("%s: %q: must be true or false", config.EnvDemo, text)}
	}
	return want, nil
}

// forDemo is the configuration of a demo: nothing is read from other relays, and everybody who asks is told what this is.
func forDemo(cfg *config.Config) {
	cfg.Mirror.Upstreams, cfg.Mirror.Follow = nil, false
	cfg.Relay.Name += " (demo)"
	cfg.Relay.Description = "A demo: every key, job and payment here is made up, and nothing is mirrored. " + cfg.Relay.Description
}

// tellIgnored says which changes of the configuration a demo does not take.
func (s *server) tellIgnored(next config.Config) {
	for _, c := range config.Diff(s.asked, next) {
		if c.Key == "mirror.upstreams" || c.Key == "mirror.follow" {
			s.log.Warn("setting is ignored by --demo", "key", c.Key)
		}
	}
	s.asked = next
}

// staged makes a hub show the upstreams of a demo in place of the mirror's.
func staged(h *hub) { h.stage = demo.NewStage(nil) }

// suits refuses a demo on a real relay's data, and the other way round.
func (h *hub) suits() error {
	err := demo.Admit(h.store, h.stage != nil, h.store.Stats().Facts)
	if errors.Is(err, demo.ErrDemoData) || errors.Is(err, demo.ErrRealData) {
		return &coded{exitUsage, fmt.Errorf("%s: %w", h.cfg.Store.Dir, err)}
	}
	return err
}

// market is the demo's, publishing at the address where the relay listens.
func (h *hub) market(at net.Addr) *demo.Market {
	return demo.New(demo.Options{
		Sink: h.relay, State: h.store, Seen: h.seen.Saw, Stage: h.stage, Log: h.log, URL: func() string { return ownSocket(at) },
	})
}

// ownSocket is how this process reaches its own websocket.
func ownSocket(at net.Addr) string {
	addr, err := netip.ParseAddrPort(at.String())
	if err != nil || !addr.Addr().IsUnspecified() {
		return "ws://" + at.String()
	}
	host := "127.0.0.1"
	if addr.Addr().Is6() && !addr.Addr().Is4In6() {
		host = "::1"
	}
	return "ws://" + net.JoinHostPort(host, strconv.Itoa(int(addr.Port())))
}

// greetDemo says that nothing of what will be seen is real.
func greetDemo(log *slog.Logger) {
	log.Info("demo: nothing is mirrored, mirror.upstreams is ignored; the upstreams that are shown are staged, and every key, job and payment is made up")
}
