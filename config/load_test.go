package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dvmrelay/policies"
)

// write puts a file into a directory of the test and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dvmrelay.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// texts are the faults with the file's path cut to its name.
func texts(path string, faults []Fault) []string {
	out := []string{}
	for _, f := range faults {
		if path != "" {
			f.Source = strings.ReplaceAll(f.Source, path, filepath.Base(path))
		}
		out = append(out, f.Error())
	}
	return out
}

func wantFaults(t *testing.T, path string, faults []Fault, want []string) {
	t.Helper()
	if got := texts(path, faults); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Errorf("faults\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestLoad_FaultsOfAFile(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		want       []string
	}{
		{"empty", "", nil},
		{"comments", "# nothing\n\n# to see", nil},
		{
			"unknown key", "[relay]\nlisten = \"127.0.0.1:1\"\nlisen = \"x\"\n",
			[]string{`dvmrelay.toml:3:1: unknown key "relay.lisen", did you mean "relay.listen"`},
		},
		{
			"a key of another section", "[relay]\n  backfill = \"1h\"\n",
			[]string{`dvmrelay.toml:2:3: unknown key "relay.backfill", did you mean "mirror.backfill"`},
		},
		{
			"a key without a section", "backfil = \"1h\"\n",
			[]string{`dvmrelay.toml:1:1: unknown key "backfil", did you mean "mirror.backfill"`},
		},
		{
			"unknown section, its keys left out", "[relays]\nlisten = \"x\"\n[log]\nlevel = \"loud\"\n",
			[]string{
				`dvmrelay.toml:1:2: unknown section "relays", did you mean "relay"`,
				`dvmrelay.toml:4:1: log.level: "loud": must be debug, info, warn or error`,
			},
		},
		{
			"a section below a section", "[relay.tls]\nx = 1\n",
			[]string{`dvmrelay.toml:1:2: unknown section "relay.tls", did you mean "relay"`},
		},
		{
			"list of tables", "[[mirror]]\nbackfill = \"1h\"\n",
			[]string{`dvmrelay.toml:1:3: [[mirror]] is a list of tables, write [mirror]`},
		},
		{
			"types", "[relay]\nlisten = 3334\nauth_encrypted = \"yes\"\nadmins = \"npub\"\n[limits]\ntags = \"many\"\nvalues = 1.5\nmessage_bytes = \"big\"\nquery_budget = 2\n[mirror]\nbackfill = \"month\"\nupstreams = [1, \"wss://a\", true]\n",
			[]string{
				`dvmrelay.toml:2:1: relay.listen: must be a string, not a number`,
				`dvmrelay.toml:3:1: relay.auth_encrypted: must be true or false, not a string`,
				`dvmrelay.toml:4:1: relay.admins: must be a list, not a string`,
				`dvmrelay.toml:6:1: limits.tags: must be a whole number, not a string`,
				`dvmrelay.toml:7:1: limits.values: must be a whole number, not a fraction`,
				`dvmrelay.toml:8:1: limits.message_bytes: "big": must be a number of bytes, such as 1048576 or "1MiB"`,
				`dvmrelay.toml:9:1: limits.query_budget: 2: has no unit, write a duration such as "2s"`,
				`dvmrelay.toml:11:1: mirror.backfill: "month": must be a duration such as "90s", "10m", "12h" or "30d"`,
				`dvmrelay.toml:12:14: mirror.upstreams: must be a string, not a number`,
				`dvmrelay.toml:12:28: mirror.upstreams: must be a string, not true or false`,
			},
		},
		{
			"elements over lines", "[kinds]\nallow = [\n  1111,\n  \"2000-1000\",\n  \"x\",\n  70000,\n]\n",
			[]string{
				`dvmrelay.toml:4:3: kinds.allow: "2000-1000": the range ends before it begins`,
				`dvmrelay.toml:5:3: kinds.allow: "x": is no kind: write a number up to 65535, or a range such as "5000-5999"`,
				`dvmrelay.toml:6:3: kinds.allow: "70000": is no kind: write a number up to 65535, or a range such as "5000-5999"`,
			},
		},
		{
			"what the sections say, with lines", "[mirror]\nbackfill = \"-1h\"\nupstreams = [\"wss://ok.example\", \"http://no.example\"]\n\n[limits]\nmax_limit = 100\ntags = -1\n[store]\nsync = \"maybe\"\n",
			[]string{
				`dvmrelay.toml:2:1: mirror.backfill: -1h0m0s: must not be negative`,
				`dvmrelay.toml:3:1: mirror.upstreams[1]: "http://no.example": must begin with ws:// or wss://`,
				`dvmrelay.toml:6:1: limits.default_limit: 500: must not be above limits.max_limit, 100`,
				`dvmrelay.toml:7:1: limits.tags: -1: must not be negative`,
				`dvmrelay.toml:9:1: store.sync: "maybe": must be "batch" or "none"`,
			},
		},
		{
			"broken lines beside other faults", "[relay]\nlisten = \"127.0.0.1:1\nnam = \"x\"\nurl = = 3\n[limits]\ntags = -1\n",
			[]string{
				`dvmrelay.toml:2:22: basic strings cannot have new lines`,
				`dvmrelay.toml:3:1: unknown key "relay.nam", did you mean "relay.name"`,
				`dvmrelay.toml:4:7: unexpected character U+003D '=' at start of value`,
				`dvmrelay.toml:6:1: limits.tags: -1: must not be negative`,
			},
		},
		{
			"a broken header", "[relay\nlisten = \"x\"\n[log]\nlevel = \"loud\"\n",
			[]string{
				`dvmrelay.toml:1:7: expected ']' to close table name`,
				`dvmrelay.toml:4:1: log.level: "loud": must be debug, info, warn or error`,
			},
		},
		{
			"an array without an end", "[kinds]\nallow = [1,\n[log]\nlevl = \"loud\"\n",
			[]string{`dvmrelay.toml:3:2: unexpected character U+006C 'l' at start of value`},
		},
		{
			"twice", "[log]\nlevel = \"info\"\nlevel = \"warn\"\n",
			[]string{`dvmrelay.toml:3:1: key level is already defined`},
		},
		{
			"a section that says nothing of itself", "[index]\nstalled_after = 0\n[ops]\nlisten = \"here\"\n",
			[]string{
				`dvmrelay.toml:2:1: index.stalled_after: 0s: must be positive`,
				`dvmrelay.toml:4:1: ops.listen: "here": is no address, write host:port such as "127.0.0.1:3334"`,
			},
		},
		{
			"a secret key among the administrators", "[relay]\nadmins = [\"NSEC1QQQ\"]\n[log]\nlevel = \"nsec1abc nsec1def\"\n",
			[]string{
				`dvmrelay.toml:2:1: relay.admins: "nsec1...": is no public key: write npub or 64 hex characters`,
				`dvmrelay.toml:4:1: log.level: "nsec1... nsec1...": must be debug, info, warn or error`,
			},
		},
		{
			"a secret key where a public one belongs is not repeated", "[policies]\ndeny = [\"nsec1qqqqqqq\"]\n",
			[]string{`dvmrelay.toml:2:1: policies.deny: "nsec1...": is no public key: write npub or 64 hex characters`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.file)
			_, faults := Load(path, true, nil)
			wantFaults(t, path, faults, tc.want)
		})
	}
}

