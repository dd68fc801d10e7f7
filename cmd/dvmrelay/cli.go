package main

import (
	"context"
)

// common are the flags that every verb takes.
type common struct {
	Config  string `help:"Configuration file (TOML)." placeholder:"FILE" type:"path"`
	DataDir string `help:"Data directory." placeholder:"DIR" name:"data-dir"`
}

// cli is the command line.
type cli struct {
	common

	Serve       serveCmd    `cmd:"" default:"withargs" help:"Run the relay (the default)."`
	CheckConfig checkCmd    `cmd:"" help:"Read the configuration and tell every fault."`
	Import      importCmd   `cmd:"" help:"Read events as JSONL, plain or gzip, from a file or standard input."`
	Export      exportCmd   `cmd:"" help:"Write stored events as JSONL."`
	Sync        syncCmd     `cmd:"" help:"Read the past of another relay once, by NIP-77 where it has it."`
	Thread      threadCmd   `cmd:"" help:"Show a job from any id in it."`
	Handlers    handlersCmd `cmd:"" help:"Show the NIP-89 handlers known here."`
	Stats       statsCmd    `cmd:"" help:"Show counts for a window of time."`
	Reindex     reindexCmd  `cmd:"" help:"Read all facts anew and build the index again."`
	Verify      verifyCmd   `cmd:"" help:"Hold store and index to their invariants; changes nothing."`
	Bench       benchCmd    `cmd:"" help:"Measure a relay with job traffic and check every answer."`
	Version     versionCmd  `cmd:"" help:"Print the version."`
}

// call is what a verb gets to work with.
type call struct {
	ctx context.Context
	std streams
	common
}
