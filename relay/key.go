package relay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Key is the relay's own identity.
type Key struct {
	secret string // 64 lowercase hex
	Public nip90.PubKey
}

// Sign signs an event as the relay.
func (k Key) Sign(evt *nostr.Event) error { return evt.Sign(k.secret) }

// String hides the secret.
func (k Key) String() string { return k.Public.String() }

// LoadKey reads the secret key in the file at path, 64 hexadecimal characters. If there is no such file it makes one with
// a new key, readable by its owner only.
func LoadKey(path string) (Key, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return Key{}, fmt.Errorf("read key file: %w", err)
	}
	return parseKey(path, strings.ToLower(strings.TrimSpace(string(text))))
}

func parseKey(path, secret string) (Key, error) {
	// The form of a public key is the form of a secret one too.
	if _, ok := nip90.ParsePubKey(secret); !ok {
		return Key{}, fmt.Errorf("read key file %s: holds no secret key of 64 hex characters", path)
	}
	text, err := nostr.GetPublicKey(secret)
	if err != nil {
		return Key{}, fmt.Errorf("read key file %s: holds no secret key that can be used", path)
	}
	public, ok := nip90.ParsePubKey(text)
	if !ok || public.IsZero() {
		return Key{}, fmt.Errorf("read key file %s: holds no secret key that can be used", path)
	}
	return Key{secret: secret, Public: public}, nil
}

// makeKey writes a new key to a file beside path first, so that no half-written key is ever found there.
func makeKey(path string) (Key, error) {
	key, err := parseKey(path, nostr.GeneratePrivateKey())
	if err != nil {
		return Key{}, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // made with mode 0600
	if err != nil {
		return Key{}, fmt.Errorf("make key file: %w", err)
	}
	_, err = f.WriteString(key.secret + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // fails if somebody else made one meanwhile
	}
	err = errors.Join(err, os.Remove(f.Name()))
	if err != nil {
		return Key{}, fmt.Errorf("make key file %s: %w", path, err)
	}
	return key, nil
}

// isLeaked says whether the secret of a key is a small number, or stands as an example in the protocol's own texts.
func isLeaked(public nip90.PubKey) bool {
	secrets := []string{
		"67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa", // NIP-19 "Examples"
		"7f7ff03d123792d6ac594bfa67bf6d0c0ab55b6b1fdb6249303fe861f1ccba9a", // NIP-06 "Test vectors"
		"c15d739894c81a2fcfd3a2df85a0d2c0dbc47a280d092799f144d73d7ae78add", // NIP-06 "Test vectors"
	}
	for n := 1; n <= 32; n++ {
		secrets = append(secrets, fmt.Sprintf("%064x", n))
	}
	for _, secret := range secrets {
		if key, err := nostr.GetPublicKey(secret); err == nil && key == public.String() {
			return true
		}
	}
	return false
}