func TestLoad_Values(t *testing.T) {
	path := write(t, `
relay.name = "dotted"
web = { inputs = "hide" }
[relay]
listen = ":0"
[limits]
tags = 1_000
message_bytes = "1 MiB"
content_length = 1024
query_budget = 0
write_deadline = "1m30s"
[mirror]
upstreams = []
backfill = "1d12h"
[kinds]
allow = [1111, "30000-30003", "7"]
presets = ["contextvm"]
[index]
keep_customer = false
[store]
free_floor = 0
`)
	_, faults := Load(path, true, nil)
	wantFaults(t, path, faults, []string{`dvmrelay.toml:4:2: table relay already exists as defined by a dotted key`})
	c, faults := Load(write(t, strings.Replace(mustRead(t, path), "relay.name = \"dotted\"\n", "", 1)), true, nil)
	wantFaults(t, "", faults, nil)
	want := Default()
	want.Web.Inputs = "hide"
	want.Relay.Listen = ":0"
	want.Limits.Tags, want.Limits.MessageBytes, want.Limits.ContentLength = 1000, 1<<20, 1024
	want.Limits.QueryBudget, want.Limits.WriteDeadline = 0, 90*time.Second
	want.Mirror.Upstreams, want.Mirror.Backfill = []string{}, 36*time.Hour
	want.Kinds.Allow = []policies.KindRange{{From: 1111, To: 1111}, {From: 30000, To: 30003}, {From: 7, To: 7}}
	want.Kinds.Presets = []string{"contextvm"}
	want.Index.KeepCustomer = false
	want.Store.FreeFloor = 0
	if diff := Diff(want, c); len(diff) != 0 {
		t.Errorf("differs from what was written: %+v", diff)
	}
}

