package index

// Gaps are the stretches of a window in which sources were not heard, oldest first, at most limit, 0 = all. The window is in unix
// seconds. What listens knows them without any reading from disk; without it there are none.
func (x *Index) Gaps(since, until int64, limit int) []Gap {
	if x.o.Listening == nil || since > until {
		return nil
	}
	return x.o.Listening.Gaps(since, until, limit)
}
