// Package config is the one configuration of the relay: every package's Options in one TOML file, with the environment
// and the command line laid over it. All faults are found at once, each with the place where it can be mended.
package config

import (
	"errors"
	"fmt"
	"log/slog"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/policies"
	"dvmrelay/relay"
	"dvmrelay/store"
	"dvmrelay/web"
)

// Config is everything that can be configured, one field for each section. Fields without a toml tag are not read.
type Config struct {
	Relay    relay.Options        `toml:"relay"`
	Ops      Ops                  `toml:"ops"`
	Store    store.Options        `toml:"store"`
	Kinds    policies.KindOptions `toml:"kinds"`
	Policies policies.RuleOptions `toml:"policies"`
	Limits   policies.Limits      `toml:"limits"`
	Index    index.Options        `toml:"index"`
	Mirror   mirror.Options       `toml:"mirror"`
	Web      web.Options          `toml:"web"`
	Log      Log                  `toml:"log"`
}

// Ops is section [ops].
type Ops struct {
	Listen string `toml:"listen"` // where metrics, profiles and health are served; default 127.0.0.1:3335, empty = nowhere
}

// Log is section [log].
type Log struct {
	Level  string `toml:"level"`  // debug, info, warn or error; default info
	Format string `toml:"format"` // auto, text or json; default auto: text on a terminal, else JSON
}

// Default is the configuration of a relay that nobody configured.
func Default() Config {
	rules := policies.DefaultOptions()
	return Config{
		Relay:    relay.DefaultOptions(),
		Ops:      Ops{Listen: "127.0.0.1:3335"},
		Store:    store.DefaultOptions(),
		Kinds:    rules.Kinds,
		Policies: rules.Rules,
		Limits:   rules.Limits,
		Index:    defaultIndex(),
		Mirror:   mirror.DefaultOptions(),
		Web:      web.DefaultOptions(),
		Log:      Log{Level: "info", Format: "auto"},
	}
}

// Rules are the three sections that policies.New takes.
func (c Config) Rules() policies.Options {
	return policies.Options{Rules: c.Policies, Kinds: c.Kinds, Limits: c.Limits}
}

// Validate returns every fault of an address to listen on. A port alone, ":3334", is every address of the machine.
func (o Ops) Validate() error { return checkListen("ops.listen", o.Listen) }

// SlogLevel is the level as slog knows it.
func (o Log) SlogLevel() (slog.Level, error) {
	var level slog.Level
	switch o.Level {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(o.Level))
	}
	return level, fmt.Errorf("log.level: %q: must be debug, info, warn or error", o.Level)
}

// Validate returns every fault, joined; each begins with its toml key.
func (o Log) Validate() error {
	var faults []error
	if _, err := o.SlogLevel(); err != nil {
		faults = append(faults, err)
	}
	switch o.Format {
	case "auto", "text", "json":
	default:
		faults = append(faults, fmt.Errorf("log.format: %q: must be auto, text or json", o.Format))
	}
	return errors.Join(faults...)
}
