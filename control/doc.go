// Package control is the door for the commands of whoever runs the relay: a socket in the data directory that only its
// owner can open. The same verbs work beside a running relay, through Client, and alone, through Local.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"dvmrelay/mirror"

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
	// Import reads events as JSON lines or as a JSON array, plain or gzip. progress may be nil; it hears of the import now and then, and is
	// never called concurrently. Import ends with ctx even while a read of in is under way; that read then ends in its
	// own time, and what it brings is lost.
	Import(ctx context.Context, in io.Reader, progress func(ImportReport)) (ImportReport, error)
	// Sync reads the past of another relay, once. progress is as with Import. The report holds what was found also when there
	// is an error. ErrUsage.
	Sync(ctx context.Context, r SyncRequest, progress func(mirror.SyncReport)) (mirror.SyncReport, error)
	// ImportFrom is Import of a source that can be taken up where it was left. ErrUsage when From is no such place.
	ImportFrom(ctx context.Context, src ImportSource, progress func(ImportReport)) (ImportReport, error)
	// Imported is how far the file with this fingerprint was imported; false when that is not known here.
	Imported(ctx context.Context, file string) (ImportMark, bool, error)
	// Export writes the events that match, as JSON lines, oldest first. Limit takes the newest. ErrUsage.
	Export(ctx context.Context, f nostr.Filter, out io.Writer) error
	// Reindex makes the facts of what still has a body anew and folds all of them again. progress is as with Import. A
	// relay that runs goes on with it when the one who asked has left; what is broken off is taken up at the next start.
	Reindex(ctx context.Context, progress func(ReindexReport)) (ReindexReport, error)
	// Verify holds the store, and unless storeOnly is set the index, to their invariants, as of one moment. It changes
	// nothing. Faults are in the report; the error is for what kept it from looking. ErrTooBig.
	Verify(ctx context.Context, storeOnly bool, progress func(VerifyReport)) (VerifyReport, error)
}

// Errors that a caller tells apart.
var (
	ErrNotRunning = errors.New("no relay is running on this data directory")
	ErrNotFound   = errors.New("not found")
	ErrUsage      = errors.New("bad argument")
	ErrTooBig     = errors.New("not enough memory")
)

// ImportReport says what became of the lines of an import.
type ImportReport struct {
	Read      uint64            `json:"read"` // events, and what stood in the place of one
	Stored    uint64            `json:"stored"`
	Duplicate uint64            `json:"duplicate"`
	Stale     uint64            `json:"stale"`     // a newer version is here
	Deleted   uint64            `json:"deleted"`   // by its author, before it came
	FactOnly  uint64            `json:"fact_only"` // expired: counted, never served
	Rejected  map[string]uint64 `json:"rejected"`  // by reason
	Resumed   uint64            `json:"resumed"`   // of Read, by the import that was taken up; the other counts hold them, too
	Bytes     int64             `json:"bytes"`     // of plain text that were read, also by that import
}

// RejectedTotal is the sum over all reasons.
func (r ImportReport) RejectedTotal() uint64 {
	var n uint64
	for _, c := range r.Rejected {
		n += c
	}
	return n
}

// ReindexReport says how far a reindex has come.
type ReindexReport struct {
	Phase      string  `json:"phase"`      // one of index's phases, "done" at the end
	Done       int64   `json:"done"`       // of the phase
	Total      int64   `json:"total"`      // of the phase, as it looked at the beginning; 0 = not known
	Bodies     int64   `json:"bodies"`     // whose facts were looked at
	Changed    int64   `json:"changed"`    // facts that say something else now
	Unreadable int64   `json:"unreadable"` // bodies that the parser refuses; their facts stay as they are
	Facts      int64   `json:"facts"`      // that were folded
	Seconds    float64 `json:"seconds"`
}

// VerifyReport says what a verify looked at and what is wrong with it.
type VerifyReport struct {
	Phase        string   `json:"phase"`  // "store", "index", "done" at the end
	Events       int64    `json:"events"` // with their bodies
	Facts        int64    `json:"facts"`
	Keys         int64    `json:"keys"`    // of the indexes of events
	Threads      int64    `json:"threads"` // of the index of jobs
	Rows         int64    `json:"rows"`    // of that index
	Read         int64    `json:"read"`    // rows read so far, for those who wait
	IndexChecked bool     `json:"index_checked"`
	NeedBytes    int64    `json:"need_bytes"` // about what the check of the index takes of memory
	Seconds      float64  `json:"seconds"`
	Faults       []string `json:"faults"` // the first 20 of the store and of the index
}
