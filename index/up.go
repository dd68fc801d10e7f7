package index

import (
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	answeredSeconds = 15 * 60 // so recent an answer shows that a provider is up
	steadySeconds   = 86400   // so recent an answer does for one that announces itself and never beats
)

// Up says whether a provider seems to be running.
type Up struct {
	PubKey          string `json:"pubkey"`
	Npub            string `json:"npub"`
	Up              bool   `json:"up"`
	Code            string `json:"code"` // heartbeat, answered, announced-and-answered, heartbeat-old, silent, unknown
	Why             string `json:"why"`
	At              int64  `json:"at"`                // unix seconds
	LastHeartbeatAt int64  `json:"last_heartbeat_at"` // 0 = never
	LastAnswerAt    int64  `json:"last_answer_at"`    // 0 = never
	AnnouncedAt     int64  `json:"announced_at"`      // of the newest announcement held, 0 = none
}

// Up looks for signs of life of a key: a heartbeat of at most 900 s, an answer within 15 min, or from a key that has never
// sent a heartbeat an announcement that is held and an answer within 24 h.
func (x *Index) Up(r store.Reader, pk nip90.PubKey) (Up, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	u := Up{PubKey: pk.String(), Npub: nip90.Npub(pk), At: l.now}
	var err error
	if u.LastHeartbeatAt, err = l.lastBeat(pk); err != nil {
		return u, err
	}
	recent, err := l.answering(pk)
	if err != nil {
		return u, err
	}
	u.LastAnswerAt = recent.last
	rows, err := l.handlerRows(keyOf(keyHandler, pk[:]), maxHandlersOfOne)
	if err != nil {
		return u, err
	}
	for i := range rows {
		u.AnnouncedAt = max(u.AnnouncedAt, rows[i].created)
	}
	u.judge()
	return u, nil
}

func (u *Up) judge() {
	beat, answer := max(u.At-u.LastHeartbeatAt, 0), max(u.At-u.LastAnswerAt, 0)
	switch {
	case u.LastHeartbeatAt != 0 && beat <= aliveSeconds:
		u.say(true, "heartbeat", "Its last heartbeat is %d s old.", beat)
	case u.LastAnswerAt != 0 && answer <= answeredSeconds:
		u.say(true, "answered", "It answered a job %d s ago.", answer)
	case u.LastHeartbeatAt == 0 && u.AnnouncedAt != 0 && u.LastAnswerAt != 0 && answer <= steadySeconds:
		u.say(true, "announced-and-answered", "It is announced, sends no heartbeats, and answered a job %d s ago.", answer)
	case u.LastHeartbeatAt != 0:
		u.say(false, "heartbeat-old", "Its last heartbeat is %d s old, and it answered nothing within 15 minutes.", beat)
	case u.LastAnswerAt != 0:
		u.say(false, "silent", "It never sent a heartbeat, and its last answer is %d s old.", answer)
	case u.AnnouncedAt != 0:
		u.say(false, "silent", "It is announced, but neither a heartbeat nor an answer was ever heard.")
	default:
		u.say(false, "unknown", "Nothing was ever heard of this key.")
	}
}

func (u *Up) say(up bool, code, why string, args ...any) {
	u.Up, u.Code, u.Why = up, code, fmt.Sprintf(why, args...)
}
