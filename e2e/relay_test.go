package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything here may take; a busy machine is slow, a broken relay is for ever.
const patience = 30 * time.Second

// relayBinary is the path of the dvmrelay that TestMain built, plainBinary that of ./plainrelay; nothing else writes them.
var relayBinary, plainBinary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if _, err := exec.LookPath("node"); err != nil {
		fmt.Fprintln(os.Stderr, "node is missing: these tests run real clients")
		return 1
	}
	if _, err := os.Stat("clients/node_modules/nostr-tools"); err != nil {
		fmt.Fprintln(os.Stderr, "the clients are missing; run: npm ci --ignore-scripts --prefix clients")
		return 1
	}
	dir, err := os.MkdirTemp("", "dvmrelay-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	relayBinary = filepath.Join(dir, "dvmrelay")
	plainBinary = filepath.Join(dir, "plainrelay")
	for _, b := range []struct{ where, binary, from string }{{"..", relayBinary, "./cmd/dvmrelay"}, {".", plainBinary, "./plainrelay"}} {
		build := exec.Command("go", "build", "-o", b.binary, b.from)
		build.Dir = b.where
		build.Stderr, build.Stdout = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", b.from, err)
			return 1
		}
	}
	return m.Run()
}

// hub is one data directory and address, run as often as a test likes.
type hub struct {
	t    *testing.T
	addr string
	data string
	env  []string
	wrap []string // a command that runs the binary, such as strace

	cmd  *exec.Cmd
	done chan error
	log  *logBuffer
}

// newHub takes a free port and an empty directory; env adds to the environment of every start.
func newHub(t *testing.T, env ...string) *hub {
	t.Helper()
	h := &hub{t: t, addr: freeAddr(t), data: filepath.Join(t.TempDir(), "data"), env: env, log: &logBuffer{}}
	t.Cleanup(func() {
		h.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", h.addr, h.log)
		}
	})
	return h
}

func (h *hub) ws() string              { return "ws://" + h.addr }
func (h *hub) http(path string) string { return "http://" + h.addr + path }

func (h *hub) environ() []string {
	base := []string{"DVMRELAY_OPS_LISTEN=", "DVMRELAY_MIRROR_UPSTREAMS="}
	return append(append(os.Environ(), base...), h.env...)
}

// start runs the binary and waits until it is ready.
func (h *hub) start() {
	h.t.Helper()
	args := append(append([]string{}, h.wrap...), relayBinary, "serve", "--data-dir", h.data, "--listen", h.addr)
	h.cmd = exec.Command(args[0], args[1:]...)
	h.cmd.Env = h.environ()
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatalf("start: %v", err)
	}
	h.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(h.cmd, h.done)
	poll(h.t, "readiness of "+h.addr, func() error {
		select {
		case err := <-h.done:
			h.done <- err
			h.t.Fatalf("relay ended before it was ready: %v\n%s", err, h.log)
		default:
		}
		resp, err := http.Get(h.http("/readyz"))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", resp.Status)
		}
		return nil
	})
}

// kill ends the process as a power cut would, and waits for its end. A wrapper does not take the relay with it.
func (h *hub) kill() {
	if h.cmd == nil {
		return
	}
	own := h.cmd.Process.Pid
	for _, pid := range append(children(own), own) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			h.t.Errorf("kill %d: %v", pid, err)
		}
	}
	if err := <-h.done; err == nil {
		h.t.Error("a killed relay ended with exit code 0")
	}
	h.cmd = nil
}

// children are the processes that pid has started and that still run.
func children(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil // pid has ended
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// stop ends the relay, or the one inside the wrapper, with SIGTERM and wants exit code 0.
func (h *hub) stop() {
	h.t.Helper()
	pid := h.cmd.Process.Pid
	if len(h.wrap) > 0 {
		kids := children(pid)
		if len(kids) != 1 {
			h.t.Fatalf("wrapper has the children %v, want the relay", kids)
		}
		pid = kids[0]
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		h.t.Fatalf("signal: %v", err)
	}
	select {
	case err := <-h.done:
		h.cmd = nil
		if err != nil {
			h.t.Errorf("end after SIGTERM: %v, want exit code 0", err)
		}
	case <-time.After(patience):
		h.t.Fatal("relay did not end after SIGTERM")
	}
}

// verb runs another command of the binary on the hub's data directory.
func (h *hub) verb(args ...string) []byte {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, relayBinary, append(args, "--data-dir", h.data)...)
	cmd.Env = h.environ()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("dvmrelay %s: %v\n%s", strings.Join(args, " "), err, &errs)
	}
	return out.Bytes()
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

// poll calls f until it returns nil.
func poll(t *testing.T, what string, f func() error) {
	t.Helper()
	pollFor(t, patience, what, f)
}

func pollFor(t *testing.T, patience time.Duration, what string, f func() error) {
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

// logBuffer keeps what a process printed. It is safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex // guards below
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