func mustRead(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLoad_Files(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "dvmrelay.toml")
	if c, faults := Load(missing, false, nil); len(faults) != 0 || len(Diff(Default(), c)) != 0 {
		t.Errorf("a file that nobody named is missing: got %v", faults)
	}
	_, faults := Load(missing, true, nil)
	wantFaults(t, missing, faults, []string{"dvmrelay.toml: there is no such file"})
	_, faults = Load("", false, nil)
	wantFaults(t, "", faults, nil)
	dir := t.TempDir()
	_, faults = Load(dir, true, nil)
	if len(faults) != 1 || faults[0].Source != dir {
		t.Errorf("a directory: got %v", faults)
	}
	big := write(t, "# "+strings.Repeat("x", maxFileBytes))
	_, faults = Load(big, true, nil)
	wantFaults(t, big, faults, []string{"dvmrelay.toml: is larger than 1 MiB, this cannot be a configuration"})
}

func TestLoad_Environment(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  []string
		want []string // faults
		key  string
		val  string // as TOML
	}{
		{"string", []string{"DVMRELAY_RELAY_LISTEN=:9"}, nil, "relay.listen", `":9"`},
		{"empty string", []string{"DVMRELAY_OPS_LISTEN="}, nil, "ops.listen", `""`},
		{"list", []string{"DVMRELAY_MIRROR_UPSTREAMS=wss://a.example, wss://b.example"}, nil, "mirror.upstreams", `["wss://a.example", "wss://b.example"]`},
		{"empty list", []string{"DVMRELAY_MIRROR_UPSTREAMS="}, nil, "mirror.upstreams", `[]`},
		{"kinds", []string{"DVMRELAY_KINDS_ALLOW=1,30000-30003"}, nil, "kinds.allow", `[1, "30000-30003"]`},
		{"bool", []string{"DVMRELAY_INDEX_KEEP_CUSTOMER=false"}, nil, "index.keep_customer", `false`},
		{"duration", []string{"DVMRELAY_MIRROR_BACKFILL=0"}, nil, "mirror.backfill", `"0s"`},
		{"size", []string{"DVMRELAY_STORE_FREE_FLOOR=5GiB"}, nil, "store.free_floor", `"5GiB"`},
		{"size in bytes", []string{"DVMRELAY_STORE_FREE_FLOOR=5"}, nil, "store.free_floor", `5`},
		{"others' variables", []string{"PATH=/bin", "DVMRELAY=1", "XDVMRELAY_LOG_LEVEL=loud"}, nil, "log.level", `"info"`},
		{"the command line's own", []string{"DVMRELAY_CONFIG=x", "DVMRELAY_DATA_DIR=y"}, nil, "log.level", `"info"`},
		{"value with an equals sign", []string{"DVMRELAY_RELAY_NAME=a=b"}, nil, "relay.name", `"a=b"`},
		{"unknown", []string{"DVMRELAY_MIRROR_BACKFIL=1h"}, []string{"DVMRELAY_MIRROR_BACKFIL: unknown variable, did you mean DVMRELAY_MIRROR_BACKFILL"}, "", ""},
		{
			"several faults",
			[]string{"DVMRELAY_LIMITS_TAGS=lots", "DVMRELAY_LOG_LEVEL=loud", "DVMRELAY_INDEX_KEEP_CUSTOMER=yes", "DVMRELAY_LIMITS_FILTERS="},
			[]string{
				`DVMRELAY_INDEX_KEEP_CUSTOMER: index.keep_customer: "yes": must be true or false`,
				`DVMRELAY_LIMITS_FILTERS: limits.filters: "": must be a whole number`,
				`DVMRELAY_LIMITS_TAGS: limits.tags: "lots": must be a whole number`,
				`DVMRELAY_LOG_LEVEL: log.level: "loud": must be debug, info, warn or error`,
			},
			"", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, faults := Load("", false, tc.env)
			wantFaults(t, "", faults, tc.want)
			if tc.key == "" {
				return
			}
			e, ok := lookup(entries(&c), tc.key)
			if !ok || format(e.value) != tc.val {
				t.Errorf("%s = %s, want %s", tc.key, format(e.value), tc.val)
			}
		})
	}
}

