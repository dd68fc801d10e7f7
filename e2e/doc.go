// Package e2e has the tests that need more than Go: node for real Nostr clients, strace for the order of system calls.
// They build the dvmrelay binary of this tree and run it.
//
// Once: npm ci --ignore-scripts --prefix clients. Then: go test ./...
package e2e
