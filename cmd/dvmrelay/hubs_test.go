package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const storyDeadline = 60 * time.Second

type hubsKey struct{}

// hubs are the relays that a story started.
type hubs struct {
	mu   sync.Mutex // guards below
	byID map[string]*hubProc
}

type hubProc struct {
	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan struct{}
	err  error
}

type lockedBuffer struct {
	mu sync.Mutex // guards below
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHubs() *hubs { return &hubs{byID: map[string]*hubProc{}} }

func (h *hubs) killAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.byID {
		_ = p.cmd.Process.Kill() // it may have ended by itself
		<-p.done
	}
}

func hubsOf(ts *testscript.TestScript) *hubs { return ts.Value(hubsKey{}).(*hubs) }

func (h *hubs) get(ts *testscript.TestScript, name string) *hubProc {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.byID[name]
	if p == nil {
		ts.Fatalf("no hub %s was started", name)
	}
	return p
}

// cmdHub starts a relay: hub NAME [KEY=VALUE...] [ARG...]. Its data directory is $WORK/NAME; its address becomes $NAME, and
// stays the same when the story starts it again. It returns when the relay is ready.
func cmdHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: hub name [KEY=VALUE...] [arg...]")
	}
	name := args[0]
	addr := ts.Getenv(name)
	if addr == "" {
		addr = freeAddr(ts)
		ts.Setenv(name, addr)
	}
	bin, err := exec.LookPath("dvmrelay")
	ts.Check(err)
	cmd := exec.Command(bin, "serve", "--data-dir", ts.MkAbs(name), "--listen", addr)
	cmd.Dir = ts.MkAbs(".")
	for _, k := range []string{"DVMRELAY_MIRROR_UPSTREAMS", "DVMRELAY_OPS_LISTEN", "HOME", "PATH"} {
		cmd.Env = append(cmd.Env, k+"="+ts.Getenv(k))
	}
	cmd.Env = append(cmd.Env, testBinaryEnv()...)
	for _, a := range args[1:] {
		if k, _, ok := strings.Cut(a, "="); ok && k == strings.ToUpper(k) && !strings.HasPrefix(a, "-") {
			cmd.Env = append(cmd.Env, a)
		} else if unset, ok := strings.CutPrefix(a, "-DVMRELAY_"); ok {
			cmd.Env = slices.DeleteFunc(cmd.Env, func(e string) bool { return strings.HasPrefix(e, "DVMRELAY_"+unset+"=") })
		} else {
			cmd.Args = append(cmd.Args, a)
		}
	}
	p := &hubProc{cmd: cmd, log: &lockedBuffer{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	ts.Check(cmd.Start())
	go func() { p.err = cmd.Wait(); close(p.done) }()
	h := hubsOf(ts)
	h.mu.Lock()
	h.byID[name] = p
	h.mu.Unlock()
	eventually(ts, "hub "+name+" ready", func() error {
		select {
		case <-p.done:
			ts.Fatalf("hub %s ended: %v\n%s", name, p.err, p.log)
		default:
		}
		_, err := httpGet("http://" + addr + "/readyz")
		return err
	})
}

// testBinaryEnv passes on what a test binary acting as the program needs (a coverage folder, a race option).
func testBinaryEnv() []string {
	out := []string{noRaceSleep}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "TESTSCRIPT_") || strings.HasPrefix(e, "GOCOVERDIR=") || strings.HasPrefix(e, "GORACE=") {
			out = append(out, e)
		}
	}
	return out
}

// noRaceSleep: a program built with the race detector otherwise sleeps a second before it ends, and stories start hundreds.
const noRaceSleep = "GORACE=atexit_sleep_ms=0"

func freeAddr(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

func cmdKill9(ts *testscript.TestScript, _ bool, args []string) {
	p := hubsOf(ts).get(ts, args[0])
	ts.Check(p.cmd.Process.Kill())
	<-p.done
}

// cmdStop ends a relay with SIGTERM and expects exit status 0.
func cmdStop(ts *testscript.TestScript, _ bool, args []string) {
	p := hubsOf(ts).get(ts, args[0])
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(storyDeadline):
		ts.Fatalf("hub %s did not stop\n%s", args[0], p.log)
	}
	if p.err != nil {
		ts.Fatalf("hub %s ended with %v\n%s", args[0], p.err, p.log)
	}
	writeFile(ts, args[0]+".log", p.log.String())
}

func cmdHup(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(hubsOf(ts).get(ts, args[0]).cmd.Process.Signal(syscall.SIGHUP))
}

// cmdAwaitLog waits until the relay's log holds a text: awaitlog NAME TEXT.
func cmdAwaitLog(ts *testscript.TestScript, _ bool, args []string) {
	p := hubsOf(ts).get(ts, args[0])
	eventually(ts, "log of "+args[0], func() error {
		if !strings.Contains(p.log.String(), args[1]) {
			return fmt.Errorf("no %q in the log:\n%s", args[1], p.log)
		}
		return nil
	})
}

// cmdGet fetches a page: get NAME PATH FILE.
func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	b, err := httpGet("http://" + ts.Getenv(args[0]) + args[1])
	if neg != (err != nil) {
		ts.Fatalf("get %s: %v", args[1], err)
	}
	writeFile(ts, args[2], string(b))
}

// cmdAwait polls a page until it holds a text: await NAME PATH TEXT.
func cmdAwait(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, strings.Join(args, " "), func() error {
		b, err := httpGet("http://" + ts.Getenv(args[0]) + args[1])
		if err == nil && !bytes.Contains(b, []byte(args[2])) {
			err = fmt.Errorf("no %q in %s", args[2], b)
		}
		return err
	})
}

func httpGet(url string) ([]byte, error) {
	c := http.Client{Timeout: 10 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return b, err
}

// eventually polls until try succeeds or the story's deadline passes.
func eventually(ts *testscript.TestScript, what string, try func() error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(storyDeadline)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			ts.Fatalf("%s: not in time: %v", what, err)
		}
	}
}

// cmdSplit sorts the real events by whether they can still be served: split IN LIVE DEAD.
func cmdSplit(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	var live, dead []byte
	for _, line := range bytes.SplitAfter(b, []byte("\n")) {
		switch evt, err := readEvent(line); {
		case len(bytes.TrimSpace(line)) == 0:
		case err != nil:
			ts.Fatalf("split %s: %v", filepath.Base(args[0]), err)
		case expired(evt, time.Now()):
			dead = append(dead, line...)
		default:
			live = append(live, line...)
		}
	}
	writeFile(ts, args[1], string(live))
	writeFile(ts, args[2], string(dead))
}

func writeFile(ts *testscript.TestScript, name, text string) {
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
}
