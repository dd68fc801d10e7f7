package relay

// ForgetSignatures lets the relay forget which signatures it found good a moment ago, as it does when thousands followed.
func (r *Relay) ForgetSignatures() {
	r.verifier.mu.Lock()
	defer r.verifier.mu.Unlock()
	clear(r.verifier.good[0])
	clear(r.verifier.good[1])
}
