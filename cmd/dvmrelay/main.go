// Command dvmrelay is the hub relay for Nostr Data Vending Machines. This package builds the parts, joins them, runs
// them and closes them; it decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses. Scripts depend on them.
const (
	exitOK          = 0
	exitRuntime     = 1
	exitUsage       = 2
	exitConfig      = 3
	exitIntegrity   = 4
	exitLocked      = 5
	exitInterrupted = 130
)

// streams are the process's ends, so that tests can hold them.
type streams struct {
	in       io.Reader
	out, err io.Writer
	env      []string
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Environ()}))
}

// run is main without the exit.
func run(args []string, std streams) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("dvmrelay"),
		kong.Description("The hub relay for Nostr Data Vending Machines (NIP-90)."),
		kong.Writers(std.out, std.err),
		kong.UsageOnError(),
		kong.Exit(func(code int) { panic(exitPanic(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(std.err, "dvmrelay:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"serve"}
	}
	return parseAndRun(parser, &c, args, std)
}

// exitPanic carries kong's --help out of its parser, which would otherwise end the process.
type exitPanic int

func parseAndRun(parser *kong.Kong, c *cli, args []string, std streams) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exitPanic:
			code = int(r)
		default:
			panic(r)
		}
	}()
	kctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(std.err, "dvmrelay:", err)
		fmt.Fprintln(std.err, "try: dvmrelay --help")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends what does not end by itself
	err = kctx.Run(&call{ctx: ctx, std: std, common: c.common})
	return report(ctx, err, std.err)
}

// faults is an error that was told in full already.
var errTold = errors.New("told")

// coded is an error with an exit status of its own.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

// report tells err to the person and gives the exit status that stands for it.
func report(ctx context.Context, err error, w io.Writer) int {
	if err == nil {
		return exitOK
	}
	code := exitRuntime
	var c *coded
	switch {
	case errors.As(err, &c):
		code = c.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		code = exitInterrupted
	}
	if !errors.Is(err, errTold) {
		fmt.Fprintln(w, "dvmrelay:", err)
	}
	return code
}
