package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dvmrelay/config"

	"github.com/lmittmann/tint"
)

// The places that are used when nothing else is said.
const (
	defaultConfig  = "dvmrelay.toml"
	defaultDataDir = "dvmrelay-data"
	keyFile        = "relay.key"
)

// noBudget is what 0 in section [limits] means to the store, which would take its default for it.
const noBudget = 365 * 24 * time.Hour

// errConfig says that the faults of the configuration were told.
var errConfig = &coded{exitConfig, errTold}

// load reads the configuration and tells every fault of it.
func (c *call) load(flags ...config.Flag) (config.Config, error) {
	path, explicit := c.configPath()
	cfg, faults := config.Load(path, explicit, c.std.env, flags...)
	if len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(c.std.err, "dvmrelay:", f.Error())
		}
		fmt.Fprintf(c.std.err, "dvmrelay: %d faults in the configuration; nothing was started\n", len(faults))
		return config.Config{}, errConfig
	}
	cfg.Store.Dir = c.dataDir()
	if cfg.Relay.KeyFile == "" {
		cfg.Relay.KeyFile = filepath.Join(cfg.Store.Dir, keyFile)
	}
	cfg.Store.VanishURL = cfg.Relay.URL
	if cfg.Store.QueryBudget = cfg.Limits.QueryBudget; cfg.Store.QueryBudget == 0 {
		cfg.Store.QueryBudget = noBudget
	}
	return cfg, nil
}

// configPath is the file to read, and whether somebody named it.
func (c *call) configPath() (path string, explicit bool) {
	if c.Config != "" {
		return c.Config, true
	}
	if path, ok := c.lookupEnv(config.EnvConfig); ok && path != "" {
		return path, true
	}
	return defaultConfig, false
}

func (c *call) dataDir() string {
	if c.DataDir != "" {
		return c.DataDir
	}
	if dir, ok := c.lookupEnv(config.EnvDataDir); ok && dir != "" {
		return dir
	}
	return defaultDataDir
}

func (c *call) lookupEnv(name string) (string, bool) {
	for i := len(c.std.env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(c.std.env[i], name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// operatorLimitsMemory says whether GOMEMLIMIT is set.
func (c *call) operatorLimitsMemory() bool {
	limit, ok := c.lookupEnv("GOMEMLIMIT")
	return ok && limit != ""
}

// logger writes to standard error: readable on a terminal, JSON elsewhere, or as the configuration says. The level can
// be changed while the program runs.
func logger(o config.Log, w io.Writer, level *slog.LevelVar) (*slog.Logger, error) {
	l, err := o.SlogLevel()
	if err != nil {
		return nil, err
	}
	level.Set(l)
	format := o.Format
	if format == "auto" {
		format = "json"
		if isTerminal(w) {
			format = "text"
		}
	}
	if format == "text" {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: "15:04:05", NoColor: !isTerminal(w)})), nil
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// checkCmd is `check-config`.
type checkCmd struct {
	Print bool `help:"Print the configuration that is in force, as TOML."`
}

// Run tells every fault and exits 3, or says that there is none.
func (c *checkCmd) Run(k *call) error {
	path, explicit := k.configPath()
	cfg, err := k.load()
	if err != nil {
		return err
	}
	if c.Print {
		if err := cfg.Print(k.std.out); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
	}
	for _, w := range cfg.Warnings() {
		fmt.Fprintln(k.std.err, "dvmrelay: warning:", w)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && !explicit {
		path = "defaults and environment"
	}
	fmt.Fprintf(k.std.err, "dvmrelay: %s: no fault found\n", path)
	return nil
}
