package store

// Vanished says whether an event is one that its author asked to forget, and must not be shown though its body may still
// be here: erasing goes in steps. The request itself may be shown. NIP-62.
func Vanished(r Reader, f *Fact) (bool, error) {
	row, err := r.Value(vanishKey(f.Author))
	if err != nil || len(row) != timeLen+idLen {
		return false, err
	}
	return f.CreatedAt <= getTime(row) && string(row[timeLen:]) != string(f.ID[:]), nil
}
