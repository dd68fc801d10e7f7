package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"dvmrelay/control"
	"dvmrelay/store"
)

// reindexCmd is `reindex`.
type reindexCmd struct {
	JSON bool `name:"json" help:"Print progress and report as JSON lines."`
}

// Run builds the index again. Beside a running relay an interrupted command leaves the relay to finish it.
func (c *reindexCmd) Run(k *call) error {
	show := progressOf(k, c.JSON, func(r control.ReindexReport) string {
		return fmt.Sprintf("%s %s", r.Phase, share(r.Done, r.Total))
	})
	beside := false
	err := k.withVerbs(rebuilt, func(ctx context.Context, v control.Verbs) error {
		_, beside = v.(*control.Client)
		rep, err := v.Reindex(ctx, show.progress)
		show.close()
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(k.std.out).Encode(rep)
		}
		return printReindex(k.std.out, rep)
	})
	switch {
	case err == nil || k.ctx.Err() == nil:
	case beside:
		fmt.Fprintln(k.std.err, "dvmrelay: the running relay goes on with it")
	default:
		fmt.Fprintln(k.std.err, "dvmrelay: the next serve, import or reindex finishes it")
	}
	return err
}

// verifyCmd is `verify`.
type verifyCmd struct {
	StoreOnly bool `help:"Leave out the index, whose check holds all facts in memory (about 4 KiB each)."`
	JSON      bool `name:"json" help:"Print the report as JSON."`
}

// errFaulty says that faults were found and told.
var errFaulty = &coded{exitIntegrity, errTold}

// Run looks at everything and exits 4 when something is wrong.
func (c *verifyCmd) Run(k *call) error {
	show := progressOf(k, false, func(r control.VerifyReport) string {
		return fmt.Sprintf("%s, %d rows read", r.Phase, r.Read)
	})
	show.quiet = !show.terminal
	err := k.withVerbs(reads, func(ctx context.Context, v control.Verbs) error {
		rep, err := v.Verify(ctx, c.StoreOnly, show.progress)
		show.close()
		if errors.Is(err, control.ErrTooBig) {
			err = fmt.Errorf("%w: use --store-only", err)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			err = json.NewEncoder(k.std.out).Encode(rep)
		} else {
			err = printVerify(k.std.out, rep)
		}
		if err == nil && len(rep.Faults) > 0 {
			return errFaulty
		}
		return err
	})
	return damaged(err)
}

// openError is a data directory that could not be opened.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// damaged gives a data directory that cannot be opened for what is in it the status of one that is not whole. What the
// system refuses, and what has a status of its own, is nothing of that kind.
func damaged(err error) error {
	var open *openError
	var c *coded
	var system syscall.Errno
	if !errors.As(err, &open) || errors.As(err, &c) || errors.As(err, &system) || errors.Is(err, store.ErrSchema) {
		return err
	}
	return &coded{exitIntegrity, err}
}
