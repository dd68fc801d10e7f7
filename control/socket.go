package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const socketName = "control.sock"

// maxSocketPath is the longest path that every system can bind, in bytes, with room to spare.
const maxSocketPath = 100

// Path is where the socket of a data directory lies: inside it, or, when that path would be too long to bind, under
// XDG_RUNTIME_DIR or else in a private directory under the system's temporary one.
func Path(dataDir string) (string, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("locate control socket: %w", err)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	path := filepath.Join(dir, socketName)
	if len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	name := "dvmrelay-" + hex.EncodeToString(sum[:8]) + ".sock"
	if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		return filepath.Join(run, name), nil
	}
	return filepath.Join(os.TempDir(), "dvmrelay-"+strconv.Itoa(os.Getuid()), name), nil
}

// Listen opens the socket of a data directory with mode 0600. Whoever calls it holds the lock of that directory, so a
// socket file that is there already was left behind by a process that ended, and is replaced. Closing the listener
// removes the file.
func Listen(dataDir string) (net.Listener, error) {
	path, err := Path(dataDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create directory of control socket: %w", err)
	}
	if err := trusted(path); err != nil {
		return nil, err
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect control socket: %w", err), l.Close())
	}
	return l, nil
}

// removeSocket removes a socket that nobody serves. Anything else in its place is left alone.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("inspect control socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("control socket %s: something else is in its place", path)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		return errors.Join(fmt.Errorf("control socket %s: another process answers on it", path), conn.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale control socket: %w", err)
	}
	return nil
}

// trusted refuses a socket outside of the data directory whose own directory belongs to somebody else.
func trusted(path string) error {
	if filepath.Base(path) == socketName {
		return nil // whoever may write to the data directory has the relay anyway
	}
	return private(filepath.Dir(path))
}

// absent says whether an error of dialling means that nobody serves the socket.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTDIR)
}
