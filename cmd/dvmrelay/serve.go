package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"dvmrelay/config"
	"dvmrelay/control"
	"dvmrelay/relay"
	"dvmrelay/web"
)

// shutdownGrace is how long HTTP requests may take to end once the program is told to stop.
const shutdownGrace = 5 * time.Second

// serveCmd is `serve`.
type serveCmd struct {
	Listen string `help:"Address of the relay." placeholder:"HOST:PORT"`
	Demo   bool   `help:"Show a made-up market in a data directory of its own, and mirror nothing."`
}

// Run serves until SIGINT or SIGTERM, and exits 0 then.
func (c *serveCmd) Run(k *call) error {
	cfg, err := k.load(c.flags()...)
	if err != nil {
		return err
	}
	show, err := c.demoWanted(k)
	if err != nil {
		return err
	}
	var how []func(*hub)
	asked := cfg
	if show {
		forDemo(&cfg)
		how = append(how, staged)
	}
	var level slog.LevelVar
	log, err := logger(cfg.Log, k.std.err, &level)
	if err != nil {
		return &coded{exitConfig, err}
	}
	h, err := openHub(cfg, log, how...)
	if err != nil {
		return err
	}
	if err := h.suits(); err != nil {
		return errors.Join(err, h.close())
	}
	s := &server{hub: h, call: k, flags: c.flags(), level: &level, asked: asked}
	err = s.run(k.ctx)
	return errors.Join(err, h.close())
}

func (c *serveCmd) flags() []config.Flag {
	if c.Listen == "" {
		return nil
	}
	return []config.Flag{{Name: "--listen", Key: "relay.listen", Value: c.Listen}}
}

// server is a hub with its doors open.
type server struct {
	*hub
	call  *call
	flags []config.Flag
	level *slog.LevelVar
	asked config.Config // as it was last read, before a demo changed it
}

// run opens every door before it starts anything, so that an address in use is told at once.
func (s *server) run(ctx context.Context) error {
	public, err := net.Listen("tcp", s.cfg.Relay.Listen)
	if err != nil {
		return fmt.Errorf("listen for the relay: %w", err)
	}
	commands, err := control.Listen(s.cfg.Store.Dir)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	stages := []stage{
		{"memory", boundMemory(s.call.operatorLimitsMemory())},
		{"store", s.store.Run},
		{"index", s.mend},
		// Above the store that it writes to, below whatever sees events.
		{"sightings", s.seen.Run},
		{"ledger", s.ledger.Run},
		{"growth", s.growth.run},
		{"relay", s.relay.Run},
		{"mirror", s.mirror.Run},
		{"backfilling", func(ctx context.Context) error { return s.past.watch(ctx, s.mirror.Upstreams) }},
		{"control", func(ctx context.Context) error {
			return control.Serve(ctx, commands, control.New(s.local(), release, s.log))
		}},
		{"reload", s.reloads},
	}
	if addr := s.cfg.Ops.Listen; addr != "" {
		ops, err := net.Listen("tcp", addr)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for operations: %w", err), public.Close(), commands.Close())
		}
		stages = append(stages, httpStage("ops", ops, &http.Server{Handler: s.ops(), ReadHeaderTimeout: 10 * time.Second}))
	}
	stages = append(stages, httpStage("http", public, relay.Server(s.cfg.Relay, s.relay.Handler(), s.log)),
		// Above the doors, so that streams end before requests are waited for.
		stage{"streams", s.site.Run})
	if s.stage != nil {
		stages = append(stages, stage{"demo", s.market(public.Addr()).Run})
	}
	stages = append(stages, stage{"readiness", s.readiness})
	s.greet(public.Addr())
	err = runStages(ctx, stages)
	s.log.Info("stopped")
	return err
}

