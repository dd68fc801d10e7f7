package relay_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// book is a log that a test reads.
type book struct {
	mu   sync.Mutex // guards below
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestLogs_HoldNothingOfWhatEventsSay: whatever becomes of an event or a filter, its words stay out of the log, at any level.
func TestLogs_HoldNothingOfWhatEventsSay(t *testing.T) {
	const words = "the fox whom nobody is to know of"
	var log book
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := open(t, withURL, func(o *rigOptions) {
		o.log = logger
		o.store = func(so *store.Options) { so.Log = logger }
	})
	c := r.dial()
	challenge := c.challenge()
	input := nostr.Tag{"i", words, "text"}
	good := event("customer", 5300, words, input)
	forged := event("customer", 5300, words, input, nostr.Tag{"t", "forged"})
	forged.Sig = strings.Repeat("0", 128)
	changed := event("customer", 5300, "harmless")
	changed.Content = words
	stale := event("customer", 5300, words, input, nostr.Tag{"expiration", fmt.Sprint(time.Now().Unix() - 60)})
	strange := event("customer", 30023, words)
	mangled := strings.Replace(publish(event("customer", 5300, words)), `"kind":5300`, `"kind":"5300"`, 1)
	wrong := authEvent("customer", "not "+challenge, home, time.Now())
	wrong.Content = words
	c.publish(good)
	for _, m := range []string{
		publish(good), publish(forged), publish(changed), publish(stale), publish(strange), mangled, auth(wrong),
		`["REQ","` + words + `",{"search":"` + words + `"}]`, `["REQ","a",{"search":"state:` + words + `"}]`, `["REQ","b",{"#i":"` + words + `"}]`,
		`["COUNT","c",{"search":"` + words + `","kinds":[5300]}]`, `["` + words + `"]`, words, `["NEG-OPEN","` + words + `",{},"61"]`,
		`["NEG-MSG","` + words + `","61"]`, `["NEG-MSG","last","61"]`,
	} {
		c.send(m)
	}
	// An answer to the last of them says that all were dealt with.
	for c.recv().text(1) != "last" {
	}
	logger.Debug("the log is read")
	if text := log.String(); strings.Contains(text, "fox") || !strings.Contains(text, "the log is read") {
		t.Errorf("the log says\n%s", text)
	}
}
