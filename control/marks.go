package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// ImportSource is what an import reads.
type ImportSource struct {
	// In is JSON lines or a JSON array, plain or gzip; from From on, plain.
	In io.Reader
	// File is what Fingerprint gives for a file, so that it can be taken up where it was left; empty = nothing is remembered.
	File string
	// From is where it is taken up: ImportMark.Offset, or 0 for the beginning.
	From int64
}

// ImportMark is how far a file was imported.
type ImportMark struct {
	File   string       `json:"file"`
	Offset int64        `json:"offset"` // bytes of the plain text before which all is on disk
	Form   string       `json:"form,omitempty"`
	Done   bool         `json:"done,omitempty"` // to its end
	At     int64        `json:"at"`             // unix seconds
	Report ImportReport `json:"report"`

	held []heldLine // to be asked after again at the end
}

const (
	marksKey   = "control/imports"
	heldKey    = "control/held/" // and the file
	maxMarks   = 32              // files that are remembered, the newest
	printBytes = 64 << 10
)

// Fingerprint tells files apart by their length, their beginning and their end.
func Fingerprint(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("look at import: %w", err)
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(info.Size())))
	for _, at := range []int64{0, max(0, info.Size()-printBytes)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, at, printBytes)); err != nil {
			return "", fmt.Errorf("read import: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Imported implements Verbs.
func (l *Local) Imported(_ context.Context, file string) (ImportMark, bool, error) {
	marks, err := l.marks()
	if err != nil {
		return ImportMark{}, false, err
	}
	i := slices.IndexFunc(marks, func(m ImportMark) bool { return m.File == file })
	if i < 0 {
		return ImportMark{}, false, nil
	}
	return marks[i], true, nil
}

func (l *Local) marks() (marks []ImportMark, err error) {
	if l.Store == nil {
		return nil, nil
	}
	raw, err := l.Store.Meta(marksKey)
	if err != nil || raw == nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &marks); err != nil {
		return nil, fmt.Errorf("read how far files were imported: %w", err)
	}
	return marks, nil
}

// resumed is the mark at which an import of src goes on. ErrUsage when there is none.
func (l *Local) resumed(ctx context.Context, src *ImportSource) (ImportMark, error) {
	m, ok, err := l.Imported(ctx, src.File)
	if err != nil {
		return m, err
	}
	if !ok || m.Done || m.Offset != src.From {
		return m, fmt.Errorf("%w: the import that is to be taken up has gone on meanwhile", ErrUsage)
	}
	raw, err := l.Store.Meta(heldKey + src.File)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &m.held)
	}
	if err != nil {
		return m, fmt.Errorf("read how far a file was imported: %w", err)
	}
	return m, nil
}

// remember writes down how far a file was imported and what of it is held; it is on disk when it returns. Whether what is
// held comes before the mark does not matter: to ask after an event once more changes nothing but a count.
func (l *Local) remember(ctx context.Context, m ImportMark, held []heldLine) error {
	l.marking.Lock() // held over a write, which is what it keeps in order
	defer l.marking.Unlock()
	marks, err := l.marks()
	if err != nil {
		return err
	}
	if err := l.writeHeld(ctx, m.File, held); err != nil {
		return err
	}
	marks = append(slices.DeleteFunc(marks, func(o ImportMark) bool { return o.File == m.File }), m)
	for len(marks) > maxMarks {
		if err := l.writeHeld(ctx, marks[0].File, nil); err != nil {
			return err
		}
		marks = marks[1:]
	}
	raw, err := json.Marshal(marks)
	if err == nil {
		err = l.Store.SetMeta(ctx, marksKey, raw)
	}
	if err != nil {
		return fmt.Errorf("write how far a file was imported: %w", err)
	}
	return nil
}

// writeHeld writes only what differs from what stands there.
func (l *Local) writeHeld(ctx context.Context, file string, held []heldLine) error {
	before, err := l.Store.Meta(heldKey + file)
	var raw []byte
	if err == nil && len(held) > 0 {
		raw, err = json.Marshal(held)
	}
	if err == nil && !bytes.Equal(before, raw) {
		err = l.Store.SetMeta(ctx, heldKey+file, raw)
	}
	if err != nil {
		return fmt.Errorf("write what an import holds: %w", err)
	}
	return nil
}