// httpStage serves until it is told to stop, then lets requests end.
func httpStage(name string, l net.Listener, srv *http.Server) stage {
	return stage{name, func(ctx context.Context) error {
		ended := make(chan error, 1)
		go func() { ended <- srv.Serve(l) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		err := srv.Shutdown(grace)
		if err != nil {
			err = errors.Join(err, srv.Close())
		}
		_ = <-ended // ErrServerClosed, which Shutdown causes
		return err
	}}
}

func (s *server) ops() http.Handler {
	return web.Ops(web.OpsDeps{
		Store: s.store.Stats, StoreHealth: s.store.Health, Sync: s.cfg.Store.Sync,
		Upstreams: s.upstreams, Gauges: []web.Gauges{figures(s.relay), sighted(s.seen), followFigures(s.mirror), s.site}, Version: release,
		Demo: s.stage != nil,
	})
}

// greet says in a few lines what runs and where.
func (s *server) greet(addr net.Addr) {
	s.log.Info("relay serves", "url", "ws://"+addr.String(), "page", "http://"+addr.String(), "signatures", thisBuild().Signatures)
	s.log.Info("store open", "dir", s.cfg.Store.Dir, "sync", s.cfg.Store.Sync, "events", s.store.Stats().Bodies)
	if s.cfg.Ops.Listen != "" {
		s.log.Info("operations", "metrics", "http://"+s.cfg.Ops.Listen+"/metrics", "health", "http://"+s.cfg.Ops.Listen+"/healthz")
	}
	if s.stage != nil {
		greetDemo(s.log)
	} else if n := len(s.cfg.Mirror.Upstreams); n > 0 {
		backfill := s.cfg.Mirror.Backfill.String()
		if s.cfg.Mirror.Backfill == 0 {
			backfill = "everything"
		}
		s.log.Info("mirroring", "upstreams", n, "backfill", backfill)
	} else {
		s.log.Info("mirroring nothing: mirror.upstreams is empty")
	}
	for _, w := range s.cfg.Warnings() {
		s.log.Warn(w)
	}
}

// reloads reads the configuration again at each SIGHUP.
func (s *server) reloads(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			s.reload()
		}
	}
}

// reload puts what can change live in force. A configuration with faults changes nothing.
func (s *server) reload() {
	path, explicit := s.call.configPath()
	next, faults := config.Load(path, explicit, s.call.std.env, s.flags...)
	for _, f := range faults {
		s.log.Error("configuration not reloaded", "fault", f.Error())
	}
	if len(faults) > 0 {
		return
	}
	next.Relay.KeyFile = s.cfg.Relay.KeyFile
	if s.stage != nil {
		s.tellIgnored(next)
		forDemo(&next)
	}
	for _, c := range config.Diff(s.cfg, next) {
		if !c.Live {
			s.log.Warn("setting needs a restart", "key", c.Key)
		} else {
			s.log.Info("setting changed", "key", c.Key)
		}
	}
	if err := s.rules.Reload(next.Rules()); err != nil {
		s.log.Error("rules not reloaded", "err", err)
		return
	}
	if level, err := next.Log.SlogLevel(); err == nil {
		s.level.Set(level)
	}
	s.mirror.Reload(next.Mirror.Upstreams)
	s.expect()
	s.mirror.ReloadFollow(next.Mirror.Follow)
	s.mirror.ReloadKinds(s.mirrored())
	s.mirror.ReloadBudget(next.Mirror.Budget())
	s.cfg.Policies, s.cfg.Kinds, s.cfg.Limits = next.Policies, next.Kinds, next.Limits
	s.cfg.Log.Level, s.cfg.Mirror.Upstreams, s.cfg.Mirror.Follow = next.Log.Level, next.Mirror.Upstreams, next.Mirror.Follow
	s.cfg.Mirror.BytesPerSecond, s.cfg.Mirror.EventsPerSecond = next.Mirror.BytesPerSecond, next.Mirror.EventsPerSecond
	s.log.Info("configuration reloaded")
}
