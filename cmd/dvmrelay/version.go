package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"dvmrelay/wire"
)

// release is the version of the source tree; docs/CHANGELOG follows it.
const release = "0.1.0"

// build is what `version` prints.
type build struct {
	Version    string `json:"version"`
	Revision   string `json:"revision,omitempty"`
	Go         string `json:"go"`
	Signatures string `json:"signatures"` // the library that verifies them
}

func thisBuild() build {
	b := build{Version: release, Go: runtime.Version(), Signatures: wire.SignatureLibrary}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

// versionCmd is `version`.
type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version.
func (c *versionCmd) Run(k *call) error {
	b := thisBuild()
	if c.JSON {
		return json.NewEncoder(k.std.out).Encode(b)
	}
	fmt.Fprintf(k.std.out, "dvmrelay %s (%s, signatures by %s)\n", b.Version, b.Go, b.Signatures)
	return nil
}
