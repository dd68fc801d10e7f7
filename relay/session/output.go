package session

import (
	"errors"
	"os"
	"time"

	"dvmrelay/nip90"

	"github.com/gobwas/ws"
)

const (
	// batchBytes is how much one write takes together, and how far an answer may run ahead of its reader.
	batchBytes = 64 << 10
	// wakeBytes is how much of an answer gathers before the writer is woken for it.
	wakeBytes = 32 << 10
	// liveOverhead is what a waiting live event costs beside its JSON, in bytes.
	liveOverhead = 64
)

// pending is a live event on its way to one subscription. Its JSON is shared with every other subscriber.
type pending struct {
	sub     *subscription
	evt     *nip90.Parsed
	version uint64 // of the commit; 0 for what is never stored
}

func (p pending) bytes() int { return len(p.evt.Raw) + liveOverhead }

// output is the sending half of a socket: replies and answers are framed into out as they come; live events wait as
// references and are framed when they are written. A writer runs only while there is something to write.
//
// s.mu guards all of it.
type output struct {
	out       []byte
	said      int // bytes of out that are replies
	live      []pending
	liveBytes int
	batch     int // bytes of the batch that is being written
	writing   bool
	ending    bool // nothing more is taken
	closing   []byte
	dead      bool // the connection is gone
}

// reply frames a message into the output; write appends the message. It never blocks: the reader waits for room
// before it takes the next message.
func (s *Session) reply(write func([]byte) []byte) {
	s.mu.Lock()
	if !s.o.ending {
		s.replyLocked(write)
		s.wake()
	}
	s.mu.Unlock()
}

func (s *Session) replyLocked(write func([]byte) []byte) {
	b, at := beginFrame(room(s.o.out, 160))
	s.o.out = endFrame(write(b), at)
	s.o.said += len(s.o.out) - at
}

// wake starts the writer if there is none. s.mu is held.
func (s *Session) wake() {
	if !s.o.writing && !s.o.dead {
		s.o.writing = true
		s.tasks.Add(1)
		go s.write()
	}
}

// write sends batches until nothing is left.
func (s *Session) write() {
	defer s.tasks.Done()
	var batch []byte
	for {
		s.mu.Lock()
		recycle(batch)
		batch = s.takeBatch()
		s.o.batch = len(batch)
		last := len(batch) == 0
		if last {
			s.o.writing = false
			if s.o.closing != nil && !s.o.dead {
				batch, s.o.closing = s.o.closing, nil
				s.o.dead = true
			}
		}
		s.room.Broadcast()
		s.mu.Unlock()
		if len(batch) > 0 && !s.send(batch) {
			return
		}
		if last {
			if len(batch) > 0 {
				s.saidGoodbye()
			}
			return
		}
	}
}

// takeBatch takes what has been framed and adds live events while there is room. s.mu is held.
func (s *Session) takeBatch() []byte {
	batch := s.o.out
	s.o.out, s.o.said = nil, 0
	if len(s.o.live) == 0 {
		return batch
	}
	taken, now := 0, s.host.Now().Unix()
	for _, p := range s.o.live {
		if len(batch) >= batchBytes {
			break
		}
		taken++
		s.o.liveBytes -= p.bytes()
		if p.sub.ended || p.evt.Expires != 0 && p.evt.Expires <= now {
			continue
		}
		s.host.Counters.Delivered.Add(1)
		batch = appendEventFrame(room(batch, len(p.sub.prefix)+len(p.evt.Raw)+16), p.sub.prefix, p.evt.Raw)
	}
	if taken == len(s.o.live) {
		s.o.live = nil
	} else {
		rest := s.o.live[taken:]
		clear(s.o.live[:taken])
		s.o.live = rest
	}
	return batch
}

// send writes one batch. The peer has the write deadline for it; while it takes something it gets another, but not once
// the session is ending.
func (s *Session) send(batch []byte) bool {
	for len(batch) > 0 {
		err := s.conn.SetWriteDeadline(s.writeBy())
		n := 0
		if err == nil {
			n, err = s.conn.Write(batch)
		}
		s.host.Counters.Writes.Add(1)
		s.host.Counters.BytesOut.Add(int64(n))
		s.sent.Add(int64(n))
		batch = batch[n:]
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && n >= leastProgress && !s.isEnding():
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.drop(DropSlowWrite)
			return false
		default:
			s.drop(DropLeft)
			return false
		}
	}
	return true
}

// goodbyeTime is how long the last writes may take where no write deadline is set.
const goodbyeTime = 10 * time.Second

// writeBy is until when the next write must be done; zero for never.
func (s *Session) writeBy() time.Time {
	d := s.host.Options.WriteDeadline
	if d <= 0 && s.isEnding() {
		d = goodbyeTime
	}
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

func (s *Session) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o.ending
}

// leastProgress is what a slow reader must take within one write deadline, in bytes, to be waited for.
const leastProgress = 4 << 10

// end says goodbye: what is framed is still sent, then a close frame. Only the first call counts.
func (s *Session) end(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(f)
}

func (s *Session) endLocked(f *fault) {
	if s.o.ending {
		return
	}
	s.countDrop(f.reason)
	s.o.ending = true
	s.o.live, s.o.liveBytes = nil, 0
	body := ws.NewCloseFrameBody(f.code, f.text)
	if f.code == 0 {
		body = nil
	}
	s.o.closing = appendControl(nil, ws.OpClose, body)
	if s.host.Options.WriteDeadline <= 0 {
		// A write that is under way has no deadline yet. A connection that takes none is closed already.
		_ = s.conn.SetWriteDeadline(time.Now().Add(goodbyeTime))
	}
	s.room.Broadcast()
	s.wake()
}

// drop closes the connection at once.
func (s *Session) drop(why Drop) {
	s.mu.Lock()
	s.countDrop(why)
	s.o.ending, s.o.dead, s.o.writing = true, true, false
	recycle(s.o.out)
	s.o.out, s.o.live, s.o.liveBytes = nil, nil, 0
	s.room.Broadcast()
	s.mu.Unlock()
	_ = s.conn.Close() // the peer is gone or unwilling: nothing can be done about a failure
}

func (s *Session) countDrop(why Drop) {
	if s.counted {
		return
	}
	s.counted = true
	s.host.Counters.dropped[why].Add(1)
	if note := s.host.TooSlow; note != nil && (why == DropSlowWrite || why == DropOverflow) {
		note(s.viewLocked(), why)
	}
}

// waitRoom waits until the peer has taken the replies it was given, so that one who sends and never reads has to wait.
// Answers wait for room by themselves. It says false when the session is over.
func (s *Session) waitRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.o.said >= batchBytes && !s.o.ending {
		s.room.Wait()
	}
	return !s.o.ending
}