func TestLoad_FlagOverEnvironmentOverFileOverDefault(t *testing.T) {
	path := write(t, "[relay]\nlisten = \":1\"\nname = \"file\"\ncontact = \"file\"\n")
	env := []string{"DVMRELAY_RELAY_LISTEN=:2", "DVMRELAY_RELAY_NAME=env"}
	c, faults := Load(path, true, env, Flag{Name: "--listen", Key: "relay.listen", Value: ":3"})
	wantFaults(t, path, faults, nil)
	if got := []string{c.Relay.Listen, c.Relay.Name, c.Relay.Contact, c.Web.Inputs}; !reflect.DeepEqual(got, []string{":3", "env", "file", "truncate"}) {
		t.Errorf("got %v", got)
	}
	_, faults = Load(path, true, env, Flag{"--listen", "relay.listen", "nowhere"}, Flag{"--x", "relay.lister", ""})
	if len(faults) != 2 || faults[0].Error() != `--x: unknown key "relay.lister", did you mean "relay.listen"` || faults[1].Source != "--listen" {
		t.Errorf("got %v", texts(path, faults))
	}
}

func TestNearestKey(t *testing.T) {
	c := Default()
	list := entries(&c)
	for in, want := range map[string]string{
		"relay.lisen": "relay.listen", "mirror.upstream": "mirror.upstreams", "relay.upstreams": "mirror.upstreams",
		"max_limits": "limits.max_limit", "limits.event_per_second": "limits.events_per_second", "log.lvl": "log.level",
		"web.input": "web.inputs", "": "ops.listen",
	} {
		if got := nearestKey(list, in); got != want && in != "" {
			t.Errorf("nearest to %q: got %q, want %q", in, got, want)
		}
	}
}

func TestLoad_FaultsOfAllSourcesAtOnce(t *testing.T) {
	path := write(t, "[log]\nlevel = \"loud\"\n[web]\ninput = 1\n")
	_, faults := Load(path, true, []string{"DVMRELAY_WEB_INPUTS=all", "DVMRELAY_NO=1"}, Flag{"--listen", "relay.listen", "nowhere"})
	wantFaults(t, path, faults, []string{
		`dvmrelay.toml:2:1: log.level: "loud": must be debug, info, warn or error`,
		`dvmrelay.toml:4:1: unknown key "web.input", did you mean "web.inputs"`,
		`DVMRELAY_NO: unknown variable, did you mean DVMRELAY_DEMO`,
		`--listen: relay.listen: "nowhere": must be host:port`,
		`DVMRELAY_WEB_INPUTS: web.inputs: "all": must be "show", "truncate" or "hide"`,
	})
}

func TestWarnings(t *testing.T) {
	const (
		noURL = `relay.url: is empty while relay.listen, "0.0.0.0:1", is open to others: authentication (NIP-42) is off`
		ops   = `ops.listen: ":2" is open to others: metrics and profiles are served without authentication`
	)
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"defaults", func(*Config) {}, nil},
		{"public without a URL", func(c *Config) { c.Relay.Listen = "0.0.0.0:1" }, []string{noURL}},
		{"public with a URL", func(c *Config) { c.Relay.Listen, c.Relay.URL = "0.0.0.0:1", "wss://relay.example" }, nil},
		{"loopback", func(c *Config) { c.Relay.Listen, c.Ops.Listen = "[::1]:1", "localhost:2" }, nil},
		{"public metrics", func(c *Config) { c.Ops.Listen = ":2" }, []string{ops}},
		{"no metrics", func(c *Config) { c.Ops.Listen = "" }, nil},
		{"long name", func(c *Config) { c.Relay.Name = strings.Repeat("é", 30) }, []string{"relay.name: has 30 characters, clients expect fewer than 30 (NIP-11)"}},
		{"contact that is no URI", func(c *Config) { c.Relay.Contact = "ask alice" }, []string{`relay.contact: "ask alice" is no URI such as "mailto:admin@example.com" or "https://..." (NIP-11)`}},
		{"contact", func(c *Config) { c.Relay.Contact = "mailto:alice@example.com" }, nil},
		{"following", func(c *Config) { c.Mirror.Follow = true }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Default()
			tc.change(&c)
			if got := c.Warnings(); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
