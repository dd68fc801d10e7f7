// Package control is the door for the commands of whoever runs the relay: a socket in the data directory that only its
// owner can open. The same verbs work beside a running relay, through Client, and alone, through Local.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"github.com/nbd-wtf/go-nostr"
)

// Verbs are what a command can ask for. Views come as JSON in the shapes of the HTTP API, so that what a command prints
// is what a browser reads. Implementations are safe for concurrent use.
type Verbs interface {
	// Thread is the job that an id belongs to: hex, note or nevent. ErrNotFound, ErrUsage.
	Thread(ctx context.Context, id string) (json.RawMessage, error)
	// Handlers lists NIP-89 handlers; query holds the parameters of /api/v1/handlers. ErrUsage.
	Handlers(ctx context.Context, query url.Values) (json.RawMessage, error)
	// Stats counts; query holds the parameters of /api/v1/stats. ErrUsage.
	Stats(ctx context.Context, query url.Values) (json.RawMessage, error)
	// Import reads events as JSON lines, plain or gzip. progress may be nil; it hears of the import now and then, and is
	// never called concurrently. Import ends with ctx even while a read of in is under way; that read then ends in its
	// own time, and what it brings is lost.
	Import(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error)
	// Export writes the events that match, as JSON lines, oldest first. Limit takes the newest. ErrUsage.
	Export(ctx context.Context, f nostr.Filter, out io.Writer) error
}

// Errors that a caller tells apart.
var (
	ErrNotRunning = errors.New("no relay is running on this data directory")
	ErrNotFound   = errors.New("not found")
	ErrUsage      = errors.New("bad argument")
)

// ImportReport says what became of the lines of an import.
type ImportReport struct {
	Read      uint64            `json:"read"` // lines that are not empty
	Stored    uint64            `json:"stored"`
	Duplicate uint64            `json:"duplicate"`
	Stale     uint64            `json:"stale"`     // a newer version is here
	Deleted   uint64            `json:"deleted"`   // by its author, before it came
	FactOnly  uint64            `json:"fact_only"` // expired: counted, never served
	Rejected  map[string]uint64 `json:"rejected"`  // by reason
}

// RejectedTotal is the sum over all reasons.
func (r ImportReport) RejectedTotal() uint64 {
	var n uint64
	for _, c := range r.Rejected {
		n += c
	}
	return n
}
