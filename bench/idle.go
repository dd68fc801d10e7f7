package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// Idle is what connections with one quiet subscription each cost.
type Idle struct {
	Asked           int     `json:"asked"`
	Opened          int     `json:"opened"`
	Seconds         float64 `json:"seconds"`
	BaseMiB         float64 `json:"rss_base_mib"`
	FullMiB         float64 `json:"rss_full_mib"`
	KiBPerConn      float64 `json:"rss_kib_per_conn"`
	CPUMillisPerSec float64 `json:"server_cpu_ms_per_s"`
	Wrong           int     `json:"wrong"`
	Reason          string  `json:"reason,omitempty"` // why fewer were opened than asked
}

const restTime = 2 * time.Second

func (r *runner) idle(ctx context.Context) (*Idle, error) {
	res := &Idle{Asked: r.o.Idle}
	before := usageOf(r.o.PID)
	start := time.Now()
	var conns []*conn
	defer func() { closeAll(conns) }()
	for i := range r.o.Idle {
		c, err := r.quiet(ctx, i)
		if err != nil {
			res.Reason = err.Error()
			res.Wrong++
			break
		}
		conns = append(conns, c)
	}
	res.Opened, res.Seconds = len(conns), time.Since(start).Seconds()
	if err := ctx.Err(); err != nil {
		return res, err
	}
	if r.o.PID == 0 {
		return res, nil
	}
	if err := waitUntil(ctx, time.Now().Add(restTime)); err != nil {
		return res, err
	}
	full := usageOf(r.o.PID)
	if err := waitUntil(ctx, time.Now().Add(restTime)); err != nil {
		return res, err
	}
	after := usageOf(r.o.PID)
	res.BaseMiB, res.FullMiB = mib(before.rssKiB), mib(full.rssKiB)
	if res.Opened > 0 {
		res.KiBPerConn = float64(full.rssKiB-before.rssKiB) / float64(res.Opened)
	}
	res.CPUMillisPerSec = (after.cpu - full.cpu) / restTime.Seconds() * 1000
	return res, nil
}

// quiet opens a connection with one subscription and reads up to its EOSE.
func (r *runner) quiet(ctx context.Context, i int) (*conn, error) {
	c, err := r.dial.dial(ctx)
	if err != nil {
		return nil, err
	}
	f := nostr.Filter{
		Kinds: []int{r.set.kinds[i%len(r.set.kinds)]}, Limit: 1,
		Tags: nostr.TagMap{"p": {r.set.providers[i%len(r.set.providers)]}},
	}
	sub := "i" + strconv.Itoa(i)
	if err := c.send(fmt.Appendf(nil, `["REQ","%s",%s]`, sub, f)); err != nil {
		c.close()
		return nil, err
	}
	for {
		b, err := c.read(r.o.Wait)
		var m message
		if err == nil {
			m, err = parseMessage(b)
		}
		if err == nil && m.label == labelClosed {
			err = fmt.Errorf("CLOSED %s", m.text)
		}
		if err != nil {
			c.close()
			return nil, err
		}
		if m.label == labelEOSE && string(m.sub) == sub {
			return c, nil
		}
	}
}
