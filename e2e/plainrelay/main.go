// Command plainrelay is the relay that a khatru user writes on the first day: khatru over eventstore's badger, with no
// rules of its own. The end-to-end tests mirror it.
package main

import (
	"flag"
	"log/slog"
	"net/http"
	"os"

	"github.com/fiatjaf/eventstore/badger"
	"github.com/fiatjaf/khatru"
)

func main() {
	dir := flag.String("data", "plainrelay-data", "directory of the events")
	listen := flag.String("listen", "127.0.0.1:3336", "address")
	most := flag.Int("max-limit", 0, "events given for one filter, by NIP-77 too; 0 = 1,000, and as many as there are by NIP-77")
	negentropy := flag.Bool("negentropy", false, "serve NIP-77")
	flag.Parse()
	if err := run(*dir, *listen, *most, *negentropy); err != nil {
		slog.Error("plainrelay ends", "err", err)
		os.Exit(1)
	}
}

func run(dir, listen string, most int, negentropy bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db := &badger.BadgerBackend{Path: dir, MaxLimit: most}
	if err := db.Init(); err != nil {
		return err
	}
	relay := khatru.NewRelay()
	relay.StoreEvent = append(relay.StoreEvent, db.SaveEvent)
	relay.QueryEvents = append(relay.QueryEvents, db.QueryEvents)
	relay.CountEvents = append(relay.CountEvents, db.CountEvents)
	relay.DeleteEvent = append(relay.DeleteEvent, db.DeleteEvent)
	relay.ReplaceEvent = append(relay.ReplaceEvent, db.ReplaceEvent)
	if negentropy {
		relay.Negentropy = true
		relay.Info.SupportedNIPs = append(relay.Info.SupportedNIPs, 77)
	}
	return http.ListenAndServe(listen, relay)
}
