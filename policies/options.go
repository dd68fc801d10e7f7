package policies

import (
	"errors"
	"fmt"
	"strings"

	"dvmrelay/nip90"
)

// Options are all the rules: three sections of the configuration.
type Options struct {
	Rules  RuleOptions
	Kinds  KindOptions
	Limits Limits
}

// RuleOptions are the toml keys of section [policies].
type RuleOptions struct {
	MinPoW int      `toml:"min_pow"` // leading zero bits an id needs on a socket; default 0. NIP-13
	Allow  []string `toml:"allow"`   // npub or hex; when not empty, only these keys may publish; default empty
	Deny   []string `toml:"deny"`    // npub or hex; these keys may not publish; default empty
}

// DefaultOptions are the rules of a relay without configuration.
func DefaultOptions() Options {
	return Options{
		Rules:  RuleOptions{Allow: []string{}, Deny: []string{}},
		Kinds:  KindOptions{Presets: []string{}, Allow: []KindRange{}, Deny: []KindRange{}},
		Limits: DefaultLimits(),
	}
}

// Validate returns every fault, joined; each begins with its toml key.
func (o Options) Validate() error {
	return errors.Join(o.Rules.Validate(), o.Kinds.Validate(), o.Limits.Validate())
}

// Validate returns every fault, joined; each begins with its toml key.
func (o RuleOptions) Validate() error {
	var faults []error
	if o.MinPoW < 0 || o.MinPoW > 256 {
		faults = append(faults, fmt.Errorf("policies.min_pow: %d: must be between 0 and 256 bits", o.MinPoW))
	}
	if _, err := parseKeys("policies.allow", o.Allow); err != nil {
		faults = append(faults, err)
	}
	if _, err := parseKeys("policies.deny", o.Deny); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// parseKeys reads public keys written as hex, npub or nprofile; the error joins every one that cannot be read.
func parseKeys(key string, list []string) (map[nip90.PubKey]bool, error) {
	var faults []error
	keys := make(map[nip90.PubKey]bool, len(list))
	for _, s := range list {
		pk, err := parseKey(s)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %q: %w", key, withoutSecret(s), err))
			continue
		}
		keys[pk] = true
	}
	return keys, errors.Join(faults...)
}

// withoutSecret hides a secret key that was written where a public one belongs: faults end up in logs.
func withoutSecret(s string) string {
	if strings.Contains(strings.ToLower(s), "nsec1") {
		return "nsec1..."
	}
	return s
}

var errNoPublicKey = errors.New("is no public key: write npub or 64 hex characters")

func parseKey(s string) (nip90.PubKey, error) {
	s = strings.TrimSpace(s)
	if pk, ok := nip90.ParsePubKey(strings.ToLower(s)); ok {
		return pk, nil
	}
	ref, err := nip90.ParseReference(s)
	if err != nil || ref.PubKey.IsZero() || !ref.ID.IsZero() || ref.Address != nil {
		return nip90.PubKey{}, errNoPublicKey
	}
	return ref.PubKey, nil
}
