package live

// Empty says whether nothing is registered anywhere.
func (x *Index) Empty() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.exact)+len(x.texts)+len(x.kinds)+len(x.pages)+len(x.rest.refs)+x.longs == 0
}
