//go:build unix

package control

import (
	"fmt"
	"os"
	"syscall"
)

// private refuses a directory that belongs to somebody else: in a shared place a stranger could have made it first, and
// would hear every command.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("inspect directory of control socket: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return fmt.Errorf("directory of control socket %s belongs to user %d", dir, st.Uid)
	}
	return nil
}
