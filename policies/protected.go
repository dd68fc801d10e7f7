package policies

import (
	"context"

	"dvmrelay/nip90"
)

// checkProtected lets an event that carries ["-"] in only from its author: on a socket authenticated as that key, or
// from a file, which the operator vouches for. NIP-70.
func checkProtected(ctx context.Context, p *nip90.Parsed) error {
	if p.Door == nip90.DoorImport || !nip90.Protected(p.Event) {
		return nil
	}
	peer := PeerFrom(ctx)
	if peer.Is(p.Author) {
		return nil
	}
	if peer == nil || !peer.Challenged || len(peer.Authed) > 0 {
		return Refuse(Restricted, "this event is protected, only its author may publish it")
	}
	return Refuse(AuthRequired, "this event is protected, authenticate as its author to publish it")
}
