//go:build !unix

package store

import "errors"

// diskSpace is unknown here: the floor is not enforced.
func diskSpace(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }

// dirLock leaves the locking to Badger's own.
type dirLock struct{}

func lockDir(string) (*dirLock, error) { return &dirLock{}, nil }

func (*dirLock) release() error { return nil }
