package store

import (
	"fmt"
	"log/slog"
	"strings"
)

// badgerLog hands Badger's messages to slog: what it calls info is debugging to us.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) say(level func(string, ...any), format string, args []any) {
	level("badger", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Errorf implements badger.Logger.
func (l badgerLog) Errorf(format string, args ...any) { l.say(l.log.Warn, format, args) }

// Warningf implements badger.Logger.
func (l badgerLog) Warningf(format string, args ...any) { l.say(l.log.Warn, format, args) }

// Infof implements badger.Logger.
func (l badgerLog) Infof(format string, args ...any) { l.say(l.log.Debug, format, args) }

// Debugf implements badger.Logger.
func (l badgerLog) Debugf(format string, args ...any) { l.say(l.log.Debug, format, args) }
