// Package bench loads one relay with DVM traffic made from a seed, measures it,
// and compares every answer with what the generator knows a correct relay gives.
//
// A figure beside a wrong answer is not a result, so Run returns an error then.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// Phase names one part of a run.
type Phase string

// The phases, in the order in which Run takes them.
const (
	PhaseIngest Phase = "ingest" // publish the stored events, then read every accepted one back
	PhaseQuery  Phase = "query"  // REQs of the shapes that DVM software sends
	PhasePaced  Phase = "paced"  // live deliveries at Options.Rate events a second
	PhaseBurst  Phase = "burst"  // live deliveries as fast as the relay answers
	PhaseIdle   Phase = "idle"   // what an idle subscription costs in memory
)

// AllPhases lists every phase in running order.
func AllPhases() []Phase {
	return []Phase{PhaseIngest, PhaseQuery, PhasePaced, PhaseBurst, PhaseIdle}
}

// ErrWrong is wrapped by the error of a run in which the relay gave a wrong answer.
var ErrWrong = errors.New("wrong answers")

// ErrTarget is wrapped by the error for a relay that a run must not touch.
var ErrTarget = errors.New("target refused")

// Options says what to do to which relay. Defaults gives a full run; the zero value of a count skips its work.
type Options struct {
	URL    string  // relay, ws:// or wss://
	Phases []Phase // which parts to run; empty means all

	Seed   int64 // same Seed, End and counts: the same events, ids included
	End    int64 // unix seconds; newest created_at; 0 means now
	Events int   // stored events of the ingest phase
	Fanout int   // live events of each of the paced and burst phases

	Conns      int           // ingest connections
	Window     int           // events in flight on one connection
	Clients    int           // query connections, one REQ at a time on each
	Queries    int           // REQs in all
	QueryLimit time.Duration // stop starting REQs after this; 0 means no limit
	Subs       int           // live subscriptions
	SubConns   int           // connections that hold them
	Rate       float64       // events a second of the paced phase
	Idle       int           // idle connections

	MaxRefused float64       // share (0 to 1) of ingested events that may be refused before the run fails
	MaxTime    time.Duration // whole run; 0 means 30 minutes
	Wait       time.Duration // how long one answer may take; 0 means 20 seconds

	PID     int    // relay process, for CPU and memory from /proc; 0 leaves them out
	SyncDir string // directory whose disk is timed for one synced write; empty leaves it out

	Shared   bool // the relay holds other events as well: only REQs that name our ids and keys are sent
	Anywhere bool // allow a relay that is not on this machine; implies Shared and small bounds
	JSON     bool // write the report as JSON instead of a table
}

// Defaults gives the options of a full run against url: 50,000 stored events.
func Defaults(url string) Options {
	return Options{
		URL: url, Seed: 1, Events: 50_000, Fanout: 6_000,
		Conns: 8, Window: 32, Clients: 8, Queries: 8_000, QueryLimit: 30 * time.Second,
		Subs: 2_000, SubConns: 50, Rate: 300, Idle: 1_000,
		MaxRefused: 0.05, MaxTime: 30 * time.Minute, Wait: 20 * time.Second,
	}
}

// bounds of a run against a relay elsewhere: its owner did not ask for a load test.
const (
	farEvents  = 500
	farFanout  = 100
	farConns   = 2
	farQueries = 200
	farSubs    = 40
	farIdle    = 5
	farRate    = 20
	farTime    = 2 * time.Minute
)

