package main

import (
	"slices"
	"time"

	"dvmrelay/bench"
)

// benchCmd is `bench`.
type benchCmd struct {
	URL      string        `arg:"" help:"The relay, ws:// or wss://, on this machine."`
	Phases   []string      `help:"Parts to run: ingest, query, paced, burst, idle; or views alone, which reads the API and searches of a relay with any events." placeholder:"PART"`
	Rounds   int           `help:"Times that each view is asked for." default:"200"`
	Events   int           `help:"Stored events." default:"50000"`
	Fanout   int           `help:"Live events of each live part." default:"6000"`
	Seed     int64         `help:"The same seed and end make the same events." default:"1"`
	End      int64         `help:"Newest created_at, unix seconds; 0 is now."`
	Conns    int           `help:"Publishing connections." default:"8"`
	Window   int           `help:"Events in flight on one connection." default:"32"`
	Clients  int           `help:"Querying connections." default:"8"`
	Queries  int           `help:"REQs in all." default:"8000"`
	Subs     int           `help:"Live subscriptions." default:"2000"`
	SubConns int           `help:"Connections that hold them." default:"50"`
	Rate     float64       `help:"Events a second of the paced part." default:"300"`
	Idle     int           `help:"Idle connections." default:"1000"`
	MaxTime  time.Duration `help:"End of the whole run." default:"30m"`
	Pid      int           `help:"The relay's process, for CPU and memory."`
	SyncDir  string        `help:"Also time one synced write in this directory." placeholder:"DIR" type:"path"`
	Shared   bool          `help:"The relay holds other events too: ask only for what is ours."`
	Anywhere bool          `help:"Allow a relay that is not on this machine, with small bounds. Ask its owner first."`
	JSON     bool          `name:"json" help:"Print JSON."`
}

// Run measures the relay; wrong answers make it fail.
func (c *benchCmd) Run(k *call) error {
	if slices.Equal(c.Phases, []string{"views"}) {
		_, err := bench.Views(k.ctx, bench.ViewsOptions{URL: c.URL, Rounds: c.Rounds, Seed: c.Seed, JSON: c.JSON}, k.std.out)
		return err
	}
	o := bench.Defaults(c.URL)
	for _, p := range c.Phases {
		o.Phases = append(o.Phases, bench.Phase(p))
	}
	o.Events, o.Fanout, o.Seed, o.End = c.Events, c.Fanout, c.Seed, c.End
	o.Conns, o.Window, o.Clients, o.Queries = c.Conns, c.Window, c.Clients, c.Queries
	o.Subs, o.SubConns, o.Rate, o.Idle = c.Subs, c.SubConns, c.Rate, c.Idle
	o.MaxTime, o.PID, o.SyncDir = c.MaxTime, c.Pid, c.SyncDir
	o.Shared, o.Anywhere, o.JSON = c.Shared, c.Anywhere, c.JSON
	_, err := bench.Run(k.ctx, o, k.std.out)
	return err
}
