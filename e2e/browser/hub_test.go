package browser

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hub is a running dvmrelay with a data directory of its own that mirrors nothing.
type hub struct {
	t    *testing.T
	addr string // of the relay and its pages
	ops  string // of metrics and profiles
	log  *logBuffer
	args []string
	env  []string
	kill func()
}

// newHub starts a relay that ends with the test; env adds to its environment, with ADDRESS for its own, args to its
// command line.
func newHub(t *testing.T, env []string, args ...string) *hub {
	t.Helper()
	h := &hub{t: t, addr: freeAddr(t), ops: freeAddr(t), log: &logBuffer{}}
	h.args = append([]string{"serve", "--data-dir", filepath.Join(t.TempDir(), "data"), "--listen", h.addr}, args...)
	own := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "DVMRELAY_") }) // those are of the tests
	h.env = append(own, "DVMRELAY_OPS_LISTEN="+h.ops, "DVMRELAY_MIRROR_UPSTREAMS=")
	for _, e := range env {
		h.env = append(h.env, strings.ReplaceAll(e, "ADDRESS", h.addr))
	}
	h.start()
	t.Cleanup(func() {
		h.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", h.addr, h.log)
		}
	})
	return h
}

// start runs the relay and waits until it is ready.
func (h *hub) start() {
	h.t.Helper()
	cmd := exec.Command(relayBinary, h.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, h.log, h.log
	var err error
	if h.kill, err = spawn(cmd); err != nil {
		h.t.Fatalf("start dvmrelay: %v", err)
	}
	until(h.t, "readiness of "+h.addr, func() error {
		resp, err := http.Get(h.url("/readyz"))
		if err != nil {
			return fmt.Errorf("%w\n%s", err, h.log)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", resp.Status)
		}
		return nil
	})
}

func (h *hub) ws() string             { return "ws://" + h.addr }
func (h *hub) url(path string) string { return "http://" + h.addr + path }

// until calls f until it returns nil.
func until(t *testing.T, what string, f func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: still not after %s: %v", what, patience, err)
		}
		<-tick.C
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