// settle fills what is unset and applies the bounds of Anywhere.
func (o *Options) settle(now time.Time) {
	if len(o.Phases) == 0 {
		o.Phases = AllPhases()
	}
	if o.End == 0 {
		o.End = now.Unix()
	}
	if o.MaxTime == 0 {
		o.MaxTime = 30 * time.Minute
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	if !o.Anywhere {
		return
	}
	o.Shared = true
	o.Events = min(o.Events, farEvents)
	o.Fanout = min(o.Fanout, farFanout)
	o.Conns = min(o.Conns, farConns)
	o.Window = min(o.Window, farConns)
	o.Clients = min(o.Clients, farConns)
	o.Queries = min(o.Queries, farQueries)
	o.Subs = min(o.Subs, farSubs)
	o.SubConns = min(o.SubConns, farConns)
	o.Idle = min(o.Idle, farIdle)
	o.Rate = min(o.Rate, farRate)
	o.MaxTime = min(o.MaxTime, farTime)
	// A burst is an attack on a relay that somebody else runs.
	o.Phases = slices.DeleteFunc(slices.Clone(o.Phases), func(p Phase) bool { return p == PhaseBurst })
}

// Validate names the first option that makes no sense.
func (o *Options) Validate() error {
	for _, p := range o.Phases {
		if !slices.Contains(AllPhases(), p) {
			return fmt.Errorf("phases: unknown phase %q, want some of %v", p, AllPhases())
		}
	}
	has := func(p Phase) bool { return len(o.Phases) == 0 || slices.Contains(o.Phases, p) }
	live := has(PhasePaced) || has(PhaseBurst)
	for _, c := range []struct {
		name     string
		value    int
		at, most int
		on       bool
	}{
		{"events", o.Events, 100, 5_000_000, true},
		{"fanout", o.Fanout, 10, 1_000_000, live},
		{"conns", o.Conns, 1, 10_000, has(PhaseIngest)},
		{"window", o.Window, 1, 100_000, has(PhaseIngest)},
		{"clients", o.Clients, 1, 10_000, has(PhaseQuery)},
		{"queries", o.Queries, 1, 10_000_000, has(PhaseQuery)},
		{"subs", o.Subs, 1, 1_000_000, live},
		{"sub-conns", o.SubConns, 1, 10_000, live},
		{"idle", o.Idle, 0, 100_000, has(PhaseIdle)},
	} {
		if c.on && (c.value < c.at || c.value > c.most) {
			return fmt.Errorf("%s: %d is outside %d to %d", c.name, c.value, c.at, c.most)
		}
	}
	if has(PhasePaced) && o.Rate < 1 {
		return fmt.Errorf("rate: %g must be at least 1", o.Rate)
	}
	if o.MaxRefused < 0 || o.MaxRefused > 1 {
		return fmt.Errorf("max-refused: %g is outside 0 to 1", o.MaxRefused)
	}
	return nil
}

// Run does the phases against one relay and writes the report to out, also when answers were wrong or a phase broke.
// The error wraps ErrWrong for wrong answers and ErrTarget for a relay that must not be touched; a run cut by ctx returns its error.
// It is not safe to run two at once against one relay.
func Run(ctx context.Context, o Options, out io.Writer) (Report, error) {
	o.settle(time.Now())
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.MaxTime)
	defer cancel()
	d, err := newDialer(ctx, o.URL, o.Anywhere)
	if err != nil {
		return Report{}, err
	}
	set, err := generate(&o)
	if err != nil {
		return Report{}, fmt.Errorf("generate events: %w", err)
	}
	r := &runner{o: &o, dial: d, set: set, rep: newReport(&o)}
	err = r.phases(ctx)
	if cut := ctx.Err(); err != nil && cut != nil { // what broke then is a consequence
		err = fmt.Errorf("%w: %w", cut, err)
	}
	if err != nil && !r.rep.started() {
		return r.rep, err
	}
	if werr := r.rep.write(out, o.JSON); werr != nil {
		return r.rep, errors.Join(err, fmt.Errorf("write report: %w", werr))
	}
	if err != nil {
		return r.rep, err
	}
	return r.rep, r.rep.verdict(&o)
}

// runner is one run; only phases that follow each other touch it.
type runner struct {
	o    *Options
	dial *dialer
	set  *dataset
	rep  Report
}

func (r *runner) phases(ctx context.Context) error {
	if r.o.SyncDir != "" {
		ms, err := timeSync(r.o.SyncDir)
		if err != nil {
			return err
		}
		r.rep.SyncP50 = ms
	}
	if err := r.foreign(ctx); err != nil {
		return err
	}
	for _, p := range AllPhases() {
		if !slices.Contains(r.o.Phases, p) {
			continue
		}
		var err error
		switch p {
		case PhaseIngest:
			r.rep.Ingest, err = r.ingest(ctx)
		case PhaseQuery:
			r.rep.Query, err = r.query(ctx)
		case PhasePaced:
			r.rep.Paced, err = r.fanout(ctx, r.set.paced, r.o.Rate)
		case PhaseBurst:
			r.rep.Burst, err = r.fanout(ctx, r.set.burst, 0)
		case PhaseIdle:
			r.rep.Idle, err = r.idle(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// foreign fails when the relay holds events that this run did not make: answers could not be checked then.
func (r *runner) foreign(ctx context.Context) error {
	if r.o.Shared {
		return nil
	}
	c, err := r.dial.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	got, err := c.ask("empty", []byte(`{"limit":1}`), r.o.Wait, nil)
	if err != nil {
		return fmt.Errorf("ask whether the relay is empty: %w", err)
	}
	for _, id := range got {
		if _, ours := r.set.byID[id]; !ours {
			return fmt.Errorf("relay at %s holds event %x that this run did not make: start it on an empty data directory or say that it is shared", r.o.URL, id)
		}
	}
	return nil
}

// loopback reports whether every address of host is on this machine.
func loopback(ctx context.Context, host string) (bool, error) {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback(), nil
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", host, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return false, nil
		}
	}
	return len(ips) > 0, nil
}
