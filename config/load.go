package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"dvmrelay/index"
	"dvmrelay/policies"
)

// EnvPrefix begins every variable that is read: DVMRELAY_MIRROR_BACKFILL is mirror.backfill.
const EnvPrefix = "DVMRELAY_"

// The variables that are no keys: they say where configuration and data are and whether this is a demo, and belong to the
// command line.
const (
	EnvConfig  = "DVMRELAY_CONFIG"
	EnvDataDir = "DVMRELAY_DATA_DIR"
	EnvDemo    = "DVMRELAY_DEMO"
)

// Flag is a value from the command line.
type Flag struct {
	Name  string // as the user wrote it, such as --listen
	Key   string // the toml key, such as relay.listen
	Value string // lists are comma-separated
}

// maxFileBytes bounds the file: a configuration has a few kilobytes.
const maxFileBytes = 1 << 20

// Load reads a configuration: flags over environment over file over defaults. Environment is as os.Environ gives it. A
// missing file is a fault only if it was named explicitly. Every fault is returned, those of the file first and in its
// order; the configuration is usable only when there is none.
func Load(path string, explicit bool, env []string, flags ...Flag) (Config, []Fault) {
	c := Default()
	r := &reading{path: path, entries: entries(&c), places: map[string]place{}}
	if data, fault := readFile(path, explicit); fault != nil {
		r.faults = append(r.faults, *fault)
	} else {
		r.read(data)
	}
	r.overlayEnv(env)
	r.overlayFlags(flags)
	broken := map[string]bool{}
	for _, f := range r.faults {
		broken[f.Key] = true
	}
	for _, f := range validate(c, r.places) {
		if !broken[f.Key] || f.Key == "" {
			r.faults = append(r.faults, f)
		}
	}
	slices.SortStableFunc(r.faults, inFileFirst)
	return c, r.faults
}

// inFileFirst puts the faults of the file first, from its top to its end, and leaves the others in their order.
func inFileFirst(a, b Fault) int {
	if a.Line > 0 && b.Line > 0 {
		return cmp.Compare(a.Line, b.Line)
	}
	return cmp.Compare(min(b.Line, 1), min(a.Line, 1))
}

func readFile(path string, explicit bool) ([]byte, *Fault) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFileBytes {
		return nil, &Fault{Source: path, Text: "is larger than 1 MiB, this cannot be a configuration"}
	}
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, fs.ErrNotExist) && !explicit:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Fault{Source: path, Text: "there is no such file"}
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return nil, &Fault{Source: path, Text: err.Error()}
}

// overlayEnv lays the variables over the configuration.
func (r *reading) overlayEnv(env []string) {
	keys := make(map[string]entry, len(r.entries))
	names := []string{EnvConfig, EnvDataDir, EnvDemo}
	for _, e := range r.entries {
		name := EnvName(e.key)
		keys[name] = e
		names = append(names, name)
	}
	sorted := slices.Clone(env)
	slices.Sort(sorted)
	for _, assignment := range sorted {
		name, value, _ := strings.Cut(assignment, "=")
		if !strings.HasPrefix(name, EnvPrefix) || name == EnvConfig || name == EnvDataDir || name == EnvDemo {
			continue
		}
		at := place{source: name}
		e, ok := keys[name]
		if !ok {
			r.faults = append(r.faults, at.fault("", "unknown variable, did you mean %s", policies.Nearest(name, names)))
			continue
		}
		r.overlay(e, value, at)
	}
}

// EnvName is the variable of a key.
func EnvName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (r *reading) overlayFlags(flags []Flag) {
	for _, f := range flags {
		at := place{source: f.Name}
		e, ok := lookup(r.entries, f.Key)
		if !ok {
			r.faults = append(r.faults, at.fault("", "unknown key %q, did you mean %q", f.Key, nearestKey(r.entries, f.Key)))
			continue
		}
		r.overlay(e, f.Value, at)
	}
}

func (r *reading) overlay(e entry, value string, at place) {
	r.places[e.key] = at
	r.faults = append(r.faults, setFaults(e, literal{shape: isWord, text: value, place: at}, at)...)
}

// validate asks every section what is wrong with it, and finds out where that was written.
func validate(c Config, places map[string]place) []Fault {
	var faults []Fault
	sections := reflect.ValueOf(c)
	for i := range sections.NumField() {
		if _, ok := tomlName(sections.Type().Field(i)); !ok {
			continue
		}
		for _, err := range faultsOf(sections.Field(i).Interface()) {
			faults = append(faults, located(err, places))
		}
	}
	return faults
}

// faultsOf is what a section says of itself, in either of the two ways in use.
func faultsOf(section any) []error {
	switch v := section.(type) {
	case interface{ Validate() error }:
		return flatten(v.Validate())
	case interface{ Validate() []error }:
		return v.Validate()
	case index.Options:
		return indexFaults(v)
	}
	return nil
}

// located splits "mirror.backfill: -1h: must not be negative" into key and text and finds the place of the key.
func located(err error, places map[string]place) Fault {
	key, text, ok := strings.Cut(err.Error(), ": ")
	if !ok || strings.ContainsAny(key, " \"") {
		return Fault{Text: err.Error()}
	}
	bare, _, _ := strings.Cut(key, "[")
	at, ok := places[bare]
	if !ok {
		at = mentioned(text, places)
	}
	return at.fault(key, "%s", text)
}

// mentioned is the place of a key that a text speaks of: a default can be at fault only beside something written.
func mentioned(text string, places map[string]place) place {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == ':' }) {
		if at, ok := places[word]; ok {
			return at
		}
	}
	return place{}
}

// Warnings are what is accepted but probably not meant, each naming its toml key.
func (c Config) Warnings() []string {
	var out []string
	sections := reflect.ValueOf(c)
	for i := range sections.NumField() {
		if w, ok := sections.Field(i).Interface().(interface{ Warnings() []string }); ok {
			out = append(out, w.Warnings()...)
		}
	}
	if isPublic(c.Relay.Listen) && c.Relay.URL == "" {
		out = append(out, fmt.Sprintf("relay.url: is empty while relay.listen, %q, is open to others: authentication (NIP-42) is off", c.Relay.Listen))
	}
	if n := utf8.RuneCountInString(c.Relay.Name); n >= 30 {
		out = append(out, fmt.Sprintf("relay.name: has %d characters, clients expect fewer than 30 (NIP-11)", n))
	}
	if u, err := url.Parse(c.Relay.Contact); c.Relay.Contact != "" && (err != nil || u.Scheme == "") {
		out = append(out, fmt.Sprintf("relay.contact: %q is no URI such as \"mailto:admin@example.com\" or \"https://...\" (NIP-11)", c.Relay.Contact))
	}
	if isPublic(c.Ops.Listen) {
		out = append(out, fmt.Sprintf("ops.listen: %q is open to others: metrics and profiles are served without authentication", c.Ops.Listen))
	}
	return out
}

// isPublic says whether an address to listen on can be reached from other machines.
func isPublic(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.IsLoopback()
}
