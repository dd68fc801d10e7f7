package store

// Vanished says whether an event is one that its author asked to forget, and must not be shown though its body may still
// be here: erasing goes in steps. The request itself may be shown. NIP-62.
func Vanished(r Reader, f *Fact) (bool, error) {
	row, err := r.Lasting(vanishKey(f.Author))
	if err != nil {
		return false, err
	}
	if row == nil {
		b, err := BlinderOf(r)
		if err != nil || b == nil {
			return false, err
		}
		if row, err = r.Lasting(vanishKey(b.Of(f.Author))); err != nil {
			return false, err
		}
	}
	if len(row) != timeLen+idLen {
		return false, nil
	}
	return f.CreatedAt <= getTime(row) && string(row[timeLen:]) != string(f.ID[:]), nil
}
